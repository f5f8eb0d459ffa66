"""Several gateways on one state: a database that they share, or a directory that only one may have."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cmif.enclave.words import is_stopword
from cmif.gateway.bundles import open_bundle
from cmif.gateway.state import look_at
from cmif.types import WordClass
from tests.postgres import Postgres, postgres
from tests.servers import gateway

_BUDGET = 12.0


def ask(url: str, text: str, key: str = "none") -> tuple[int, dict[str, str], Any]:
    body = json.dumps({"messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 2})
    headers = {"content-type": "application/json", "x-cmif-explain": "1", "authorization": f"Bearer {key}"}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{url}/v1/chat/completions", body.encode(), headers), timeout=60
        ) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.loads(error.read())


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def words(tiny_split: Path) -> list[str]:
    table = open_bundle(tiny_split / "client").table
    pairs = zip(table.words, table.classes, strict=True)
    return [w for w, c in pairs if c == WordClass.WORD and len(w) > 5 and not is_stopword(w)]


def test_two_gateways_race_for_one_budget_and_for_every_word(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path, server: Postgres, words: list[str]
) -> None:
    """Both are asked the same at once: each word has one rendering and is paid once, and the sum stays in the budget;
    also when one of them is killed in the middle and another takes its place.
    """
    policy = tmp_path / "policy.toml"
    policy.write_text(f'level = "content"\ntenant_budget = {_BUDGET}\n')
    state = server.fresh("race")
    asked = [f"{a} {b}" for a, b in zip(words[0:40:2], words[1:40:2], strict=True)]
    options = ("--policy", str(policy), "--enclave-key", str(tmp_path / "enclave.key"))
    saw: dict[str, set[str]] = {text: set() for text in asked}
    statuses: list[int] = []
    charged: list[float] = []
    with ExitStack() as stack, ThreadPoolExecutor(2) as both:

        def start() -> dict[str, Any]:
            return stack.enter_context(gateway(tiny_split, tiny_engine["url"], state, *options))

        gateways = [start(), start()]
        for i, text in enumerate(asked):
            if i == 3:
                os.kill(gateways[0]["pid"], signal.SIGKILL)
                gateways[0] = start()
            answers = list(both.map(lambda one, text=text: ask(one["url"], text), gateways))  # type: ignore[misc]
            statuses += [status for status, _, _ in answers]
            charged += [float(headers["x-cmif-epsilon"]) for status, headers, _ in answers if status == 200]
            saw[text] |= {body["cmif"]["engine_saw"] for status, _, body in answers if status == 200}
        again = ask(gateways[1]["url"], asked[0])
    assert again[0] == 200
    assert again[1]["x-cmif-epsilon"] == "0"
    assert {again[2]["cmif"]["engine_saw"]} == saw[asked[0]]
    assert set(statuses) == {200, 403}
    assert all(len(seen) <= 1 for seen in saw.values())
    ledger = look_at(state)
    (account,) = ledger.accounts("tenant")
    nodes = sum(node.draws for node in ledger.accounts("node"))
    ledger.close()
    assert 8 < account.epsilon <= _BUDGET
    assert account.epsilon == account.draws == nodes == sum(charged)  # a word that both drew is paid by one


def _refused(split: Path, state: str, *more: str) -> str:
    done = subprocess.run(
        [
            sys.executable, "-m", "cmif", "gateway", "--bundle", str(split / "client"), "--port", "0",
            "--engine", "http://127.0.0.1:1", "--state", state, *more,
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("cmif: ")]
    assert "Traceback" not in done.stderr
    return line


def test_a_second_gateway_on_one_directory_is_refused_until_the_first_is_gone(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path
) -> None:
    with gateway(tiny_split, tiny_engine["url"], tmp_path, "--policy", "off") as told:
        assert "Another gateway uses this state directory" in _refused(tiny_split, str(tmp_path))
        os.kill(told["pid"], signal.SIGKILL)
    with gateway(tiny_split, tiny_engine["url"], tmp_path, "--policy", "off") as told:
        assert ask(told["url"], "The")[0] == 200


def test_a_gateway_with_another_policy_or_key_is_refused(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path, server: Postgres
) -> None:
    state = server.fresh("apart")
    ours = ("--policy", "content", "--enclave-key", str(tmp_path / "a.key"))
    with gateway(tiny_split, tiny_engine["url"], state, *ours):
        assert "another policy" in _refused(tiny_split, state, *ours, "--policy", "off")
        assert "another key" in _refused(tiny_split, state, *ours, "--enclave-key", str(tmp_path / "b.key"))


def test_a_database_that_is_away_refuses_requests_and_readiness_and_comes_back(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path
) -> None:
    with postgres() as own:
        state = own.fresh("away")
        options = ("--policy", "content", "--enclave-key", str(tmp_path / "enclave.key"))
        with gateway(tiny_split, tiny_engine["url"], state, *options) as told:
            assert ask(told["url"], "severe")[0] == 200
            own.crash()
            status, _, body = ask(told["url"], "severe pain")
            assert (status, body["error"]["code"]) == (503, "ledger_unavailable")
            with pytest.raises(urllib.error.HTTPError, match="503"):
                urllib.request.urlopen(f"{told['url']}/readyz")
            with urllib.request.urlopen(f"{told['url']}/metrics") as answer:
                told_of = answer.read().decode()
            assert 'cmif_errors_total{code="ledger_unavailable"} 1.0' in told_of
            assert 'cmif_errors_total{code="not_ready"} 0.0' in told_of
            own.start()
            status, headers, _ = ask(told["url"], "severe")
            assert (status, headers["x-cmif-epsilon"]) == (200, "0")


def _cmif(*arguments: str) -> str:
    command = [sys.executable, "-m", "cmif", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_a_revoked_key_is_401_at_once_in_every_gateway(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path, server: Postgres
) -> None:
    state = server.fresh("keys")
    ward, bank = (
        _cmif("tenants", "add", name, "--budget", "2", "--state", state) for name in ("ward", "bank")
    )
    options = ("--policy", "content", "--enclave-key", str(tmp_path / "enclave.key"), "--tenants", "state")
    with (
        gateway(tiny_split, tiny_engine["url"], state, *options) as one,
        gateway(tiny_split, tiny_engine["url"], state, *options) as two,
    ):
        for told in (one, two):
            assert [ask(told["url"], "severe", key)[0] for key in (ward, bank, "none")] == [200, 200, 401]
        with urllib.request.urlopen(
            f"{two['url']}/metrics"
        ) as answer:  # what the first one spent is known here too
            assert 'cmif_epsilon_budget_left{tenant="ward"} 1.0' in answer.read().decode()
        _cmif("tenants", "revoke", "ward", "--state", state)
        for told in (one, two):
            assert [ask(told["url"], "severe", key)[0] for key in (ward, bank)] == [401, 200]
