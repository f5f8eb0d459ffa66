"""The append-only record of every release decision: JSON lines, each chained to the one before by SHA-256.

A line is on disk before the decision it records takes effect. Altering, dropping or reordering lines breaks the chain;
cutting the end off does not, so keep a copy of the last hash elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cmif.errors import IntegrityError

GENESIS = "0" * 64


class Record:
    """The open record. Raises :class:`IntegrityError` at opening if what is there is not an unbroken chain."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._failed = False
        self._sequence, self._last = check_record(path) if path.exists() else (0, GENESIS)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def append(self, event: str, details: Mapping[str, Any]) -> None:
        """Write one line and wait until it is on disk. Raises `OSError` where it cannot: the caller must refuse."""
        with self._lock:
            entry = {
                "seq": self._sequence,
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "event": event,
                **details,
                "prev": self._last,
            }
            entry["hash"] = _hash(entry)
            if self._failed:
                raise OSError("the record is closed: an earlier line may not be on disk")
            self._failed = True
            line = (json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
            if os.write(self._descriptor, line) != len(line):
                raise OSError("the record took only a part of a line")
            os.fsync(self._descriptor)
            self._sequence, self._last, self._failed = self._sequence + 1, entry["hash"], False

    def close(self) -> None:
        os.close(self._descriptor)


def check_record(path: Path) -> tuple[int, str]:
    """Number of lines and last hash of a record. Raises :class:`IntegrityError` naming the first line that is wrong."""
    sequence, last = 0, GENESIS
    with path.open("rb") as file:
        for line in file:
            try:
                entry = json.loads(line)
                sound = (
                    entry["seq"] == sequence and entry["prev"] == last and entry.pop("hash") == _hash(entry)
                )
            except (ValueError, KeyError, TypeError, AttributeError):
                sound = False
            if not sound or not line.endswith(b"\n"):
                raise IntegrityError(
                    f"The decision record is broken at line {sequence + 1}.",
                    hint="Keep it as evidence and start a new one.",
                )
            sequence, last = sequence + 1, _hash(entry)
    return sequence, last


def _hash(entry: Mapping[str, Any]) -> str:
    text = json.dumps(
        {k: v for k, v in entry.items() if k != "hash"}, ensure_ascii=False, separators=(",", ":")
    )
    return hashlib.sha256(text.encode()).hexdigest()
