"""Start `cmif` servers as processes of their own on free ports, and stop them by their process id."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import urlsplit

from cmif.errors import CmifError

_OPTIONS = ("CMIF_CONFIG", "CMIF_GATEWAY_", "CMIF_SERVE_")


@contextmanager
def server(
    *arguments: str, environment: dict[str, str] | None = None, log: IO[bytes] | None = None
) -> Iterator[dict[str, Any]]:
    """Run ``cmif ARGUMENTS`` until the block ends; yields its ready line with "port" and "pid" added. ``environment``
    None is ours, without the options that it may hold for a user's own servers.

    Raises :class:`CmifError` if the process ends without becoming ready; what it said is in ``log``, or on our
    standard error.
    """
    command: Sequence[str] = [sys.executable, "-m", "cmif", *arguments]
    if environment is None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_OPTIONS)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=log, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise CmifError(f"`cmif {arguments[0]}` ended with status {process.wait()} before it was ready.")
        told: dict[str, Any] = json.loads(line)
        yield {**told, "port": urlsplit(told["url"]).port, "pid": process.pid}
    finally:
        process.send_signal(signal.SIGINT)  # a gateway that gets SIGTERM waits for load balancers to notice
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
