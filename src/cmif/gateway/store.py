"""The ledger and the memo in one SQLite file: a draw is remembered and charged in the same durable transaction.

`synchronous=FULL` in WAL mode syncs the log before COMMIT returns (SQLite documentation, "PRAGMA synchronous"), so that
neither a killed process nor a power cut loses a charge that was acted on. Draws that cost nothing are committed
without the sync: a power cut may lose them, and all that follows is another surrogate. What is stored is opaque: HMAC
names, sealed draws, tenant ids and epsilons; no text of any user.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from cmif.enclave.memo import Draw
from cmif.errors import InputError
from cmif.privacy.accounting import NANO, Budget, Charge

_SCHEMA = """
CREATE TABLE IF NOT EXISTS memo (
    conversation BLOB NOT NULL, unit BLOB NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (conversation, unit)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS charge (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, conversation BLOB NOT NULL,
    draws INTEGER NOT NULL, nano INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS charge_tenant ON charge (tenant, nano);
CREATE INDEX IF NOT EXISTS charge_conversation ON charge (conversation, nano);
"""


@dataclass(frozen=True, slots=True)
class Account:
    """What a tenant has spent so far: ``epsilon`` by basic composition over ``draws`` remembered draws."""

    tenant: str
    draws: int
    epsilon: float


class SqliteStore:
    """:class:`cmif.enclave.memo.Store` on disk. One connection, serialised by a lock; safe to share between threads."""

    def __init__(self, path: Path | str, budget: Budget | None = None) -> None:
        """``budget`` None bounds nothing. Raises :class:`InputError` if ``path`` cannot be a ledger."""
        self._budget = budget or Budget()
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise InputError(
                f"The ledger cannot be opened ({error.sqlite_errorname}).",
                hint="Check the path and its permissions.",
            ) from None

    def recall(self, conversation: bytes) -> dict[bytes, bytes]:
        with self._lock:
            rows = self._db.execute("SELECT unit, sealed FROM memo WHERE conversation = ?", (conversation,))
            return dict(rows.fetchall())

    def commit(self, tenant: str, conversation: bytes, draws: Mapping[bytes, Draw]) -> dict[bytes, bytes]:
        """See :meth:`cmif.enclave.memo.Store.commit`."""
        charged = any(made.epsilon > 0 for made in draws.values())
        with self._lock, _Transaction(self._db, "FULL" if charged else "NORMAL"):
            settled: dict[bytes, bytes] = {}
            new: list[Draw] = []
            for unit, made in draws.items():
                row = self._db.execute(
                    "INSERT INTO memo VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING sealed",
                    (conversation, unit, made.sealed),
                ).fetchone()
                if row is not None:
                    settled[unit] = made.sealed
                    new.append(made)
                    continue
                settled[unit] = self._db.execute(
                    "SELECT sealed FROM memo WHERE conversation = ? AND unit = ?", (conversation, unit)
                ).fetchone()[0]
            for epsilon in sorted({made.epsilon for made in new}):
                charge = Charge(sum(made.epsilon == epsilon for made in new), epsilon)
                self._charge(tenant, conversation, charge)
            return settled

    def _charge(self, tenant: str, conversation: bytes, charge: Charge) -> None:
        spent = "SELECT COALESCE(SUM(nano), 0) FROM charge WHERE "
        self._budget.admit(
            charge,
            tenant_spent=self._db.execute(spent + "tenant = ?", (tenant,)).fetchone()[0],
            conversation_spent=self._db.execute(spent + "conversation = ?", (conversation,)).fetchone()[0],
        )
        self._db.execute(
            "INSERT INTO charge (tenant, conversation, draws, nano) VALUES (?, ?, ?, ?)",
            (tenant, conversation, charge.draws, charge.nano),
        )

    def account(self, tenant: str) -> Account:
        query = "SELECT COALESCE(SUM(draws), 0), COALESCE(SUM(nano), 0) FROM charge WHERE tenant = ?"
        with self._lock:
            draws, spent = self._db.execute(query, (tenant,)).fetchone()
        return Account(tenant, int(draws), spent / NANO)

    def close(self) -> None:
        with self._lock:
            self._db.close()


class _Transaction:
    """`BEGIN IMMEDIATE` to `COMMIT`, or `ROLLBACK` if anything was raised. ``synchronous``: FULL or NORMAL."""

    def __init__(self, db: sqlite3.Connection, synchronous: str) -> None:
        self._db = db
        self._synchronous = synchronous

    def __enter__(self) -> Self:
        self._db.execute(f"PRAGMA synchronous={self._synchronous}")
        self._db.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
