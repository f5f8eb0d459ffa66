"""The engine as a process among bad clients, bad bodies and sudden death."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest

from cmif.types import Sampling
from cmif.wire.events import DoneEvent, EventReader, TokenEvent
from cmif.wire.frame import CONTENT_TYPE, Frame, encode
from cmif.wire.rows import Rows
from cmif_lab.placements.process import ServerProcess
from tests.bodies import VOCAB, make_body, table

ENVIRONMENT = {"OMP_NUM_THREADS": "1"}


class Engine:
    """A served body, and plain HTTP to it."""

    def __init__(self, body: Path) -> None:
        self.process = ServerProcess("cmif", "serve", str(body), "--port", "0", environment=ENVIRONMENT)
        self.rows, self.port = table(body), urlsplit(self.process.told["url"]).port or 0
        self.model = self.process.told["model"]

    def frame(self, seed: int = 0, n: int = 12, **sampling: Any) -> Frame:
        ids = np.random.default_rng(seed).integers(3, VOCAB, n)
        return Frame(self.model, Rows.gather(self.rows, ids), Sampling(**{"max_tokens": 8, **sampling}))

    def ask(self, data: bytes) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/v1/generate", data, {"content-type": CONTENT_TYPE})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            return answer.status, json.loads(body)["error"]["code"]
        events = EventReader().feed(body)
        assert isinstance(events[-1], DoneEvent)
        return 200, [i for e in events if isinstance(e, TokenEvent) for i in e.ids]


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_body(tmp_path_factory.mktemp("body"))


@pytest.fixture(scope="module")
def engine(body: Path) -> Iterator[Engine]:
    made = Engine(body)
    yield made
    made.process.stop()


@pytest.mark.parametrize("pattern", [0x7FC0, 0x7F80, 0xFF80, 0x7F7F])
def test_poisoned_rows_harm_nobody(engine: Engine, pattern: int) -> None:
    """The attack that vLLM answers with 200 and then token 0 for every other tenant: refused, and nobody notices."""
    good = encode(engine.frame(1, max_tokens=40))
    expected = engine.ask(good)
    bad = engine.frame(2)
    bad.rows.unique[3, 5] = pattern
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(engine.ask, [good, encode(bad)] * 6))
    assert answers[::2] == [expected] * 6
    assert answers[1::2] == [(400, "rows_refused")] * 6
    assert engine.ask(good) == expected


def test_clients_that_vanish_leave_nothing_behind(engine: Engine) -> None:
    data = encode(engine.frame(3, max_tokens=200))
    head = f"POST /v1/generate HTTP/1.1\r\nhost: x\r\ncontent-type: {CONTENT_TYPE}\r\ncontent-length: {len(data)}\r\n\r\n"
    for part in (b"", data[:50], data):
        for _ in range(12):  # more than run at once, fewer than may wait
            with socket.create_connection(("127.0.0.1", engine.port)) as connection:
                connection.sendall(head.encode() + part)
                # Reset instead of a polite end.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    status, ids = engine.ask(encode(engine.frame(1)))
    assert (status, len(ids)) == (200, 8)


def test_noise_on_the_socket_is_answered_or_dropped(engine: Engine) -> None:
    for noise in (
        os.urandom(4096),
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01" + os.urandom(200),
        b"POST " + b"a" * 70000,
    ):
        with socket.create_connection(("127.0.0.1", engine.port), timeout=30) as connection:
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    assert engine.ask(encode(engine.frame(1)))[0] == 200


def test_memory_stays_where_it_is_under_refused_frames(engine: Engine) -> None:
    process = psutil.Process(engine.process.pid)
    huge = bytearray(encode(engine.frame(1), "bf16+zstd"))
    struct.pack_into("<I", huge, 48, 1 << 30)  # a lie about how many rows follow
    for _ in range(20):
        engine.ask(bytes(huge))
    before = process.memory_info().rss
    for _ in range(200):
        assert engine.ask(bytes(huge)) == (400, "malformed_frame")
    assert process.memory_info().rss - before < 16 << 20


def test_a_killed_engine_cuts_the_stream_and_frees_its_port(body: Path) -> None:
    engine = Engine(body)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=60)
        connection.request(
            "POST", "/v1/generate", encode(engine.frame(1, max_tokens=240)), {"content-type": CONTENT_TYPE}
        )
        answer = connection.getresponse()
        reader = EventReader()
        events = reader.feed(answer.read1(4096))
        os.kill(engine.process.pid, signal.SIGKILL)
        try:
            while chunk := answer.read1(65536):
                events += reader.feed(chunk)
        except (http.client.HTTPException, OSError):
            pass
        assert events
        assert not any(isinstance(e, DoneEvent) for e in events)  # a cut answer never looks like a whole one
    finally:
        engine.process.stop()


def test_sigterm_ends_a_busy_engine(body: Path) -> None:
    engine = Engine(body)
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=60)
    connection.request(
        "POST", "/v1/generate", encode(engine.frame(1, max_tokens=200)), {"content-type": CONTENT_TYPE}
    )
    connection.getresponse().read1(64)
    engine.process.stop()
    assert not psutil.pid_exists(engine.process.pid)
    connection.close()


def test_an_altered_body_is_never_served(body: Path, tmp_path: Path) -> None:
    make_body(tmp_path)
    weights = tmp_path / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[len(raw) // 2] ^= 1
    weights.write_bytes(raw)
    done = subprocess.run(
        [sys.executable, "-m", "cmif", "serve", str(tmp_path), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "altered" in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_said_so(engine: Engine, body: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cmif", "serve", str(body), "--port", str(engine.port)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert "port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_certificate_without_its_key_is_said_so(body: Path, tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("no certificate")
    for arguments in (["--tls-certificate", "c.pem"], ["--tls-certificate", "c.pem", "--tls-key", "c.pem"]):
        done = subprocess.run(
            [sys.executable, "-m", "cmif", "serve", str(body), "--port", "0", *arguments],
            capture_output=True, text=True, timeout=120, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 2
        assert "certificate" in done.stderr
        assert "Traceback" not in done.stderr
