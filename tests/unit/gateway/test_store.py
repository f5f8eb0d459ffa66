"""The ledger over both of its storages: what is remembered is charged, once, durably, and never beyond a budget."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from cmif.enclave.memo import Entry, Payer
from cmif.enclave.policy import Cover, PrivacyPolicy
from cmif.errors import BudgetExhaustedError, InputError, LedgerError
from cmif.gateway.ledger import Ledger, Tenant, budgets_left
from cmif.gateway.state import terms
from cmif.gateway.store import SqliteStore
from cmif.privacy.accounting import Budget
from tests.postgres import Postgres, postgres

Open = Callable[..., Ledger]
PAYER = Payer("t", "", (b"c",))


def draw(sealed: bytes, epsilon: float, node: bytes = b"c") -> Entry:
    return Entry(node, sealed, epsilon)


def remembered(store: Ledger, node: bytes = b"c") -> dict[bytes, bytes]:
    return {row.key: row.sealed for row in store.recall({node: 0}).get(node, ())}


def spent(store: Ledger, kind: str = "tenant") -> float:
    return sum(account.epsilon for account in store.accounts(kind))


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


_NUMBER = count()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger may be: a file's path or a database's URL."""
    if request.param == "sqlite":
        return str(tmp_path / "l.sqlite")
    running: Postgres = request.getfixturevalue("server")
    return running.fresh(f"ledger{next(_NUMBER)}")


@pytest.fixture
def ledger(place: str) -> Iterator[Open]:
    """Opens this test's ledger; each call is another connection to the same one, as another process would have."""
    opened: list[Ledger] = []

    def open_one(budget: Budget | None = None) -> Ledger:
        opened.append(open_ledger(place, budget))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def open_ledger(place: str, budget: Budget | None = None) -> Ledger:
    if place.startswith("postgresql:"):
        from cmif.gateway.postgres import PostgresStore

        return PostgresStore(place, budget)
    return SqliteStore(place, budget)


def test_draws_are_remembered_and_charged_together(ledger: Open) -> None:
    store = ledger()
    draws = {b"u1": draw(b"s1", 1.0), b"u2": draw(b"s2", 0.5)}
    assert store.commit(PAYER, draws) == {b"u1": b"s1", b"u2": b"s2"}
    store.close()
    again = ledger()
    assert remembered(again) == {b"u1": b"s1", b"u2": b"s2"}
    assert remembered(again, b"other") == {}
    assert spent(again) == 1.5


def test_the_first_draw_counts_and_is_paid_once(ledger: Open) -> None:
    store = ledger()
    store.commit(PAYER, {b"u": draw(b"first", 1.0)})
    assert store.commit(PAYER, {b"u": draw(b"second", 1.0), b"v": draw(b"new", 1.0)}) == {
        b"u": b"first",
        b"v": b"new",
    }
    assert spent(store) == 2.0


@pytest.mark.parametrize("budget", ["tenant", "conversation"])
def test_an_exhausted_budget_refuses_and_remembers_nothing(ledger: Open, budget: str) -> None:
    store = ledger(Budget(**{budget: 2.0}))
    store.commit(PAYER, {b"u": draw(b"s", 1.5)})
    with pytest.raises(BudgetExhaustedError):
        store.commit(PAYER, {b"v": draw(b"s", 1.0)})
    assert remembered(store) == {b"u": b"s"}
    assert spent(store) == 1.5
    store.commit(PAYER, {b"w": draw(b"s", 0.0)})  # surrogates cost nothing and still pass


def test_ten_tenths_fit_a_budget_of_one(ledger: Open) -> None:
    store = ledger(Budget(tenant=1.0))
    for i in range(10):
        store.commit(PAYER, {bytes([i]): draw(b"s", 0.1)})
    with pytest.raises(BudgetExhaustedError):
        store.commit(PAYER, {b"x": draw(b"s", 0.1)})


