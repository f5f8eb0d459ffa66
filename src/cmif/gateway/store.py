"""The ledger and the memo in one SQLite file: a draw is remembered and charged in the same durable transaction.

`synchronous=FULL` in WAL mode syncs the log before COMMIT returns (SQLite documentation, "PRAGMA synchronous"), so a
process killed at any instant never loses a charge that was acted on. What is stored is opaque: HMAC names, sealed
draws, tenant ids and epsilons; no text of any user.
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
from cmif.errors import BudgetExhaustedError, InputError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS memo (
    conversation BLOB NOT NULL, unit BLOB NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (conversation, unit)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS charge (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, conversation BLOB NOT NULL, draws INTEGER NOT NULL, epsilon REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS charge_tenant ON charge (tenant, epsilon);
CREATE INDEX IF NOT EXISTS charge_conversation ON charge (conversation, epsilon);
"""
_SLACK = 1e-9
"""Sums of floats are compared with this slack, so that ten charges of 0.1 fit a budget of 1."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a tenant has spent so far: ``epsilon`` by basic composition over ``draws`` remembered draws."""

    tenant: str
    draws: int
    epsilon: float


class SqliteStore:
    """:class:`cmif.enclave.memo.Store` on disk. One connection, serialised by a lock; safe to share between threads."""

    def __init__(
        self,
        path: Path | str,
        *,
        tenant_budget: float | None = None,
        conversation_budget: float | None = None,
    ) -> None:
        self._tenant_budget = tenant_budget
        self._conversation_budget = conversation_budget
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
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
        with self._lock, _Transaction(self._db):
            settled: dict[bytes, bytes] = {}
            epsilon, new = 0.0, 0
            for unit, made in draws.items():
                row = self._db.execute(
                    "INSERT INTO memo VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING sealed",
                    (conversation, unit, made.sealed),
                ).fetchone()
                if row is not None:
                    settled[unit], epsilon, new = made.sealed, epsilon + made.epsilon, new + 1
                    continue
                settled[unit] = self._db.execute(
                    "SELECT sealed FROM memo WHERE conversation = ? AND unit = ?", (conversation, unit)
                ).fetchone()[0]
            if epsilon > 0:
                self._refuse_overdraft("tenant", tenant, epsilon, self._tenant_budget)
                self._refuse_overdraft("conversation", conversation, epsilon, self._conversation_budget)
            if new:
                self._db.execute(
                    "INSERT INTO charge (tenant, conversation, draws, epsilon) VALUES (?, ?, ?, ?)",
                    (tenant, conversation, new, epsilon),
                )
            return settled

    def account(self, tenant: str) -> Account:
        with self._lock:
            row = self._db.execute(
                "SELECT COALESCE(SUM(draws), 0), COALESCE(SUM(epsilon), 0) FROM charge WHERE tenant = ?",
                (tenant,),
            )
            draws, epsilon = row.fetchone()
        return Account(tenant, int(draws), float(epsilon))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _refuse_overdraft(self, who: str, name: str | bytes, epsilon: float, budget: float | None) -> None:
        if budget is None:
            return
        column = {"tenant": "tenant", "conversation": "conversation"}[who]
        spent = self._db.execute(
            f"SELECT COALESCE(SUM(epsilon), 0) FROM charge WHERE {column} = ?", (name,)
        ).fetchone()[0]  # noqa: S608
        if spent + epsilon > budget + _SLACK:
            raise BudgetExhaustedError(
                f"This request needs epsilon {epsilon:g}, but of the {who}'s budget {budget:g} only {max(budget - spent, 0):g} is left.",
                hint="Re-sent text costs nothing; new words do. Raise the budget or start afresh by decision of the data's owner.",
            )


class _Transaction:
    """`BEGIN IMMEDIATE` to `COMMIT`, or `ROLLBACK` if anything was raised."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> Self:
        self._db.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
