"""The page of `cmif gateway --ui` over HTTP: who may open it, what it tells, where it is not. Its script is tried in a
browser by `make test-clients`.
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cmif.errors import InputError
from tests.conformance.scripts import obedient
from tests.hostile.conftest import wide_split
from tests.hostile.engine import ScriptedEngine, scripted
from tests.servers import gateway, lane

__all__ = ["wide_split"]
TEXT = "Eleanor Whitfield has a severe cough. Paris was fine."


def ask(url: str, body: Any = None, **headers: str) -> tuple[int, Any, str]:
    data = None if body is None else json.dumps(body).encode()
    sent = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, sent)) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


@pytest.fixture(scope="module")
def served(wide_split: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], ScriptedEngine]]:
    state = tmp_path_factory.mktemp("gateway")
    with scripted(wide_split, obedient) as (url, engine):
        with gateway(wide_split, url, state, "--ui", "0") as told:
            yield told, engine


@pytest.fixture(scope="module")
def page(served: tuple[dict[str, Any], ScriptedEngine]) -> tuple[str, str]:
    """The page's address and its key."""
    url, _, token = served[0]["ui"].partition("/#")
    assert ask(f"{url}/open", {"token": token[:-1]})[0] == 401
    status, _, told = ask(f"{url}/open", {"token": token})
    assert status == 200
    assert ask(f"{url}/open", {"token": token})[0] == 401, "a token works once"
    return url, json.loads(told)["key"]


def test_the_page_loads_nothing_from_elsewhere_and_runs_no_inline_script(page: tuple[str, str]) -> None:
    status, headers, html = ask(f"{page[0]}/")
    assert status == 200
    assert "only embeddings of the sanitised text" in html
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "<style" not in html
    assert html.count("<script") == html.count('<script src="/page.js"') == 1
    for file in ("page.js", "page.css"):
        status, headers, text = ask(f"{page[0]}/{file}")
        assert status == 200
        assert "://" not in text
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("path", "body"), [("look", {"text": "x"}), ("chat", {"messages": [{"role": "user", "content": "x"}]})])
def test_nothing_is_answered_without_the_page_s_key(page: tuple[str, str], served: Any, path: str, body: Any) -> None:
    before = len(served[1].seen)
    for headers in ({}, {"x_cmif_page": page[1][:-1]}):
        status, locked, _ = ask(f"{page[0]}/{path}", body, **headers)
        assert status == 401
        assert "content-security-policy" in locked
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}, {"content_type": "text/plain"}):
        assert ask(f"{page[0]}/{path}", body, x_cmif_page=page[1], **headers)[0] in (400, 403)
    assert len(served[1].seen) == before


def test_each_port_answers_its_own_routes_only(page: tuple[str, str], served: Any) -> None:
    assert ask(f"{page[0]}/v1/models")[0] == 404
    assert ask(f"{page[0]}/metrics")[0] == 404
    for path in ("/", "/page.js"):
        assert ask(f"{served[0]['url']}{path}")[0] == 404
    assert ask(f"{served[0]['url']}/look", {"text": "x"}, x_cmif_page=page[1])[0] == 404


def test_policies_side_by_side_send_and_charge_nothing(page: tuple[str, str], served: Any) -> None:
    before = len(served[1].seen)
    status, _, told = ask(f"{page[0]}/look", {"text": TEXT}, x_cmif_page=page[1])
    assert status == 200
    looked = {one["policy"]: one for one in json.loads(told)}
    assert list(looked) == ["off", "entities", "sensitive", "content", "all"]
    assert looked["off"]["epsilon"] == looked["entities"]["epsilon"] == 0
    assert looked["all"]["epsilon"] >= looked["sensitive"]["epsilon"]
    for policy, one in looked.items():
        assert "".join(piece["text"] for piece in one["pieces"]) == TEXT
        sent = "".join(piece["sent"] for piece in one["pieces"])
        assert ("Whitfield" in sent) == (policy == "off")
    assert len(served[1].seen) == before
    for body in ({}, {"text": ""}, {"text": 5}, {"text": "x" * 20_001}, []):
        assert ask(f"{page[0]}/look", body, x_cmif_page=page[1])[0] == 400


