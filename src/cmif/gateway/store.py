"""The ledger and the memo in one SQLite file: a draw is remembered and charged in the same durable transaction.

`synchronous=FULL` in WAL mode syncs the log before COMMIT returns (SQLite documentation, "PRAGMA synchronous"), so that
neither a killed process nor a power cut loses a charge that was acted on. Entries that cost nothing are committed
without the sync: a power cut may lose them, and all that follows is another surrogate. What is stored is opaque: HMAC
names, sealed entries, tenant names and epsilons; no text of any user.

What was spent is kept as running totals, one row an account, so that a charge costs the same however long the history.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cmif.enclave.memo import Entry, Payer, Row
from cmif.errors import InputError, LedgerError
from cmif.gateway.ledger import Account, Tenant
from cmif.privacy.accounting import NANO, Budget, nano

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY, node BLOB NOT NULL, key BLOB NOT NULL UNIQUE, sealed BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS entry_node ON entry (node, id);
CREATE TABLE IF NOT EXISTS tenant (name TEXT PRIMARY KEY, budget REAL, user_budget REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tenant_key (digest TEXT PRIMARY KEY, tenant TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS total (
    tenant TEXT NOT NULL, kind TEXT NOT NULL, name BLOB NOT NULL, draws INTEGER NOT NULL, nano INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, name)
) WITHOUT ROWID;
"""
_ADD = (
    "INSERT INTO total VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
    "SET draws = draws + excluded.draws, nano = nano + excluded.nano"
)
_TENANT = (
    "INSERT INTO tenant VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET budget = coalesce(excluded.budget, budget), "
    "user_budget = coalesce(excluded.user_budget, user_budget)"
)


