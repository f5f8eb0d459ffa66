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
from dataclasses import dataclass
from pathlib import Path

from cmif.enclave.memo import Entry, Payer, Row
from cmif.errors import InputError, LedgerError
from cmif.privacy.accounting import NANO, Budget, nano

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY, node BLOB NOT NULL, key BLOB NOT NULL UNIQUE, sealed BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS entry_node ON entry (node, id);
CREATE TABLE IF NOT EXISTS total (
    tenant TEXT NOT NULL, kind TEXT NOT NULL, name BLOB NOT NULL, draws INTEGER NOT NULL, nano INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, name)
) WITHOUT ROWID;
"""
_ADD = (
    "INSERT INTO total VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
    "SET draws = draws + excluded.draws, nano = nano + excluded.nano"
)


@dataclass(frozen=True, slots=True)
class Account:
    """What one account has spent: ``epsilon`` by basic composition over ``draws`` draws of the mechanism.

    ``kind`` is "tenant", "user" or "node" (one step of a conversation); ``name`` is opaque, "" for a tenant's own.
    """

    tenant: str
    kind: str
    name: str
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
        self._budget.admit(
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

    def accounts(self, kind: str) -> list[Account]:
        """Every account of a kind, the largest first."""
        query = "SELECT tenant, kind, name, draws, nano FROM total WHERE kind = ? ORDER BY nano DESC"
        with self._lock, _as_ledger_error():
            rows = self._db.execute(query, (kind,)).fetchall()
        return [Account(t, k, n.decode() if k == "user" else n.hex(), d, s / NANO) for t, k, n, d, s in rows]

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


def open_store(folder: Path, budget: Budget | None = None, *, must_exist: bool = False) -> SqliteStore:
    """The store of a gateway's state directory. ``must_exist``: refuse to make a new one (:class:`InputError`)."""
    path = folder / "ledger.sqlite"
    if must_exist and not path.is_file():
        raise InputError(
            "There is no ledger in that state directory.", hint="Give the gateway's own --state."
        )
    return SqliteStore(path, budget)


@contextmanager
def _as_ledger_error() -> Generator[None, None, None]:
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "error")
        raise LedgerError(
            f"The ledger cannot be used ({name}).", hint="Nothing was sent. Check the disk of --state."
        ) from None
