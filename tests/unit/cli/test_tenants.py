from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cmif.cli.main import app
from cmif.errors import InputError
from cmif.gateway.store import SqliteStore
from cmif.gateway.tenants import LedgerTenants


def cmif(*arguments: str) -> str:
    return (
        CliRunner().invoke(app, ["tenants", *arguments], catch_exceptions=False, standalone_mode=False).stdout
    )


def listed(state: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(cmif("list", "--json", "--state", state))
    return rows


async def test_a_key_is_shown_once_works_and_is_revoked(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    first, second = (
        cmif("add", "ward", *budget, "--state", state).strip() for budget in (("--budget", "3"), ())
    )
    store = SqliteStore(tmp_path / "state" / "ledger.sqlite")
    tenants = LedgerTenants(store)
    assert {await tenants.identify(f"Bearer {key}") for key in (first, second)} == {"ward"}
    (row,) = listed(state)
    assert (row["budget"], row["user_budget"], row["spent"], len(row["keys"])) == (3.0, None, 0.0, 2)
    assert "policy's" in cmif("list", "--state", state)
    cmif("revoke", "ward", "--key", row["keys"][0], "--state", state)
    assert len(listed(state)[0]["keys"]) == 1
    cmif("revoke", "ward", "--state", state)
    assert listed(state)[0]["keys"] == []
    with pytest.raises(InputError):
        cmif("revoke", "ward", "--state", state)
    store.close()
    kept = (tmp_path / "state" / "ledger.sqlite").read_bytes()
    assert not any(key.encode() in kept for key in (first, second))


@pytest.mark.parametrize("name", ["", "a b", 'a"', "-x", "x" * 65, "é"])
def test_a_name_that_could_break_a_label_or_a_log_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        cmif("add", "--state", str(tmp_path), "--", name)