class SqliteStore:
    """:class:`cmif.gateway.ledger.Ledger` on disk. One connection behind a lock; safe to share between threads."""

    def __init__(self, path: Path | str, budget: Budget | None = None) -> None:
        """``budget`` None bounds nothing. Raises :class:`InputError` if ``path`` cannot be a ledger."""
        self.budget = budget or Budget()
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

    def recall(self, nodes: Mapping[bytes, int]) -> Mapping[bytes, Sequence[Row]]:
        """See :meth:`cmif.enclave.memo.Store.recall`."""
        query = "SELECT id, key, sealed FROM entry WHERE node = ? AND id > ? ORDER BY id"
        with self._lock, _as_ledger_error():
            return {
                node: [Row(*row) for row in self._db.execute(query, (node, seen))]
                for node, seen in nodes.items()
            }

    def commit(self, payer: Payer, entries: Mapping[bytes, Entry]) -> Mapping[bytes, bytes]:
        """See :meth:`cmif.enclave.memo.Store.commit`."""
        charged = any(entry.epsilon > 0 for entry in entries.values())
        settled: dict[bytes, bytes] = {}
        spent: dict[bytes, tuple[int, int]] = {}
        with self._lock, _as_ledger_error(), self._transaction("FULL" if charged else "NORMAL"):
            for key, entry in entries.items():
                settled[key], ours = self._remember(key, entry)
                if ours and entry.epsilon > 0:
                    draws, sum_ = spent.get(entry.node, (0, 0))
                    spent[entry.node] = (draws + 1, sum_ + nano(entry.epsilon))
            if spent:
                self._charge(payer, spent)
        return settled

    def _remember(self, key: bytes, entry: Entry) -> tuple[bytes, bool]:
        """The value that counts, and whether it is the one given."""
        row = self._db.execute(
            "INSERT INTO entry (node, key, sealed) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
            (entry.node, key, entry.sealed),
        ).fetchone()
        if row is not None:
            return entry.sealed, True
        earlier: bytes = self._db.execute("SELECT sealed FROM entry WHERE key = ?", (key,)).fetchone()[0]
        return earlier, False

    def _charge(self, payer: Payer, spent: Mapping[bytes, tuple[int, int]]) -> None:
        draws, sum_ = (sum(column) for column in zip(*spent.values(), strict=True))
        self._limits(payer.tenant).admit(
            sum_,
            tenant_spent=self._spent(payer.tenant, "tenant", b""),
            user_spent=self._spent(payer.tenant, "user", payer.user.encode()) if payer.user else 0,
            conversation_spent=sum(self._spent(payer.tenant, "node", node) for node in payer.path),
        )
        self._db.execute(_ADD, (payer.tenant, "tenant", b"", draws, sum_))
        if payer.user:
            self._db.execute(_ADD, (payer.tenant, "user", payer.user.encode(), draws, sum_))
        for node, (draws, sum_) in spent.items():
            self._db.execute(_ADD, (payer.tenant, "node", node, draws, sum_))

    def _spent(self, tenant: str, kind: str, name: bytes) -> int:
        query = "SELECT nano FROM total WHERE tenant = ? AND kind = ? AND name = ?"
        row = self._db.execute(query, (tenant, kind, name)).fetchone()
        return row[0] if row else 0

    def _limits(self, name: str) -> Budget:
        row = self._db.execute("SELECT budget, user_budget FROM tenant WHERE name = ?", (name,)).fetchone()
        return Tenant(name, (), *row).limits(self.budget) if row else self.budget

    def accounts(self, kind: str) -> list[Account]:
        """Every account of a kind, the largest first."""
        query = "SELECT tenant, kind, name, draws, nano FROM total WHERE kind = ? ORDER BY nano DESC"
        with self._lock, _as_ledger_error():
            rows = self._db.execute(query, (kind,)).fetchall()
        return [Account(t, k, n.decode() if k == "user" else n.hex(), d, s / NANO) for t, k, n, d, s in rows]

    def tenants(self) -> list[Tenant]:
        """See :meth:`cmif.gateway.ledger.Ledger.tenants`."""
        with self._lock, _as_ledger_error():
            rows = self._db.execute("SELECT name, budget, user_budget FROM tenant ORDER BY name").fetchall()
            keys = self._db.execute("SELECT tenant, digest FROM tenant_key ORDER BY digest").fetchall()
        return [Tenant(name, tuple(d for t, d in keys if t == name), *limits) for name, *limits in rows]

    def tenant_of(self, digest: str) -> str | None:
        """See :meth:`cmif.gateway.ledger.Ledger.tenant_of`."""
        with self._lock, _as_ledger_error():
            row = self._db.execute("SELECT tenant FROM tenant_key WHERE digest = ?", (digest,)).fetchone()
        return row[0] if row else None

    def add_key(self, tenant: Tenant) -> None:
        """See :meth:`cmif.gateway.ledger.Ledger.add_key`."""
        with self._lock, _as_ledger_error(), self._transaction("FULL"):
            self._db.execute(_TENANT, (tenant.name, tenant.budget, tenant.user_budget))
            for digest in tenant.keys:
                self._db.execute("INSERT INTO tenant_key VALUES (?, ?)", (digest, tenant.name))

    def revoke(self, name: str, key: str) -> int:
        """See :meth:`cmif.gateway.ledger.Ledger.revoke`."""
        gone = "DELETE FROM tenant_key WHERE tenant = ? AND substr(digest, 1, ?) = ?"
        with self._lock, _as_ledger_error(), self._transaction("FULL"):
            return self._db.execute(gone, (name, len(key), key)).rowcount

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self, synchronous: str) -> Generator[None, None, None]:
        """`BEGIN IMMEDIATE` to `COMMIT`, or `ROLLBACK` if anything was raised. ``synchronous``: FULL or NORMAL."""
        self._db.execute(f"PRAGMA synchronous={synchronous}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


@contextmanager
def _as_ledger_error() -> Generator[None, None, None]:
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "error")
        raise LedgerError(
            f"The ledger cannot be used ({name}).", hint="Nothing was sent. Check the disk of --state."
        ) from None
