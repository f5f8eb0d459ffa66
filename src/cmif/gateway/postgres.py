"""The ledger and the memo in one PostgreSQL database that several gateways share, with what `store.py` promises.

Every commit first takes its tenant's advisory lock, in a transaction at READ COMMITTED. So the sums that a budget is
compared with are those of every charge before it, whichever gateway made it; a draw that another gateway remembered
first is seen and taken; and ids grow in the order of commits, without which :meth:`recall` could miss a row.
A charge is acted on only after COMMIT has returned with `synchronous_commit` on.

A commit may be sent twice, when the connection broke before its answer: a key that is remembered is not charged again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg

from cmif.enclave.memo import Entry, Payer, Row
from cmif.errors import InputError, LedgerError
from cmif.gateway.ledger import Account, Tenant
from cmif.privacy.accounting import NANO, Budget, nano

_SCHEMA = """
CREATE TABLE entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node bytea NOT NULL, key bytea NOT NULL UNIQUE, sealed bytea NOT NULL
);
CREATE INDEX entry_node ON entry (node, id);
CREATE TABLE total (
    tenant text NOT NULL, kind text NOT NULL, name bytea NOT NULL, draws bigint NOT NULL, nano bigint NOT NULL,
    PRIMARY KEY (tenant, kind, name)
);
CREATE TABLE tenant (name text PRIMARY KEY, budget double precision, user_budget double precision);
CREATE TABLE tenant_key (digest text PRIMARY KEY, tenant text NOT NULL);
CREATE TABLE terms (name text PRIMARY KEY, digest bytea NOT NULL);
"""
_REMEMBER = """
INSERT INTO entry (node, key, sealed)
SELECT node, key, sealed
FROM unnest(%s::bytea[], %s::bytea[], %s::bytea[]) WITH ORDINALITY AS given (node, key, sealed, n)
ORDER BY n ON CONFLICT DO NOTHING RETURNING key
"""
_RECALL = """
SELECT entry.node, entry.id, entry.key, entry.sealed
FROM unnest(%s::bytea[], %s::bigint[]) AS asked (node, seen) JOIN entry ON entry.node = asked.node AND id > seen
ORDER BY entry.id
"""
_ADD = """
INSERT INTO total VALUES (%s, %s, %s, %s, %s) ON CONFLICT (tenant, kind, name)
DO UPDATE SET draws = total.draws + excluded.draws, nano = total.nano + excluded.nano
"""
_SPENT = """
SELECT coalesce(sum(nano) FILTER (WHERE kind = 'tenant'), 0)::bigint,
       coalesce(sum(nano) FILTER (WHERE kind = 'user'), 0)::bigint,
       coalesce(sum(nano) FILTER (WHERE kind = 'node'), 0)::bigint
