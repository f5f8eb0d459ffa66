"""A TCP proxy that delays what passes: half a round-trip time each way. A process: `python -m
cmif_lab.bench.proxy`.

The kernel's own tool (netem) is not everywhere and needs privileges. Every chunk is held until its time has
come, order and bandwidth are left alone, and connecting costs no round trip, since the benchmark measures
kept connections.
"""

from __future__ import annotations

import argparse
import json
import queue
import socket
import threading
import time
from typing import Any


def pump(source: socket.socket, sink: socket.socket, delay_s: float) -> None:
    """Forward ``source`` to ``sink``, each chunk ``delay_s`` after it came, until either side ends."""
    chunks: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

    def deliver() -> None:
        while True:
            due, chunk = chunks.get()
            # A thread's sleep is exact to well under 0.1 ms; an event loop's timer only to 1 ms.
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not chunk:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(chunk)
            except OSError:
                return

    threading.Thread(target=deliver, daemon=True).start()
    while True:
        try:
            chunk = source.recv(1 << 18)
        except OSError:
            chunk = b""
        chunks.put((time.monotonic() + delay_s, chunk))
        if not chunk:
            return


def serve(listener: socket.socket, target: int, rtt_ms: float) -> None:
    """Accept for ever, one pair of pumps a connection."""
    while True:
        client, _ = listener.accept()
        upstream = socket.create_connection(("127.0.0.1", target))
        for end in (client, upstream):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, sink in ((client, upstream), (upstream, client)):
            threading.Thread(target=pump, args=(source, sink, rtt_ms / 2e3), daemon=True).start()


def main(arguments: Any = None) -> None:
    parser = argparse.ArgumentParser(prog="cmif_lab.bench.proxy")
    parser.add_argument("--target", type=int, required=True, help="port on the loopback")
    parser.add_argument("--rtt-ms", type=float, required=True)
    options = parser.parse_args(arguments)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(json.dumps({"ready": True, "port": listener.getsockname()[1]}), flush=True)
        serve(listener, options.target, options.rtt_ms)


if __name__ == "__main__":
    main()
