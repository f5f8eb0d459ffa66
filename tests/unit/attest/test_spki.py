from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from cmif.attest.spki import pinned_context, require_pinned, spki_sha256
from cmif.errors import AttestationError
from cmif.gateway.obtain import check_engine
from cmif.gateway.selfsigned import self_signed


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str, list[bytes]]]:
    """A TLS server: its port, its key's hash, and everything that reached it in the clear."""
    folder: Path = tmp_path_factory.mktemp("tls")
    certificate, key = self_signed(("elsewhere.example",))
    (folder / "tls.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem")
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(raw, server_side=True) as connection:
                    heard.append(connection.recv(4096))
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
            except OSError:
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], spki_sha256(ssl.PEM_cert_to_DER_cert(certificate.decode())), heard
    listener.close()


async def fetch(port: int, context: ssl.SSLContext) -> str:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.get(f"https://127.0.0.1:{port}/") as answer,
    ):
        return await answer.text()


async def test_a_pinned_key_is_enough_whatever_the_certificate_says(
    peer: tuple[int, str, list[bytes]],
) -> None:
    port, spki, _ = peer
    assert await fetch(port, pinned_context(["00" * 32, spki])) == "ok"


async def test_pins_may_change_between_handshakes(peer: tuple[int, str, list[bytes]]) -> None:
    port, spki, _ = peer
    pins = {spki}
    context = pinned_context(pins)
    assert await fetch(port, context) == "ok"
    pins.clear()
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await fetch(port, context)


@pytest.mark.parametrize("pins", [[], ["00" * 32]])
async def test_another_key_ends_the_handshake_and_nothing_is_sent(
    peer: tuple[int, str, list[bytes]], pins: list[str]
) -> None:
    port, _, heard = peer
    before = [data for data in heard if data]
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await fetch(port, pinned_context(pins))
    await asyncio.sleep(0.1)
    assert [data for data in heard if data] == before


def test_blocking_sockets_are_pinned_too(peer: tuple[int, str, list[bytes]]) -> None:
    port, spki, _ = peer
    for pins, accepted in (([spki], True), (["00" * 32], False)):
        with socket.create_connection(("127.0.0.1", port)) as raw:
            if accepted:
                pinned_context(pins).wrap_socket(raw).close()
            else:
                with pytest.raises(ssl.SSLCertVerificationError, match="not pinned"):
                    pinned_context(pins).wrap_socket(raw)


async def test_the_start_check_names_the_wrong_key(peer: tuple[int, str, list[bytes]]) -> None:
    port, spki, _ = peer
    await check_engine(f"https://127.0.0.1:{port}", (spki,))
    with pytest.raises(AttestationError) as refusal:
        await check_engine(f"https://127.0.0.1:{port}", ("00" * 32,))
    assert refusal.value.record()["check"] == "engine_spki"
    assert (refusal.value.expected, refusal.value.seen) == (["00" * 32], spki)


async def test_an_engine_that_is_away_is_no_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    await check_engine(f"https://127.0.0.1:{port}", ("00" * 32,))


def test_no_certificate_is_a_refusal() -> None:
    with pytest.raises(AttestationError):
        require_pinned(None, ["00" * 32])