FROM total WHERE tenant = %(tenant)s AND (
    (kind = 'tenant' AND name = '') OR (kind = 'user' AND name = %(user)s) OR (kind = 'node' AND name = ANY(%(path)s))
)
"""
_TENANT = """
INSERT INTO tenant VALUES (%s, %s, %s) ON CONFLICT (name) DO UPDATE SET
budget = coalesce(excluded.budget, tenant.budget), user_budget = coalesce(excluded.user_budget, tenant.user_budget)
"""
_OPENING, _MEMBERS, _PAYING = 0x636D6966_00000001, 0x636D6966_00000002, 0x636D6966
"""Advisory locks: of a gateway that opens the state; shared by all that use it; of a tenant (with its hash)."""
_SETTINGS: dict[str, Any] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "target_session_attrs": "read-write",
}

_Db = psycopg.Connection[tuple[Any, ...]]
_T = TypeVar("_T")


class PostgresStore:
    """:class:`cmif.gateway.ledger.Ledger` in a database. Safe to share between threads, processes and machines."""

    def __init__(
        self, url: str, budget: Budget | None = None, terms: Mapping[str, bytes] | None = None
    ) -> None:
        """``terms`` "key" and "policy" are digests of what every gateway on one state must have in common, the key for
        ever, the policy while another gateway is there. None: nothing that charges (`cmif ledger`).

        Raises :class:`InputError` if ``url`` is no database that can hold a ledger, or the terms are other ones.
        """
        self.budget = budget or Budget()
        self._terms = terms or {}
        self._writes, self._reads = _Link(url, self._join), _Link(url, _durable)
        try:
            self._writes.run(lambda db: None)
        except LedgerError as error:
            self.close()
            raise InputError(error.message, hint=error.hint) from None

    def recall(self, nodes: Mapping[bytes, int]) -> Mapping[bytes, Sequence[Row]]:
        """See :meth:`cmif.enclave.memo.Store.recall`."""
        rows: dict[bytes, list[Row]] = {node: [] for node in nodes}
        for node, *row in self._reads.rows(_RECALL, [*nodes], [*nodes.values()]):
            rows[node].append(Row(*row))
        return rows

    def commit(self, payer: Payer, entries: Mapping[bytes, Entry]) -> Mapping[bytes, bytes]:
        """See :meth:`cmif.enclave.memo.Store.commit`."""
        return self._writes.run(lambda db: self._commit(db, payer, entries))

    def _commit(self, db: _Db, payer: Payer, entries: Mapping[bytes, Entry]) -> dict[bytes, bytes]:
        given = list(entries.values())
        with db.transaction():
            if not any(entry.epsilon > 0 for entry in given):
                db.execute(
                    "SET LOCAL synchronous_commit = off"
                )  # lost with the server, it is another surrogate
            db.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_PAYING, payer.tenant))
            columns = [e.node for e in given], [*entries], [e.sealed for e in given]
            ours = {key for (key,) in db.execute(_REMEMBER, columns)}
            settled = {key: entry.sealed for key, entry in entries.items()}
            taken = [key for key in entries if key not in ours]
            if taken:
                settled |= dict(db.execute("SELECT key, sealed FROM entry WHERE key = ANY(%s)", (taken,)))
            spent: dict[bytes, tuple[int, int]] = {}
            for key, entry in entries.items():
                if key in ours and entry.epsilon > 0:
                    draws, sum_ = spent.get(entry.node, (0, 0))
                    spent[entry.node] = (draws + 1, sum_ + nano(entry.epsilon))
            if spent:
                self._charge(db, payer, spent)
        return settled

    def _charge(self, db: _Db, payer: Payer, spent: Mapping[bytes, tuple[int, int]]) -> None:
        draws, sum_ = (sum(column) for column in zip(*spent.values(), strict=True))
        user = payer.user.encode()
        asked = {"tenant": payer.tenant, "user": user, "path": [*payer.path]}
        of_tenant, of_user, of_conversation = _one(db, _SPENT, asked)
        limits = db.execute(
            "SELECT budget, user_budget FROM tenant WHERE name = %s", (payer.tenant,)
        ).fetchone()
        budget = Tenant(payer.tenant, (), *limits).limits(self.budget) if limits else self.budget
        budget.admit(sum_, tenant_spent=of_tenant, user_spent=of_user, conversation_spent=of_conversation)
        added = [("tenant", b"", draws, sum_), *((("user", user, draws, sum_),) if user else ())]
        added += [("node", node, *one) for node, one in spent.items()]
        for row in added:
            db.execute(_ADD, (payer.tenant, *row))

    def accounts(self, kind: str) -> list[Account]:
        """See :meth:`cmif.gateway.ledger.Ledger.accounts`."""
        query = "SELECT tenant, kind, name, draws, nano FROM total WHERE kind = %s ORDER BY nano DESC"
        rows = self._reads.rows(query, kind)
        return [Account(t, k, n.decode() if k == "user" else n.hex(), d, s / NANO) for t, k, n, d, s in rows]

    def tenants(self) -> list[Tenant]:
        """See :meth:`cmif.gateway.ledger.Ledger.tenants`."""
        rows = self._reads.rows("SELECT name, budget, user_budget FROM tenant ORDER BY name")
        keys = self._reads.rows("SELECT tenant, digest FROM tenant_key ORDER BY digest")
        return [Tenant(name, tuple(d for t, d in keys if t == name), *limits) for name, *limits in rows]

    def tenant_of(self, digest: str) -> str | None:
        """See :meth:`cmif.gateway.ledger.Ledger.tenant_of`."""
        rows = self._reads.rows("SELECT tenant FROM tenant_key WHERE digest = %s", digest)
        return rows[0][0] if rows else None

    def add_key(self, tenant: Tenant) -> None:
        """See :meth:`cmif.gateway.ledger.Ledger.add_key`."""

        def work(db: _Db) -> None:
            with db.transaction():
                db.execute(_TENANT, (tenant.name, tenant.budget, tenant.user_budget))
                for digest in tenant.keys:
                    db.execute("INSERT INTO tenant_key VALUES (%s, %s)", (digest, tenant.name))

        self._writes.run(work)

    def revoke(self, name: str, key: str) -> int:
        """See :meth:`cmif.gateway.ledger.Ledger.revoke`."""
        gone = "DELETE FROM tenant_key WHERE tenant = %s AND starts_with(digest, %s)"
        return self._writes.run(lambda db: db.execute(gone, (name, key)).rowcount)

    def close(self) -> None:
        self._writes.close()
        self._reads.close()

    def _join(self, db: _Db) -> None:
        """Make the tables if there are none, and be one of the gateways that use them while ``db`` is open."""
        _durable(db)
        with db.transaction():
            db.execute("SELECT pg_advisory_xact_lock(%s)", (_OPENING,))
            if _one(db, "SELECT to_regclass('terms') IS NULL")[0]:
                db.execute(_SCHEMA)
            if not self._terms:
                return
            alone = _one(db, "SELECT pg_try_advisory_lock(%s)", (_MEMBERS,))[0]
            if alone:
                db.execute("SELECT pg_advisory_unlock(%s)", (_MEMBERS,))
                db.execute("DELETE FROM terms WHERE name = 'policy'")
            db.execute("SELECT pg_advisory_lock_shared(%s)", (_MEMBERS,))
            for name, digest in self._terms.items():
                db.execute("INSERT INTO terms VALUES (%s, %s) ON CONFLICT DO NOTHING", (name, digest))
                if _one(db, "SELECT digest FROM terms WHERE name = %s", (name,))[0] != digest:
                    raise LedgerError(f"The gateways on this state have another {name}.", hint=_OTHERS[name])


_OTHERS = {
    "key": "Give all of them the same --enclave-key file.",
    "policy": "Give all of them the same --policy; to change it, stop all of them first.",
}


def _durable(db: _Db) -> None:
    """Refuse a server that forgets what it confirmed, and undo defaults that confirm too early or wait too long."""
    db.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    db.execute("SET statement_timeout = '10s'")
    if _one(db, "SHOW fsync")[0] != "on":
        raise LedgerError("The PostgreSQL server runs with fsync off: it could lose charges.")
    if _one(db, "SHOW synchronous_commit")[0] == "off":
        db.execute("SET synchronous_commit = on")


def _one(db: _Db, query: Any, values: Any = None) -> tuple[Any, ...]:
    row = db.execute(query, values).fetchone()
    assert row is not None
    return row


class _Link:
    """One connection behind a lock, opened when it is needed and again when it was lost."""

    def __init__(self, url: str, begin: Callable[[_Db], None]) -> None:
        self._url = url
        self._begin = begin
        self._lock = threading.Lock()
        self._db: _Db | None = None

    def run(self, work: Callable[[_Db], _T]) -> _T:
        """``work`` on the connection; once more, on a new one, if it was lost. Raises :class:`LedgerError`, whose
        message names PostgreSQL's code of the error only: its text may hold addresses and rows.
        """
        with self._lock:
            for attempt in range(2):
                opened = self._db is not None
                try:
                    if self._db is None:
                        self._db = self._open()
                    return work(self._db)
                except psycopg.Error as error:
                    lost = self._db is not None and self._db.closed
                    if lost:
                        self._db = None
                    if attempt or not (lost and opened):
                        name = error.sqlstate or type(error).__name__
                        raise LedgerError(
                            f"The ledger cannot be used (PostgreSQL {name}).",
                            hint="Nothing was sent. Check the database of --state.",
                        ) from None
        raise AssertionError("the second attempt returns or raises")

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.run(lambda db: db.execute(query, values).fetchall())

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _open(self) -> _Db:
        db = psycopg.connect(self._url, autocommit=True, **_SETTINGS)
        try:
            self._begin(db)
        except BaseException:
            db.close()
            raise
        return db
