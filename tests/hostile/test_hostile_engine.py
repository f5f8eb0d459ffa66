"""What an engine may send and what becomes of it: an error in the API's form, while everybody else is answered."""

from __future__ import annotations

import gzip
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from cmif.gateway.bundles import open_bundle
from tests.hostile.raw_engine import HEAD, RawEngine, Script, endless, events, ids, refusal
from tests.servers import gateway

MEMORY = 512 << 20
DONE = b'{"done":"stop","prompt_tokens":1,"completion_tokens":1}'
GZIP = "content-encoding: gzip"
BOMB = gzip.compress(bytes(64 << 20))
ERROR = b'{"error":{"code":"%s","message":"m"}}'

MALFORMED: dict[str, bytes] = {
    "no events": HEAD,
    "cut after a token": events(ids(7)),
    "not a data line": HEAD + b"hello\n\n",
    "a list": events(b"[]"),
    "a number": events(b"5"),
    "null": events(b"null"),
    "not JSON": events(b"{"),
    "deep JSON": events(b"[" * 100_000),
    "negative id": events(ids(-1), DONE),
    "huge id": events(ids(1 << 40), DONE),
    "id beyond the vocabulary": events(ids(1 << 30), DONE),
    "boolean id": events(ids(True), DONE),
    "text id": events(ids("7"), DONE),
    "float id": events(ids(7.5), DONE),
    "ids are a number": events(b'{"ids":5}', DONE),
    "NaN logprob": events(b'{"ids":[7],"logprobs":[{"logprob":NaN,"top":[]}]}', DONE),
    "infinite logprob": events(b'{"ids":[7],"logprobs":[{"logprob":1e999,"top":[]}]}', DONE),
    "logprob of 400 digits": events(b'{"ids":[7],"logprobs":[{"logprob":1' + b"0" * 400 + b',"top":[]}]}'),
    "fewer logprobs than ids": events(b'{"ids":[7,7],"logprobs":[{"logprob":-1,"top":[]}]}', DONE),
    "top ids beyond the vocabulary": events(
        b'{"ids":[7],"logprobs":[{"logprob":-1,"top":[[99999999,-1]]}]}', DONE
    ),
    "unknown done": events(b'{"done":"because","prompt_tokens":1,"completion_tokens":1}'),
    "done without counts": events(b'{"done":"stop"}'),
    "an event of 2 MB": events(b'{"ids":[' + b"7," * (1 << 20) + b"7]}"),
    "an error": events(ERROR % b"engine"),
    "an error with an escape sequence": events(rb'{"error":{"code":"\u001b[31mred","message":"m"}}'),
    "an error without a message": events(b'{"error":{"code":"x"}}'),
    "CRLF": HEAD + b'data: {"ids":[7]}\r\n\r\n',
    # Honest but for that: whoever unpacked it would find nothing wrong.
    "compressed events": HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n")
    + gzip.compress(events(*[ids(7)] * 5, DONE).removeprefix(HEAD)),
    "a broken compression": refusal(200, b"\x1f\x8b" + b"x" * 50, GZIP),
    "a compression bomb": refusal(200, BOMB, GZIP),
    "a compression bomb in a refusal": refusal(400, BOMB, GZIP),
    "a refusal with a code of 1 MB": refusal(400, ERROR % (b"a" * (1 << 20))),
    "a refusal with a list": refusal(400, b"[1]"),
    "a refusal whose error is text": refusal(400, b'{"error":"x"}'),
    "a refusal that is not JSON": refusal(500, b"<html>"),
    "another model": refusal(409, ERROR % b"unknown_rows"),
    "busy until a superscript": refusal(429, b"{}", "retry-after: ²"),
    "busy for ever": refusal(429, b"{}", "retry-after: " + "9" * 5000),
    "no HTTP": b"\x16\x03\x01nonsense\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    "status 999": refusal(999, b""),
    "no content": b"HTTP/1.1 204 X\r\nconnection: close\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
    "endless headers": b"HTTP/1.1 200 X\r\n" + b"x: y\r\n" * 20_000,
    **{
        f"redirect {status}": refusal(status, b"", f"location: {to}")
        for status, to in (
            (301, "/elsewhere"), (302, "/elsewhere"), (303, "/elsewhere"),
            (307, "/elsewhere"), (308, "/elsewhere"), (307, "file:///etc/passwd"),
        )
    },
}  # fmt: skip

ENDLESS: dict[str, Script] = {
    "tokens": endless(HEAD, b'data: {"ids":[7]}\n\n' * 500),
    "characters that never end": endless(HEAD, b"data: " + ids(*[200] * 4000) + b"\n\n"),
    "logprobs": endless(
        HEAD,
        b'data: {"ids":[7],"logprobs":[{"logprob":-1,"top":'
        + json.dumps([[7, -1]] * 200).encode()
        + b"}]}\n\n",
    ),
    "comments": endless(HEAD, b": still here\n\n" * 500),
    "empty events": endless(HEAD, b'data: {"ids":[]}\n\n' * 500),
    "one event": endless(HEAD + b'data: {"ids":[', b"7," * 5000),
    "a refusal": endless(b"HTTP/1.1 400 X\r\n\r\n", b"x" * 65536),
    "a body after the end": endless(HEAD + b"data: " + DONE + b"\n\n", b"x" * 65536),
}


