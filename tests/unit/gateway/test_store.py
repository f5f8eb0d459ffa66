from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cmif.enclave.memo import Entry, Payer
from cmif.errors import BudgetExhaustedError, InputError, LedgerError
from cmif.gateway.store import SqliteStore
from cmif.privacy.accounting import Budget

PAYER = Payer("t", "", (b"c",))


def draw(sealed: bytes, epsilon: float, node: bytes = b"c") -> Entry:
    return Entry(node, sealed, epsilon)


def remembered(store: SqliteStore, node: bytes = b"c") -> dict[bytes, bytes]:
    return {row.key: row.sealed for row in store.recall({node: 0}).get(node, ())}


def spent(store: SqliteStore, kind: str = "tenant") -> float:
    return sum(account.epsilon for account in store.accounts(kind))


def test_draws_are_remembered_and_charged_together(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.sqlite")
    draws = {b"u1": draw(b"s1", 1.0), b"u2": draw(b"s2", 0.5)}
    assert store.commit(PAYER, draws) == {b"u1": b"s1", b"u2": b"s2"}
    store.close()
    again = SqliteStore(tmp_path / "l.sqlite")
    assert remembered(again) == {b"u1": b"s1", b"u2": b"s2"}
    assert remembered(again, b"other") == {}
    assert spent(again) == 1.5


def test_the_first_draw_counts_and_is_paid_once(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.sqlite")
    store.commit(PAYER, {b"u": draw(b"first", 1.0)})
    assert store.commit(PAYER, {b"u": draw(b"second", 1.0), b"v": draw(b"new", 1.0)}) == {
        b"u": b"first",
        b"v": b"new",
    }
    assert spent(store) == 2.0


@pytest.mark.parametrize("budget", ["tenant", "conversation"])
def test_an_exhausted_budget_refuses_and_remembers_nothing(tmp_path: Path, budget: str) -> None:
    store = SqliteStore(tmp_path / "l.sqlite", Budget(**{budget: 2.0}))
    store.commit(PAYER, {b"u": draw(b"s", 1.5)})
    with pytest.raises(BudgetExhaustedError):
        store.commit(PAYER, {b"v": draw(b"s", 1.0)})
    assert remembered(store) == {b"u": b"s"}
    assert spent(store) == 1.5
    store.commit(PAYER, {b"w": draw(b"s", 0.0)})  # surrogates cost nothing and still pass


def test_ten_tenths_fit_a_budget_of_one(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.sqlite", Budget(tenant=1.0))
    for i in range(10):
        store.commit(PAYER, {bytes([i]): draw(b"s", 0.1)})
    with pytest.raises(BudgetExhaustedError):
        store.commit(PAYER, {b"x": draw(b"s", 0.1)})


def test_budgets_hold_under_concurrent_requests(tmp_path: Path) -> None:
    """Two connections, as two processes would have; 40 charges of 1 against a budget of 25."""
    stores = [SqliteStore(tmp_path / "l.sqlite", Budget(tenant=25.0)) for _ in range(2)]
    refused: list[int] = []

    def spend(worker: int) -> None:
        for i in range(20):
            try:
                stores[worker].commit(PAYER, {bytes([worker, i]): draw(b"s", 1.0)})
            except BudgetExhaustedError:
                refused.append(i)

    threads = [threading.Thread(target=spend, args=(w,)) for w in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 15
    assert spent(stores[0]) == 25.0
    assert len(remembered(stores[0])) == 25


_VICTIM = """
import sys
from cmif.enclave.memo import Entry, Payer
from cmif.gateway.store import SqliteStore
payer = Payer("t", "", (b"c",))
store = SqliteStore(sys.argv[1])
for i in range(100000):
    store.commit(payer, {i.to_bytes(4, "big"): Entry(b"c", b"s", 1.0)})
    sys.stdout.write(f"{i}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("after", [1, 7, 40])
def test_kill_9_never_loses_a_charge_that_was_acted_on(tmp_path: Path, after: int) -> None:
    """A line on standard output stands for "sent": every printed draw must be on disk, draws and charges equal."""
    path = tmp_path / "l.sqlite"
    process = subprocess.Popen([sys.executable, "-c", _VICTIM, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(after)]
    os.kill(process.pid, signal.SIGKILL)
    printed += process.stdout.readlines()
    process.wait()
    acted_on = [int(line) for line in printed if line.endswith("\n")]
    store = SqliteStore(path)
    kept = remembered(store)
    assert {i.to_bytes(4, "big") for i in acted_on} <= kept.keys()
    assert spent(store) == len(kept)


def test_a_charge_is_synced_to_the_disk_before_it_is_acted_on(tmp_path: Path) -> None:
    """No killed process can show this; only a power cut, or the statements themselves."""
    store = SqliteStore(tmp_path / "l.sqlite")
    said: list[str] = []
    store._db.set_trace_callback(said.append)
    store.commit(PAYER, {b"u": draw(b"s", 1.0)})
    assert said.index("PRAGMA synchronous=FULL") < said.index("BEGIN IMMEDIATE") < said.index("COMMIT")
    assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_the_budgets_of_tenant_user_and_conversation_are_apart(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.sqlite", Budget(tenant=10.0, user=3.0, conversation=2.0))
    anna, otto = Payer("t", "anna", (b"a1", b"a2")), Payer("t", "otto", (b"o",))
    store.commit(anna, {b"1": draw(b"s", 1.0, b"a1"), b"2": draw(b"s", 1.0, b"a2")})
    with pytest.raises(BudgetExhaustedError, match="conversation"):  # its two steps together
        store.commit(anna, {b"3": draw(b"s", 0.5, b"a2")})
    with pytest.raises(BudgetExhaustedError, match="end user"):
        store.commit(Payer("t", "anna", (b"b",)), {b"3": draw(b"s", 1.5, b"b")})
    store.commit(otto, {b"4": draw(b"s", 2.0, b"o")})
    assert {account.name: account.epsilon for account in store.accounts("user")} == {"anna": 2.0, "otto": 2.0}
    assert spent(store) == 4.0


def test_only_rows_that_came_later_are_recalled(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.sqlite")
    store.commit(PAYER, {b"u": draw(b"s", 0.0)})
    seen = store.recall({b"c": 0})[b"c"][-1].id
    store.commit(PAYER, {b"v": draw(b"s", 0.0)})
    assert [row.key for row in store.recall({b"c": seen})[b"c"]] == [b"v"]


def test_a_ledger_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.sqlite")
    store._db.execute("PRAGMA query_only=ON")
    with pytest.raises(LedgerError, match="SQLITE_READONLY"):
        store.commit(PAYER, {b"u": draw(b"s", 1.0)})


def test_a_ledger_that_cannot_be_opened_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "l.sqlite").write_bytes(b"this is no database, and long enough to be looked at" * 40)
    with pytest.raises(InputError):
        SqliteStore(tmp_path / "l.sqlite")
