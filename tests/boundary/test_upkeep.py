"""Backup, restore, upgrades and keys: the commands of docs/operating.md as printed, and what they do to what counts."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import pytest
from typer.testing import CliRunner

from cmif.cli.main import app
from cmif.gateway.selfsigned import self_signed
from cmif.gateway.state import look_at
from tests.faults.test_replicas import ask
from tests.postgres import Postgres, binaries, postgres
from tests.servers import engine, gateway
from tests.tiny import make_model

DOCUMENT = (Path(__file__).parents[2] / "docs/operating.md").read_text("utf-8")
SEVERE, MORE = "severe", "severe pancreatitis"
"""A word that costs epsilon 1 under the tiny table and `content`, as each of those named here does; and it with another."""


def commands(heading: str) -> list[str]:
    section = re.search(rf"^## {heading}\n(.*?)(?=^## )", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert section is not None
    return re.findall(r"^\$ (.*)$", section[1], re.MULTILINE)


BACKUP, UPGRADE, KEYS = (commands(heading) for heading in ("Backup and restore", "Upgrades", "Keys"))


def run(line: str, **names: Path | str) -> str:
    """A line of the document, in a shell that knows these names; what it printed."""
    programs = [str(Path(sys.executable).parent)]
    if line.startswith(("pg_", "psql")):
        programs.append(str(binaries()))
    environment = {**os.environ, "PATH": os.pathsep.join([*programs, os.environ["PATH"]])}
    known = {name: str(value) for name, value in names.items()}
    done = subprocess.run(
        ["bash", "-euc", line], env=environment | known, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout.strip()


def split(model: Path, new: Path) -> None:
    """The upgrade's command, in this process, whose lexicon is small."""
    (line,) = UPGRADE
    name, *arguments = shlex.split(Template(line).substitute(MODEL=model, NEW=new))
    assert name == "cmif"
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output


