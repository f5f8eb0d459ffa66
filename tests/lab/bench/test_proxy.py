from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from cmif_lab.bench import proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends everything back."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=mirror, args=(connection,), daemon=True).start()

        def mirror(connection: socket.socket) -> None:
            while chunk := connection.recv(65536):
                connection.sendall(chunk)
            connection.close()

        threading.Thread(target=run, daemon=True).start()
        yield listener.getsockname()[1]


def through(target: int, rtt_ms: float) -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=proxy.serve, args=(listener, target, rtt_ms), daemon=True).start()
    return socket.create_connection(listener.getsockname())


def test_everything_arrives_in_order_and_the_end_too(echo: int) -> None:
    sent = os.urandom(3_000_000)
    with through(echo, 5) as connection:
        threading.Thread(
            target=lambda: (connection.sendall(sent), connection.shutdown(socket.SHUT_WR))
        ).start()
        got = b""
        while chunk := connection.recv(65536):
            got += chunk
    assert got == sent


def test_a_round_trip_takes_at_least_what_was_asked_for(echo: int) -> None:
    with through(echo, 20) as connection:
        for _ in range(3):
            started = time.monotonic()
            connection.sendall(b"x")
            assert connection.recv(1) == b"x"
            assert time.monotonic() - started >= 0.020
