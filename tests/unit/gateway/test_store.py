from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cmif.enclave.memo import Draw
from cmif.errors import BudgetExhaustedError, InputError
from cmif.gateway.store import SqliteStore
from cmif.privacy.accounting import Budget


def test_draws_are_remembered_and_charged_together(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.sqlite")
    draws = {b"u1": Draw(b"s1", 1.0), b"u2": Draw(b"s2", 0.5)}
    assert store.commit("t", b"c", draws) == {b"u1": b"s1", b"u2": b"s2"}
    store.close()
    again = SqliteStore(tmp_path / "l.sqlite")
    assert again.recall(b"c") == {b"u1": b"s1", b"u2": b"s2"}
    assert again.recall(b"other") == {}
    assert again.account("t").epsilon == 1.5


def test_the_first_draw_counts_and_is_paid_once(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.sqlite")
    store.commit("t", b"c", {b"u": Draw(b"first", 1.0)})
    assert store.commit("t", b"c", {b"u": Draw(b"second", 1.0), b"v": Draw(b"new", 1.0)}) == {
        b"u": b"first",
        b"v": b"new",
    }
    assert store.account("t").epsilon == 2.0


@pytest.mark.parametrize("budget", ["tenant", "conversation"])
def test_an_exhausted_budget_refuses_and_remembers_nothing(tmp_path: Path, budget: str) -> None:
    store = SqliteStore(tmp_path / "l.sqlite", Budget(**{budget: 2.0}))
    store.commit("t", b"c", {b"u": Draw(b"s", 1.5)})
    with pytest.raises(BudgetExhaustedError):
        store.commit("t", b"c", {b"v": Draw(b"s", 1.0)})
    assert store.recall(b"c") == {b"u": b"s"}
    assert store.account("t").epsilon == 1.5
    store.commit("t", b"c", {b"w": Draw(b"s", 0.0)})  # surrogates cost nothing and still pass


def test_ten_tenths_fit_a_budget_of_one(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.sqlite", Budget(tenant=1.0))
    for i in range(10):
        store.commit("t", b"c", {bytes([i]): Draw(b"s", 0.1)})
    with pytest.raises(BudgetExhaustedError):
        store.commit("t", b"c", {b"x": Draw(b"s", 0.1)})


def test_budgets_hold_under_concurrent_requests(tmp_path: Path) -> None:
    """Two connections, as two processes would have; 40 charges of 1 against a budget of 25."""
    stores = [SqliteStore(tmp_path / "l.sqlite", Budget(tenant=25.0)) for _ in range(2)]
    refused: list[int] = []

    def spend(worker: int) -> None:
        for i in range(20):
            try:
                stores[worker].commit("t", b"c", {bytes([worker, i]): Draw(b"s", 1.0)})
            except BudgetExhaustedError:
                refused.append(i)

    threads = [threading.Thread(target=spend, args=(w,)) for w in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 15
    assert stores[0].account("t").epsilon == 25.0
    assert len(stores[0].recall(b"c")) == 25


_VICTIM = """
import sys
from cmif.enclave.memo import Draw
from cmif.gateway.store import SqliteStore
store = SqliteStore(sys.argv[1])
for i in range(100000):
    store.commit("t", b"c", {i.to_bytes(4, "big"): Draw(b"s", 1.0)})
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
    remembered = store.recall(b"c")
    assert {i.to_bytes(4, "big") for i in acted_on} <= remembered.keys()
    assert store.account("t").epsilon == len(remembered)


def test_the_file_holds_no_plain_conversation_text(tmp_path: Path) -> None:
    columns = [
        r[1]
        for t in ("memo", "charge")
        for r in sqlite3.connect(_filled(tmp_path)).execute(f"PRAGMA table_info({t})")
    ]
    assert columns == ["conversation", "unit", "sealed", "id", "tenant", "conversation", "draws", "nano"]


def _filled(tmp_path: Path) -> Path:
    path = tmp_path / "l.sqlite"
    SqliteStore(path).commit("t", b"c", {b"u": Draw(b"s", 1.0)})
    return path


def test_a_ledger_that_cannot_be_opened_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "l.sqlite").write_bytes(b"this is no database, and long enough to be looked at" * 40)
    with pytest.raises(InputError):
        SqliteStore(tmp_path / "l.sqlite")
