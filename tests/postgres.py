"""A real PostgreSQL of the test's own: Debian's binaries, a free loopback port, stopped by its process id."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


def binaries() -> Path:
    """The newest installed PostgreSQL's programs; without any the test is skipped."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("needs PostgreSQL: scripts/install-postgresql")
    pytest.importorskip("psycopg", reason="needs the extra `postgres`")
    return found[-1].parent


def _unprivileged() -> dict[str, int]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid}


@dataclass
class Postgres:
    """A server over ``folder``; it can be killed and started again."""

    folder: Path
    port: int
    settings: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://cmif@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        settings = (
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            "unix_socket_directories=",
            *self.settings,
        )
        command = [binaries() / "postgres", "-D", self.folder / "data", *(f"--{one}" for one in settings)]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **_unprivileged())  # type: ignore[call-overload]
        ready = [binaries() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + 60
        while subprocess.run(ready).returncode:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def crash(self) -> None:
        """Stop as a power cut would, as far as processes go: nothing is written that was not written yet."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(60)

    def fresh(self, name: str) -> str:
        """The URL of a new, empty database."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url.removesuffix("postgres") + name


@contextmanager
def postgres(*settings: str, folder: Path | None = None) -> Iterator[Postgres]:
    """A running server; its data in ``folder``, which is emptied at the end, or in one of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    programs = binaries()
    folder = folder or Path(tempfile.mkdtemp(prefix="cmif-pg-"))  # pytest's own folders are closed to other users
    try:
        owner = _unprivileged()
        if owner:
            os.chown(folder, owner["user"], owner["group"])
        initdb = [
            programs / "initdb",
            "-D",
            folder / "data",
            "-U",
            "cmif",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--wal-segsize=1",
        ]
        subprocess.run([*initdb, "--locale=C"], check=True, stdout=subprocess.DEVNULL, **owner)  # type: ignore[call-overload]
        server = Postgres(folder, port, settings)
        server.start()
        try:
            yield server
        finally:
            if server.process is not None and server.process.poll() is None:
                server._end(signal.SIGINT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