def test_budgets_hold_under_concurrent_requests(ledger: Open) -> None:
    """Two connections, as two processes would have; 40 charges of 1 against a budget of 25."""
    stores = [ledger(Budget(tenant=25.0)) for _ in range(2)]
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
from tests.unit.gateway.test_store import open_ledger
payer = Payer("t", "", (b"c",))
store = open_ledger(sys.argv[1])
for i in range(100000):
    store.commit(payer, {i.to_bytes(4, "big"): Entry(b"c", b"s", 1.0)})
    sys.stdout.write(f"{i}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("after", [1, 7, 40])
def test_kill_9_never_loses_a_charge_that_was_acted_on(place: str, after: int) -> None:
    """A line on standard output stands for "sent": every printed draw must be on disk, draws and charges equal."""
    process = subprocess.Popen([sys.executable, "-c", _VICTIM, place], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(after)]
    os.kill(process.pid, signal.SIGKILL)
    printed += process.stdout.readlines()
    process.wait()
    acted_on = [int(line) for line in printed if line.endswith("\n")]
    store = open_ledger(place)
    kept, charged = remembered(store), spent(store)
    store.close()
    assert {i.to_bytes(4, "big") for i in acted_on} <= kept.keys()
    assert charged == len(kept)


def test_a_charge_is_synced_to_the_disk_before_it_is_acted_on(tmp_path: Path) -> None:
    """No killed process can show this; only a power cut, or the statements themselves."""
    store = SqliteStore(tmp_path / "l.sqlite")
    said: list[str] = []
    store._db.set_trace_callback(said.append)
    store.commit(PAYER, {b"u": draw(b"s", 1.0)})
    assert said.index("PRAGMA synchronous=FULL") < said.index("BEGIN IMMEDIATE") < said.index("COMMIT")
    assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_the_budgets_of_tenant_user_and_conversation_are_apart(ledger: Open) -> None:
    store = ledger(Budget(tenant=10.0, user=3.0, conversation=2.0))
    anna, otto = Payer("t", "anna", (b"a1", b"a2")), Payer("t", "otto", (b"o",))
    store.commit(anna, {b"1": draw(b"s", 1.0, b"a1"), b"2": draw(b"s", 1.0, b"a2")})
    with pytest.raises(BudgetExhaustedError, match="conversation"):  # its two steps together
        store.commit(anna, {b"3": draw(b"s", 0.5, b"a2")})
    with pytest.raises(BudgetExhaustedError, match="end user"):
        store.commit(Payer("t", "anna", (b"b",)), {b"3": draw(b"s", 1.5, b"b")})
    store.commit(otto, {b"4": draw(b"s", 2.0, b"o")})
    assert {account.name: account.epsilon for account in store.accounts("user")} == {"anna": 2.0, "otto": 2.0}
    assert spent(store) == 4.0


def test_only_rows_that_came_later_are_recalled(ledger: Open) -> None:
    store = ledger()
    store.commit(PAYER, {b"u": draw(b"s", 0.0)})
    seen = store.recall({b"c": 0})[b"c"][-1].id
    store.commit(PAYER, {b"v": draw(b"s", 0.0)})
    assert [row.key for row in store.recall({b"c": seen})[b"c"]] == [b"v"]


def test_a_ledger_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.sqlite")
    store._db.execute("PRAGMA query_only=ON")
    with pytest.raises(LedgerError, match="SQLITE_READONLY"):
        store.commit(PAYER, {b"u": draw(b"s", 1.0)})


def test_a_full_disk_refuses_charges_and_loses_none(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "l.sqlite")
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={pages + 8}")  # SQLite's own way to meet SQLITE_FULL
    acted_on: list[int] = []

    def fill() -> None:
        for i in range(1000):
            store.commit(PAYER, {i.to_bytes(2, "big"): draw(bytes(512), 1.0)})
            acted_on.append(i)

    with pytest.raises(LedgerError, match="SQLITE_FULL"):
        fill()
    assert len(remembered(store)) == spent(store) == len(acted_on) > 0
    store._db.execute("PRAGMA max_page_count=100000")
    store.commit(PAYER, {b"more": draw(bytes(512), 1.0)})
    assert spent(store) == len(acted_on) + 1


def test_a_ledger_that_cannot_be_opened_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "l.sqlite").write_bytes(b"this is no database, and long enough to be looked at" * 40)
    with pytest.raises(InputError):
        SqliteStore(tmp_path / "l.sqlite")


