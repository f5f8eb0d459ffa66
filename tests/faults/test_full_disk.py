"""A ledger on a disk that fills up, over both storages: a file system of a few megabytes, filled by somebody else."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cmif.enclave.memo import Entry, Payer
from cmif.errors import LedgerError
from cmif.gateway.ledger import Ledger
from cmif.gateway.store import SqliteStore
from tests.postgres import Postgres, postgres

PAYER = Payer("t", "", (b"c",))


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 96 MiB in memory. Without the right to mount one the test is skipped."""
    at = Path(tempfile.mkdtemp(prefix="cmif-disk-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", at], capture_output=True)
    try:
        if mounted.returncode:
            pytest.skip("needs the right to mount a file system")
        yield at
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", at], check=True)
        at.rmdir()


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Inside, somebody else's file takes all but 256 KiB of ``disk``."""
    free = os.statvfs(disk)
    other = disk / "other"
    with other.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - (256 << 10))
    try:
        yield
    finally:
        other.unlink()


@contextmanager
def storage(kind: str, disk: Path) -> Iterator[tuple[Ledger, Postgres | None]]:
    if kind == "sqlite":
        store = SqliteStore(disk / "l.sqlite")
        yield store, None
        store.close()
        return
    with postgres(folder=disk) as server:
        from cmif.gateway.postgres import PostgresStore

        shared = PostgresStore(server.fresh("full"))
        yield shared, server
        shared.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_full_disk_refuses_charges_loses_none_and_is_over_when_there_is_room(kind: str, small_disk: Path) -> None:
    acted_on: list[bytes] = []

    def draw(*numbers: int) -> None:
        for key in (number.to_bytes(4, "big") for number in numbers):
            store.commit(PAYER, {key: Entry(b"c", os.urandom(2048), 1.0)})
            acted_on.append(key)

    def kept() -> set[bytes]:
        return {row.key for row in store.recall({b"c": 0})[b"c"]}

    with storage(kind, small_disk) as (store, server):
        draw(0)
        with filled(small_disk):
            with pytest.raises(LedgerError):
                draw(*range(1, 5000))
            with pytest.raises(OSError) as full:  # the disk and nothing else was the reason
                (small_disk / "more").write_bytes(bytes(1 << 20))
            assert full.value.errno == errno.ENOSPC
            (small_disk / "more").unlink()
        if server is not None and server.process is not None and server.process.poll() is not None:
            server.start()  # PostgreSQL gives up where it cannot write its log: its supervisor starts it again
        draw(5000)
        spent = sum(account.epsilon for account in store.accounts("tenant"))
        assert set(acted_on) <= kept()
        assert spent == len(kept()) <= len(acted_on) + 1  # a commit whose answer was lost may have been made
        assert len(acted_on) > 2
