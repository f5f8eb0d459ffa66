"""`--upstream text`: what leaves is sanitised text and nothing else, and what comes back is as bounded as from an engine.

The hostile turns run through this lane as well (`test_turns.py`).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from starlette.responses import RedirectResponse, Response

from cmif.errors import CmifError
from tests.hostile.text_api import says, stream, text_api
from tests.servers import gateway, text_gateway

NAME = "Eleanor Whitfield"
TOOL = {
    "type": "function",
    "function": {
        "name": "find_patient",
        "description": f"Finds patients such as {NAME}.",
        "parameters": {"type": "object", "properties": {"who": {"type": "string"}}},
    },
}


def name_in(body: dict[str, Any]) -> str:
    """The surrogate, as any API can read it."""
    found = re.search(r"Patient: (\S+ \S+) was", json.dumps(body, ensure_ascii=False))
    assert found is not None
    return found.group(1)


def chat(url: str, **more: Any) -> httpx.Response:
    messages = [{"role": "user", "content": f"Patient: {NAME} was seen."}]
    body = {"messages": messages, "max_tokens": 50, **more}
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60)


def test_only_sanitised_text_leaves_and_every_answer_says_that_text_does(wide_split: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-of-the-gateway\n")
    with (
        text_api(lambda body: says(f"Dear {name_in(body)}, hello.")) as (url, api),
        text_gateway(wide_split, url, "theirs", tmp_path, "--policy", "entities", "--upstream-key", str(key)) as told,
    ):
        assert told["upstream"] == "text"
        history = [
            {"role": "developer", "content": f"The user is {NAME}."},
            {"role": "user", "content": f"Patient: {NAME} was seen.", "name": "Whitfield", "mood": "Whitfield"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "find_patient", "arguments": json.dumps({"who": NAME})}}]},
            {"role": "tool", "tool_call_id": "c1", "content": f"{NAME}, ward 4"},
        ]  # fmt: skip
        answer = chat(
            told["url"], messages=history, tools=[TOOL], user="Whitfield", stop=["Whitfield!"], metadata={"conversation_id": "Whitfield"},
            seed=7, temperature=0.5,
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        assert answer.json()["choices"][0]["message"]["content"] == f"Dear {NAME}, hello."
        assert answer.headers["x-cmif-lane"] == "text-api"
        assert httpx.get(f"{told['url']}/v1/models").json()["data"][0]["lane"] == "text-api"
        assert httpx.get(f"{told['url']}/readyz").json()["lane"] == "text-api"
        sent = api.bodies[0]
        assert "whitfield" not in json.dumps(sent).casefold()
        assert "eleanor" not in json.dumps(sent).casefold()
        assert {*sent} == {"model", "stream", "max_tokens", "temperature", "top_p", "seed", "messages", "tools", "tool_choice"}
        assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "tool"]
        assert {*sent["messages"][1]} == {"role", "content", "name"}
        assert json.loads(sent["messages"][2]["tool_calls"][0]["function"]["arguments"])["who"] == name_in(sent)
        assert api.headers[0]["authorization"] == "Bearer sk-of-the-gateway"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_calls_that_an_api_makes_in_pieces_are_restored_whole(wide_split: Path, tmp_path: Path, streamed: bool) -> None:
    def script(body: dict[str, Any]) -> Response:
        arguments = json.dumps({"who": name_in(body)}, ensure_ascii=False)
        parts = [{"index": 0, "id": "x", "function": {"name": "find_patient", "arguments": ""}}]
        parts += [{"index": 0, "function": {"arguments": arguments[i : i + 5]}} for i in range(0, len(arguments), 5)]
        parts += [{"index": 1, "id": "y", "function": {"name": "never_offered", "arguments": "{}"}}]
        chunks = [{"index": 0, "delta": {"tool_calls": [part]}} for part in parts]
        return stream(*chunks, {"index": 0, "delta": {}, "finish_reason": "tool_calls"})

    with text_api(script) as (url, api), text_gateway(wide_split, url, "theirs", tmp_path, "--policy", "entities") as told:
        choice = {"type": "function", "function": {"name": "find_patient"}}
        answer = chat(told["url"], tools=[TOOL], tool_choice=choice, stream=streamed)
        assert api.bodies[0]["tool_choice"] == choice
        if streamed:
            events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
            choices = [event["choices"][0] for event in events if event["choices"]]
            calls = [call for one in choices for call in one["delta"].get("tool_calls") or ()]
            finish = choices[-1]["finish_reason"]
        else:
            calls = answer.json()["choices"][0]["message"]["tool_calls"]
            finish = answer.json()["choices"][0]["finish_reason"]
        assert [call["function"]["name"] for call in calls] == ["find_patient"]
        assert json.loads(calls[0]["function"]["arguments"]) == {"who": NAME}
        assert finish == "tool_calls"


SECRET = "what-the-api-said"
REFUSED = {
    "cut off": (says("half", None), 502, "cut off"),
    "no stream at all": (Response(SECRET), 502, "cut off"),
    "not JSON": (Response(f"data: {SECRET}\n\n"), 502, "not a stream"),
    "not a chunk": (stream({"index": 0, "delta": {"content": [SECRET]}}), 502, "not a stream"),
    "its own error": (Response('data: {"error": {"message": "what-the-api-said"}}\n\n'), 502, "error of its own"),
    "compressed": (Response("x", headers={"content-encoding": "gzip"}), 502, "compressed"),
    "a redirect": (RedirectResponse("/v1/models"), 502, "status 307"),
    "a wrong key": (Response(SECRET, 401), 502, "--upstream-key"),
    "too busy": (Response(SECRET, 429, headers={"retry-after": "9"}), 429, "no more requests"),
    "down": (Response(SECRET, 503), 502, "does not answer"),
    "a line without an end": (Response("data: " + "x" * (2 << 20)), 502, "not a stream"),
}


def test_what_is_no_answer_is_an_error_that_quotes_nothing(wide_split: Path, tmp_path: Path) -> None:
    now: list[Response] = []
    with text_api(lambda _: now[0]) as (url, _), text_gateway(wide_split, url, "theirs", tmp_path, "--policy", "entities") as told:
        for name, (response, status, words) in REFUSED.items():
            now[:] = [response]
            answer = chat(told["url"])
            assert (answer.status_code, name) == (status, name)
            assert words in answer.text, name
            assert SECRET not in answer.text
        now[:] = [says("x" * 5000)]
        endless = chat(told["url"], max_tokens=3).json()["choices"][0]
        assert (endless["finish_reason"], len(endless["message"]["content"])) == ("length", 96)
        assert chat(told["url"], logprobs=True).status_code == 400


def test_the_other_routes_reach_a_text_api_too(wide_split: Path, tmp_path: Path) -> None:
    def script(body: dict[str, Any]) -> Response:
        text = f"About {name_in(body)}."
        if "prompt" in body:
            return stream({"index": 0, "text": text, "finish_reason": "stop"})
        return says(text)

    with text_api(script) as (url, api), text_gateway(wide_split, url, "theirs", tmp_path, "--policy", "entities") as told:
        prompt = f"Patient: {NAME} was seen."
        done = httpx.post(f"{told['url']}/v1/completions", json={"prompt": prompt, "max_tokens": 20}, timeout=60)
        assert done.json()["choices"][0]["text"] == f"About {NAME}."
        assert NAME not in api.bodies[0]["prompt"]
        messages = [{"role": "user", "content": prompt}]
        anthropic = {"model": told["model"], "messages": messages, "max_tokens": 20}
        done = httpx.post(f"{told['url']}/v1/messages", json=anthropic, timeout=60)
        assert done.json()["content"][0]["text"] == f"About {NAME}."
        done = httpx.post(f"{told['url']}/v1/responses", json={"input": prompt, "store": False}, timeout=60)
        assert done.json()["output"][0]["content"][0]["text"] == f"About {NAME}."


def test_an_api_without_the_model_is_not_ready(wide_split: Path, tmp_path: Path) -> None:
    with text_api(lambda _: says("x")) as (url, _), text_gateway(wide_split, url, "another", tmp_path) as told:
        ready = httpx.get(f"{told['url']}/readyz")
        assert ready.status_code == 503
        assert "--upstream-model" in ready.text


@pytest.mark.parametrize(
    "more", [("--upstream", "text"), ("--upstream-model", "theirs"), ("--upstream-key", __file__)], ids=lambda words: words[-2:][0]
)  # fmt: skip
def test_options_of_one_lane_without_the_other_half_are_refused(wide_split: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    with pytest.raises(CmifError), gateway(wide_split, "http://127.0.0.1:1", tmp_path, *more):
        pass