@pytest.fixture(scope="module")
def served(
    tiny_split: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, RawEngine, psutil.Process]]:
    manifest = open_bundle(tiny_split / "client").manifest
    with RawEngine(manifest.model, manifest.hidden, manifest.context) as raw:
        with gateway(tiny_split, raw.url, tmp_path_factory.mktemp("state"), "--policy", "off") as told:
            yield told["url"], raw, psutil.Process(told["pid"])


def ask(url: str, max_tokens: int, **fields: Any) -> tuple[int, Any]:
    body = json.dumps({"prompt": "The", "max_tokens": max_tokens, **fields}).encode()
    request = urllib.request.Request(
        f"{url}/v1/completions",
        body,
        {"content-type": "application/json", "x-cmif-conversation": str(time.monotonic_ns())},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            data = answer.read()
            return answer.status, data.decode() if fields.get("stream") else json.loads(data)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def honest(url: str) -> bool:
    status, body = ask(url, 3)
    return bool(status == 200 and body["usage"]["completion_tokens"] == 3)


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("stream", [False, True])
def test_a_malformed_answer_is_an_error_in_the_api_s_form(
    served: tuple[str, RawEngine, psutil.Process], name: str, stream: bool
) -> None:
    url, raw, process = served
    raw.scripts = {5: MALFORMED[name]}
    status, body = ask(url, 5, stream=stream)
    if status == 200:  # a stream that broke after its first event
        assert stream
        assert '"error":{' in body
        body = json.loads(body.split("\n\n")[-3].removeprefix("data: "))
    else:
        assert status in (429, 502)
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert len(body["error"]["message"]) < 300
    assert body["error"]["message"].isprintable()
    assert "/elsewhere" not in raw.paths
    assert honest(url)
    assert process.memory_info().rss < MEMORY


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("logprobs", [None, 1])
def test_an_endless_answer_ends_and_others_are_answered_meanwhile(
    served: tuple[str, RawEngine, psutil.Process], name: str, logprobs: int | None
) -> None:
    url, raw, process = served
    raw.scripts = {200: ENDLESS[name]}
    with ThreadPoolExecutor(4) as pool:
        attacks = [pool.submit(ask, url, 200, stream=i % 2 == 0, logprobs=logprobs) for i in range(4)]
        assert all(honest(url) for _ in range(5))
        for attack in attacks:
            status, body = attack.result(timeout=60)
            if status == 200 and isinstance(body, dict):
                assert body["usage"]["completion_tokens"] <= 200
            elif status == 200:
                assert len(body) < 1 << 18
            else:
                assert (status, set(body["error"])) == (502, {"message", "type", "param", "code"})
    assert process.memory_info().rss < MEMORY


def test_logprobs_that_nobody_asked_for_are_dropped_and_more_than_asked_are_cut(
    served: tuple[str, RawEngine, psutil.Process],
) -> None:
    url, raw, _ = served
    top = b"[[7,-1],[8,-2],[9,-3]]"
    raw.scripts = {5: events(b'{"ids":[7],"logprobs":[{"logprob":-1,"top":' + top + b"}]}", DONE)}
    assert ask(url, 5)[1]["choices"][0]["logprobs"] is None
    assert len(ask(url, 5, logprobs=2)[1]["choices"][0]["logprobs"]["top_logprobs"][0]) == 2


def test_tokens_beyond_those_asked_for_are_cut(served: tuple[str, RawEngine, psutil.Process]) -> None:
    url, raw, _ = served
    raw.scripts = {5: events(ids(*[7] * 50), DONE)}
    status, body = ask(url, 5)
    assert (status, body["usage"]["completion_tokens"], body["choices"][0]["finish_reason"]) == (
        200,
        5,
        "length",
    )


@pytest.mark.parametrize("told", [b"[1]", b"{}", b"x", b'{"model":5}', b"[" * 100_000, b" " * (1 << 20)])
def test_an_engine_that_describes_itself_in_nonsense_is_a_reason_not_to_be_ready(
    served: tuple[str, RawEngine, psutil.Process], told: bytes
) -> None:
    url, raw, process = served
    before, raw.description = raw.description, refusal(200, told)
    try:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/readyz", timeout=30)
        assert refused.value.code == 503
        assert json.loads(refused.value.read())["reasons"]
    finally:
        raw.description = before
    assert process.memory_info().rss < MEMORY


def test_an_engine_of_another_split_is_named_as_such_in_the_refusal(
    served: tuple[str, RawEngine, psutil.Process],
) -> None:
    url, raw, _ = served
    before, raw.description = raw.description, refusal(200, b'{"model":"another"}')
    raw.scripts = {5: refusal(400, ERROR % b"rows_refused")}
    try:
        status, body = ask(url, 5)
    finally:
        raw.description = before
    assert status == 502
    assert "rows_refused" in body["error"]["message"]
    assert "another model" in body["error"]["message"]