def test_a_turn_shows_what_is_sent_what_is_written_and_what_is_read(page: tuple[str, str], served: Any) -> None:
    talk = [{"role": "user", "content": TEXT}]
    status, _, told = ask(f"{page[0]}/chat", {"messages": talk}, x_cmif_page=page[1])
    assert status == 200
    first, *deltas, last = map(json.loads, told.splitlines())
    [segment] = first["sent"]
    assert "".join(piece["text"] for piece in segment["pieces"]) == TEXT
    sent = "".join(piece["sent"] for piece in segment["pieces"])
    assert sent in served[1].seen[-1].prompt
    assert "Whitfield" not in sent
    assert first["spent"] == first["epsilon"]
    assert len(deltas) > 1
    assert "".join(delta["wrote"] for delta in deltas) == f"You said: {sent}"
    read = "".join(delta["read"] for delta in deltas)
    assert "Eleanor Whitfield" in read
    assert (last["finish"], last["withheld"]) == ("stop", 0)
    talk += [{"role": "assistant", "content": read}, {"role": "user", "content": "Go on."}]
    again = ask(f"{page[0]}/chat", {"messages": talk}, x_cmif_page=page[1])[2]
    second = json.loads(again.splitlines()[0])
    assert [one["role"] for one in second["sent"]] == ["user", "assistant", "user"]
    assert {piece["reason"] for piece in second["sent"][1]["pieces"]} == {"the engine's own words"}
    assert second["epsilon"] == 0
    assert ask(f"{page[0]}/chat", {"messages": []}, x_cmif_page=page[1])[0] == 400


def test_the_page_is_for_a_gateway_on_one_s_own_machine(tmp_path: Path) -> None:
    from cmif.cli.gateway import gateway as start

    with pytest.raises(InputError, match="--ui is for"):
        start(engine="http://127.0.0.1:1", ui=0, sealed=tmp_path, state=str(tmp_path))


def test_before_a_text_api_the_page_says_so_and_shows_the_same(wide_split: Path, tmp_path: Path) -> None:
    with scripted(wide_split, obedient) as (url, _), lane("text", wide_split, url, tmp_path, "--ui", "0") as told:
        at, _, token = told["ui"].partition("/#")
        assert "lane text-api" in ask(f"{at}/")[2]
        key = json.loads(ask(f"{at}/open", {"token": token})[2])["key"]
        lines = ask(f"{at}/chat", {"messages": [{"role": "user", "content": TEXT}]}, x_cmif_page=key)[2].splitlines()
        [segment] = json.loads(lines[0])["sent"]
        sent = "".join(piece["sent"] for piece in segment["pieces"])
        assert "".join(json.loads(line).get("wrote", "") for line in lines[1:]) == f"You said: {sent}"
        assert "Whitfield" in "".join(json.loads(line).get("read", "") for line in lines[1:])


def test_with_tenants_a_turn_needs_an_api_key_and_is_charged_to_its_tenant(wide_split: Path, tmp_path: Path) -> None:
    tenants, policy = tmp_path / "tenants.toml", tmp_path / "policy.toml"
    tenants.write_text(f'[tenants]\nclinic = "{hashlib.sha256(b"sesame").hexdigest()}"\n')
    policy.write_text('level = "content"\ntenant_budget = 9.0\n')
    options = ("--tenants", str(tenants), "--policy", str(policy), "--ui", "0")
    with scripted(wide_split, obedient) as (url, engine), gateway(wide_split, url, tmp_path, *options) as told:
        at, _, token = told["ui"].partition("/#")
        key = json.loads(ask(f"{at}/open", {"token": token})[2])["key"]
        html = ask(f"{at}/")[2]
        assert 'id="key" type="password"' in html
        assert "of 9.0" in html
        body = {"messages": [{"role": "user", "content": "A severe cough."}]}
        assert ask(f"{at}/chat", body, x_cmif_page=key)[0] == 401
        assert ask(f"{at}/chat", body, x_cmif_page=key, authorization="Bearer wrong")[0] == 401
        assert engine.seen == []
        status, _, lines = ask(f"{at}/chat", body, x_cmif_page=key, authorization="Bearer sesame")
        first = json.loads(lines.splitlines()[0])
        assert status == 200
        assert first["spent"] == pytest.approx(first["epsilon"])
        assert first["epsilon"] > 0