def sha(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def spent(state: Path | str, kind: str = "tenant") -> list[float]:
    ledger = look_at(str(state))
    try:
        return [account.epsilon for account in ledger.accounts(kind)]
    finally:
        ledger.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


def test_a_restored_directory_is_the_old_ledger_and_what_is_left_must_be_said(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path
) -> None:
    vacuum, key_away, made, copied, revoked, added = (one for one in BACKUP if not one.startswith("pg_"))
    state, backup, keys, restored = (tmp_path / name for name in ("state", "backup", "keys", "restored"))
    backup.mkdir()
    keys.mkdir()
    ward = run(added, BUDGET="3", RESTORED=state)  # the same command makes the tenant
    options = ("--policy", "content", "--tenants", "state")
    with gateway(tiny_split, tiny_engine["url"], state, *options) as told:
        first = ask(told["url"], SEVERE, ward)
        assert (first[0], first[1]["x-cmif-epsilon"]) == (200, "1")
        run(vacuum, STATE=state, BACKUP=backup)
        run(key_away, STATE=state, KEYS=keys)
        assert ask(told["url"], "pancreatitis", ward)[1]["x-cmif-epsilon"] == "1"
        revealed = run(revoked, RESTORED=state)
        assert revealed == "1 revoked"
    (really,) = spent(state)
    run(made, RESTORED=restored)
    run(copied, BACKUP=backup, KEYS=keys, RESTORED=restored)
    assert restored.stat().st_mode & 0o777 == 0o700
    with gateway(tiny_split, tiny_engine["url"], restored, *options) as told:
        again = ask(told["url"], SEVERE, ward)  # a key that was revoked since works again
        assert (again[0], again[1]["x-cmif-epsilon"]) == (200, "0")
        assert again[2]["cmif"]["engine_saw"] == first[2]["cmif"]["engine_saw"]
        assert spent(restored) == [1.0] < [really]  # and the epsilon is back
        run(revoked, RESTORED=restored)
        lost = really - 1.0
        new = run(added, BUDGET=f"{3 - lost:g}", RESTORED=restored)
        assert ask(told["url"], SEVERE, ward)[0] == 401
        assert [ask(told["url"], text, new)[0] for text in (SEVERE, "cancer", "symptoms")] == [200, 200, 403]
        assert sum(spent(restored)) + lost == 3.0  # in truth: all of the tenant's budget, and no more
        zero = run(added, BUDGET="0", RESTORED=restored)
        assert ask(told["url"], "symptoms", zero)[0] == 403


def test_a_dumped_database_is_restored_with_its_draws_and_asks_for_the_same_key(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path, server: Postgres
) -> None:
    dump, restore = (one for one in BACKUP if one.startswith("pg_"))
    state, restored = server.fresh("before"), server.fresh("after")
    options = ("--policy", "content", "--enclave-key", str(tmp_path / "enclave.key"))
    with gateway(tiny_split, tiny_engine["url"], state, *options) as told:
        first = ask(told["url"], SEVERE)
        run(dump, BACKUP=tmp_path, DATABASE=state)
        run(restore, BACKUP=tmp_path, RESTORED=restored)
    with gateway(tiny_split, tiny_engine["url"], restored, *options) as told:
        again = ask(told["url"], SEVERE)
        assert (again[1]["x-cmif-epsilon"], again[2]["cmif"]["engine_saw"]) == ("0", first[2]["cmif"]["engine_saw"])
        assert ask(told["url"], MORE)[0] == 200  # new rows go after the restored ones
    other = tmp_path / "other.key"
    done = subprocess.run(
        [
            sys.executable, "-m", "cmif", "gateway", "--bundle", str(tiny_split / "client"), "--port", "0", "--engine",
            "http://127.0.0.1:1", "--policy", "content", "--state", restored, "--enclave-key", str(other),
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, "another key" in done.stderr) == (2, True)


def test_after_an_upgrade_draws_stay_and_what_is_new_is_paid_by_the_new_table(
    tiny_model: Path, tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path
) -> None:
    state, new = tmp_path / "state", tmp_path / "new"
    split(tiny_model, new)
    with gateway(tiny_split, tiny_engine["url"], state, "--policy", "content") as told:
        first = ask(told["url"], SEVERE)
        assert first[1]["x-cmif-eps-in"] == "1"
    with gateway(new, tiny_engine["url"], state, "--policy", "content") as told:
        again = ask(told["url"], SEVERE)
        assert (again[1]["x-cmif-epsilon"], again[2]["cmif"]["engine_saw"]) == ("0", first[2]["cmif"]["engine_saw"])
        assert again[1]["x-cmif-eps-in"] == "0.5"
        assert ask(told["url"], "pancreatitis")[1]["x-cmif-epsilon"] == "0.5"
    assert spent(state) == [1.5]


@pytest.mark.slow
def test_another_model_needs_its_own_engine_and_keeps_the_draws(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path
) -> None:
    state, new = tmp_path / "state", tmp_path / "new"
    split(make_model(tmp_path / "other", "qwen2"), new)
    with gateway(tiny_split, tiny_engine["url"], state, "--policy", "content") as told:
        first = ask(told["url"], SEVERE)
    with gateway(new, tiny_engine["url"], state, "--policy", "content") as told:
        status, _, body = ask(told["url"], SEVERE)
        assert (status, body["error"]["code"]) == (502, "engine")
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{told['url']}/readyz")
    with engine(new) as served, gateway(new, served["url"], state, "--policy", "content") as told:
        again = ask(told["url"], SEVERE)
        assert (again[0], again[1]["x-cmif-epsilon"]) == (200, "0")
        assert again[2]["cmif"]["engine_saw"] == first[2]["cmif"]["engine_saw"]


def test_a_tenant_s_key_is_rotated_while_the_gateway_serves(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path
) -> None:
    add, shown, revoke = KEYS[:3]
    old = run(add, STATE=tmp_path)
    with gateway(tiny_split, tiny_engine["url"], tmp_path, "--policy", "off", "--tenants", "state") as told:
        new = run(add, STATE=tmp_path)
        assert [ask(told["url"], "The", key)[0] for key in (old, new)] == [200, 200]
        assert sha(old)[:12] in json.dumps(run(shown, STATE=tmp_path))
        run(revoke, STATE=tmp_path, OLD=sha(old)[:12])
        assert [ask(told["url"], "The", key)[0] for key in (old, new)] == [401, 200]


def test_a_new_memo_key_forgets_draws_and_keeps_tenants_accounts(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path, server: Postgres
) -> None:
    removed, term = (one for one in KEYS if one.startswith(("rm ", "psql ")))
    key, database = tmp_path / "enclave.key", server.fresh("rotated")
    for state, options in ((str(tmp_path), ()), (database, ("--enclave-key", str(key)))):
        for round_ in (1, 2):
            with gateway(tiny_split, tiny_engine["url"], state, "--policy", "content", *options) as told:
                assert ask(told["url"], SEVERE)[1]["x-cmif-epsilon"] == "1"
                assert ask(told["url"], SEVERE)[1]["x-cmif-epsilon"] == "0"
            assert spent(state) == [float(round_)]
            assert spent(state, "node") == [1.0] * round_
            run(removed, STATE=tmp_path)
            if options:
                run(term, DATABASE=database)


def test_a_replaced_certificate_counts_from_the_next_start(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path
) -> None:
    pem, key = tmp_path / "gateway.pem", tmp_path / "gateway.key"

    def replace() -> str:
        made, secret = self_signed(("127.0.0.1",))
        pem.write_bytes(made)
        key.write_bytes(secret)
        return made.decode().strip()

    def served(url: str) -> str:
        port = int(url.rpartition(":")[2])
        return ssl.get_server_certificate(("127.0.0.1", port)).strip()

    options = ("--policy", "off", "--tls-certificate", str(pem), "--tls-key", str(key))
    old = replace()
    with gateway(tiny_split, tiny_engine["url"], tmp_path / "state", *options) as told:
        new = replace()
        assert served(told["url"]) == old
    with gateway(tiny_split, tiny_engine["url"], tmp_path / "state", *options) as told:
        assert served(told["url"]) == new