def test_a_race_for_one_draw_has_one_winner_and_one_charge(ledger: Open) -> None:
    """Four connections draw the same eight words at once: all of them are told the same values, each paid once."""
    stores = [ledger(Budget(tenant=8.0)) for _ in range(4)]
    told: list[dict[bytes, bytes]] = []
    together = threading.Barrier(4)

    def draw_all(worker: int) -> None:
        together.wait()
        words = sorted(range(8), reverse=worker % 2 == 1)
        told.append(
            dict(stores[worker].commit(PAYER, {bytes([w]): draw(bytes([worker, w]), 1.0) for w in words}))
        )

    threads = [threading.Thread(target=draw_all, args=(w,)) for w in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 4
    assert all(one == told[0] for one in told)
    assert spent(stores[0]) == 8.0


def test_a_key_names_its_tenant_until_it_is_revoked_everywhere(ledger: Open) -> None:
    one, other = ledger(), ledger()
    one.add_key(Tenant("ward", ("aa11",), budget=3.0))
    one.add_key(Tenant("ward", ("aa22",)))
    assert (other.tenant_of("aa11"), other.tenant_of("aa22"), other.tenant_of("aa")) == ("ward", "ward", None)
    assert other.tenants() == [Tenant("ward", ("aa11", "aa22"), 3.0)]
    assert other.revoke("ward", "aa11") == 1
    assert (one.tenant_of("aa11"), one.tenant_of("aa22")) == (None, "ward")
    assert other.revoke("bank", "") == 0
    assert one.revoke("ward", "") == 1
    assert other.tenant_of("aa22") is None


def test_a_tenant_s_own_budgets_stand_in_place_of_the_policy_s(ledger: Open) -> None:
    store = ledger(Budget(tenant=1.0))
    store.add_key(Tenant("t", ("aa",), budget=3.0, user_budget=2.0))
    store.commit(Payer("t", "anna", (b"c",)), {b"1": draw(b"s", 2.0)})
    with pytest.raises(BudgetExhaustedError, match="end user"):
        store.commit(Payer("t", "anna", (b"c",)), {b"2": draw(b"s", 0.5)})
    store.commit(Payer("t", "otto", (b"c",)), {b"2": draw(b"s", 0.5)})
    with pytest.raises(BudgetExhaustedError, match="tenant"):
        store.commit(Payer("u", "", (b"c",)), {b"3": draw(b"s", 1.5)})
    store.commit(Payer("u", "", (b"c",)), {b"3": draw(b"s", 1.0)})
    assert budgets_left(store) == {"t": 0.5, "u": 0.0}


def test_charges_that_were_acted_on_outlive_a_server_that_crashes() -> None:
    """Even where the server's own default would confirm before it writes; and the next commit finds it again."""
    with postgres("synchronous_commit=off", "wal_writer_delay=10s") as server:
        place = server.fresh("crash")
        store = open_ledger(place)
        for round_ in range(3):
            for i in range(20):
                store.commit(PAYER, {bytes([round_, i]): draw(b"s", 1.0)})
            server.crash()
            with pytest.raises(LedgerError, match="PostgreSQL"):
                store.commit(PAYER, {b"down": draw(b"s", 1.0)})
            server.start()
            assert len(remembered(store)) == spent(store) == 20 * (round_ + 1)
        store.close()


def test_a_database_that_could_forget_is_refused() -> None:
    with postgres("fsync=off") as server, pytest.raises(InputError, match="fsync"):
        open_ledger(server.url)


def test_a_connection_that_was_cut_is_made_again_without_a_failed_request(server: Postgres) -> None:
    import psycopg

    store = open_ledger(server.fresh("cut"))
    store.commit(PAYER, {b"u": draw(b"s", 1.0)})
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'cut'")
    assert store.commit(PAYER, {b"v": draw(b"s", 1.0)}) == {b"v": b"s"}
    assert spent(store) == 2.0
    store.close()


def test_gateways_on_one_database_have_one_policy_and_one_key(server: Postgres) -> None:
    from cmif.gateway.postgres import PostgresStore

    place = server.fresh("terms")
    content, sensitive = PrivacyPolicy.named("content"), PrivacyPolicy.named("sensitive")
    first, second = (PostgresStore(place, None, terms(content, b"k" * 32)) for _ in range(2))
    first.close()
    with pytest.raises(InputError, match="another policy"):  # the second is still there
        PostgresStore(place, None, terms(sensitive, b"k" * 32))
    second.close()
    for _ in range(100):  # the server notices a moment later that a gateway has gone
        with suppress(InputError):
            PostgresStore(place, None, terms(sensitive, b"k" * 32)).close()
            break
        time.sleep(0.1)
    else:
        pytest.fail("the policy of gateways that have gone still counts")
    with pytest.raises(InputError, match="another key"):  # what is remembered could not be read with it
        PostgresStore(place, None, terms(sensitive, b"K" * 32))


def test_a_database_that_cannot_be_opened_is_an_input_error_without_its_address(server: Postgres) -> None:
    for place in (
        "postgresql://otto:hunter2@127.0.0.1:1/x",
        server.url + "none",
        "postgresql://[",
        "postgresql://a/?b=c",
    ):
        with pytest.raises(InputError) as refused:
            open_ledger(place)
        assert not any(part in str(refused.value) for part in ("hunter2", "127.0.0.1", "otto"))


def test_what_gateways_on_one_database_agree_on_includes_how_requests_are_covered() -> None:
    said = [terms(PrivacyPolicy(cover=cover), b"k" * 32)["policy"] for cover in (None, Cover(), Cover(k=8))]
    assert len(set(said)) == 3
