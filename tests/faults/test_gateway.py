"""What goes wrong between a client, the gateway and its engine, over real sockets and processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openai
import pytest

from cmif.enclave.words import is_stopword
from cmif.gateway.bundles import open_bundle
from cmif.gateway.ledger import Account
from cmif.gateway.store import SqliteStore
from cmif.types import WordClass
from tests.servers import RecordingProxy, engine, gateway

CHAT = {
    "messages": [{"role": "user", "content": "The patient has severe pancreatitis."}],
    "temperature": 0,
    "max_tokens": 4,
}


def spent_by(ledger: Path) -> list[Account]:
    store = SqliteStore(ledger)
    try:
        return store.accounts("tenant")
    finally:
        store.close()


def post(
    url: str, body: Any, path: str = "/v1/chat/completions", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        url + path, data=data, headers={"content-type": "application/json", **(headers or {})}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.loads(error.read())


def test_an_engine_that_is_down_is_a_502_and_the_retry_is_free(tiny_split: Path, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with gateway(tiny_split, f"http://127.0.0.1:{port}", tmp_path, "--policy", "content") as told:
            status, headers, body = post(told["url"], CHAT)
            assert (status, body["error"]["code"]) == (502, "engine_unavailable")
            assert int(headers["retry-after"]) > 0
            spent = spent_by(tmp_path / "ledger.sqlite")
            assert spent[0].epsilon > 0  # durable although nothing was answered
            assert post(told["url"], CHAT)[0] == 502
            assert spent_by(tmp_path / "ledger.sqlite") == spent
            assert (
                post(told["url"], {**CHAT, "stream": True})[0] == 502
            )  # before the status line, not inside a 200


def test_retries_history_and_restarts_are_free_and_send_the_same_text(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    explain = {"x-cmif-explain": "1"}
    saw: list[str] = []
    for turn in range(2):
        with gateway(tiny_split, tiny_engine["url"], state, "--policy", "content") as told:
            for _ in range(2):
                status, headers, body = post(told["url"], CHAT, headers=explain)
                assert status == 200
                saw.append(body["cmif"]["engine_saw"])
                assert (float(headers["x-cmif-epsilon"]) > 0) == (len(saw) == 1)
            if turn == 0:
                history = [
                    *CHAT["messages"],
                    {"role": "assistant", "content": "The patient has pancreatitis."},
                    {"role": "user", "content": "Is the patient severe?"},
                ]  # type: ignore[misc]
                status, headers, body = post(told["url"], {**CHAT, "messages": history}, headers=explain)
                assert status == 200
                assert headers["x-cmif-epsilon"] == "0"
                assert body["cmif"]["engine_saw"].startswith(saw[0])
    assert len(set(saw)) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"not json", 400, "invalid_input"),
        ([], 400, "invalid_input"),
        (
            {
                **CHAT,
                "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
            },
            400,
            "unsupported_content",
        ),
        ({**CHAT, "max_tokens": 100_000}, 400, "context_length_exceeded"),
        ({**CHAT, "messages": [{"role": "user", "content": "pain " * 3000}]}, 400, "context_length_exceeded"),
        ({**CHAT, "model": "other"}, 404, "model_not_found"),
        (b" " * (9 << 20), 413, "request_too_large"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(
    running: dict[str, Any], body: Any, status: int, code: str
) -> None:
    before = spent_by(running["ledger"])
    got, _, answer = post(running["url"], body)
    assert (got, answer["error"]["code"]) == (status, code)
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert spent_by(running["ledger"]) == before


@pytest.fixture(scope="module")
def running(tiny_split: Path, tiny_engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    state = tmp_path_factory.mktemp("state")
    with gateway(tiny_split, tiny_engine["url"], state, "--policy", "content") as told:
        yield {**told, "ledger": state / "ledger.sqlite"}


def test_a_budget_that_is_spent_refuses_with_403_and_no_retry(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('level = "content"\ntenant_budget = 2.5\n')
    table = open_bundle(tiny_split / "client").table
    known = [
        w
        for w, c in zip(table.words, table.classes, strict=True)
        if c == WordClass.WORD and len(w) > 5 and not is_stopword(w)
    ]
    first, second = " ".join(known[10:12]), " ".join(known[20:22])
    with gateway(tiny_split, tiny_engine["url"], tmp_path, "--policy", str(policy)) as told:
        chat = {**CHAT, "messages": [{"role": "user", "content": first}]}
        assert post(told["url"], chat)[0] == 200
        status, headers, body = post(told["url"], {**CHAT, "messages": [{"role": "user", "content": second}]})
        assert (status, body["error"]["code"], headers["x-should-retry"]) == (
            403,
            "privacy_budget_exhausted",
            "false",
        )
        assert post(told["url"], chat)[0] == 200  # what was paid for stays free
        with pytest.raises(openai.PermissionDeniedError):
            openai.OpenAI(base_url=f"{told['url']}/v1", api_key="x").chat.completions.create(
                model=told["model"], messages=[{"role": "user", "content": second}]
            )


@pytest.mark.slow
def test_an_engine_that_restarts_gets_every_row_again(tiny_split: Path, tmp_path: Path) -> None:
    """The gateway's row dictionary outlives the engine's; the second turn must not depend on what was lost."""
    turns = [CHAT, {**CHAT, "messages": [*CHAT["messages"], {"role": "user", "content": "And now?"}]}]  # type: ignore[misc]
    with ExitStack() as stack:
        with engine(tiny_split) as first:
            told = stack.enter_context(gateway(tiny_split, first["url"], tmp_path, "--policy", "off"))
            alone = [post(told["url"], turn)[2]["choices"] for turn in (turns[1], turns[0])]
        assert post(told["url"], turns[0])[0] == 502
        with engine(tiny_split, "--port", str(first["port"])):
            again = [post(told["url"], turn)[2]["choices"] for turn in (turns[1], turns[0])]
    assert again == alone


def test_an_engine_killed_mid_stream_ends_the_stream_with_an_error(tiny_split: Path, tmp_path: Path) -> None:
    with (
        engine(tiny_split) as served,
        gateway(tiny_split, served["url"], tmp_path, "--policy", "off") as told,
    ):
        client = openai.OpenAI(base_url=f"{told['url']}/v1", api_key="x", max_retries=0)
        stream = client.completions.create(
            model=told["model"], prompt="The", max_tokens=240, stream=True, temperature=0
        )
        next(iter(stream))
        os.kill(served["pid"], signal.SIGKILL)
        with pytest.raises(openai.APIError):
            for _ in stream:
                pass
        with urllib.request.urlopen(f"{told['url']}/metrics") as answer:  # its status was 200, and it failed
            assert 'cmif_errors_total{code="engine' in answer.read().decode()


@pytest.mark.parametrize("stream", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_client_that_goes_away_closes_the_engine_s_stream(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path, stream: bool
) -> None:
    """The proxy sees the gateway hang up; that the engine then stops within one token is the engine's own test."""
    with RecordingProxy(tiny_engine["port"]) as proxy:
        with gateway(tiny_split, proxy.url, tmp_path, "--policy", "off") as told:
            body = json.dumps(
                {"prompt": "The", "max_tokens": 240, "stream": stream, "temperature": 0}
            ).encode()
            with socket.create_connection(("127.0.0.1", told["port"])) as connection:
                head = f"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)
                _wait(lambda: b'"ids"' in proxy.down)
            _wait(lambda: proxy.open == 0)
            assert b'"done"' not in proxy.down


def _wait(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def test_no_user_text_reaches_the_logs(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    marker = "Zyxwvut"
    with gateway(tiny_split, tiny_engine["url"], tmp_path, "--policy", "content") as told:
        chat = {**CHAT, "messages": [{"role": "user", "content": f"{marker} Jones"}]}
        assert post(told["url"], chat)[0] == 200
        post(told["url"], {**chat, "temperature": marker})
        post(told["url"], {**chat, marker: 1, "messages": [{"role": marker, "content": marker}]})
        with urllib.request.urlopen(told["url"] + "/metrics") as answer:
            assert marker not in answer.read().decode()
    out, err = capfd.readouterr()
    assert "req_" in err
    assert marker not in out + err
    for file in tmp_path.rglob("*"):
        assert marker.encode() not in file.read_bytes()
