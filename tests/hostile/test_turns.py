"""A hostile, adaptive engine over several turns: it wraps what it was sent, lists candidates, watches when it is cut.

Real gateway, real wire; the client re-sends its history as clients do. Nothing that was private in turn 1 may reach
the engine in any turn.
"""

from __future__ import annotations

import random
import re
import string
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.hostile.engine import Seen, scripted
from tests.servers import lane

WRAPPERS = (
    "{}", "get_{}_name", "#{}", "@{}", "${}$", "pre-{}-post", "({})", "**{}**", "id={};", "{}'s house", "`{}`", "{}:{}",
    '"{}"', "__{}__", "/{}/", "[{}]",
)  # fmt: skip
# What the user types, how the engine finds the surrogate in what it sees, and what must never reach it.
VALUES = {
    "full name": ("Patient: Eleanor Whitfield was seen today.", r"Patient: (\S+ \S+) was", ("eleanor", "whitfield")),
    "lower-case name": ("my name is xu li, draft a letter", r"my name is (.+), draft", ("xu li",)),
    "marked phrase": ("Note <private>the merger closes on friday</private> end.", r"Note (.+) end", ("merger closes",)),
    "record number": ("Patient with MRN 553291 was seen.", r"MRN (\S+) was", ("553291",)),
    "password": ("My login: password: magpie88Xq. Keep it.", r"password: (\S+?)\.", ("magpie88xq",)),
    "e-mail": ("Mail eleanor.w@nordfell.com about it.", r"Mail (\S+) about", ("eleanor.w", "nordfell")),
    "card": ("Card 4539 1488 0343 6467 was charged.", r"Card (.+) was", ("4539 1488", "45391488")),
    "hospital": ("Seen at Saint Brannock Hospital yesterday.", r"at (.+) yesterday", ("brannock",)),
}  # fmt: skip
KINDS = pytest.mark.parametrize("kind", ["engine", "text"])  # by embeddings, and by text through another API
ROLES = ("assistant", "assistant edited", "user", "tool")
TURNS = 5


def wrapped(surrogate: str) -> str:
    texts = [w.replace("{}", s) for s in (surrogate, surrogate.lower(), surrogate.upper()) for w in WRAPPERS]
    return "\n".join(texts)


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@KINDS
def test_no_wrapper_value_role_or_mode_brings_an_original_out(wide_split: Path, tmp_path: Path, kind: str, stream: bool) -> None:
    """16 wrappers x 8 values x 4 roles x 2 modes = 1,024 combinations, each in three cases, over 5 turns."""
    state: dict[str, str] = {}

    def script(seen: Seen) -> str:
        if (found := re.search(state["pattern"], seen.prompt)) is not None:
            state.setdefault("surrogate", found.group(1))
        return wrapped(state["surrogate"]) + f"\nand turn {seen.number}"

    with scripted(wide_split, script) as (url, engine), lane(kind, wide_split, url, tmp_path, "--policy", "entities") as told:
        client = openai.OpenAI(base_url=f"{told['url']}/v1", api_key="x", max_retries=0, timeout=60)
        for name, (typed, pattern, leaks) in VALUES.items():
            for role in ROLES:
                state.clear()
                state["pattern"] = pattern
                messages: list[Any] = [{"role": "user", "content": f"{role}, {stream}: {typed}"}]
                first = len(engine.seen)
                for turn in range(TURNS):
                    text = ask(client, told["model"], messages, stream)
                    if turn == 0 and name != "marked phrase":
                        assert leaks[0] in text.casefold(), f"{name}: the reader must get the original, or nothing is shown"
                    messages += come_back(text, role)
                for seen in engine.seen[first:]:
                    for leak in leaks:
                        assert leak not in seen.prompt.casefold(), f"{name}, {role}"


def ask(client: openai.OpenAI, model: str, messages: list[Any], stream: bool, **options: Any) -> str:
    if not stream:
        answer = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=4000, **options)
        return answer.choices[0].message.content or ""
    chunks = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=4000, stream=True, **options)
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def come_back(text: str, role: str) -> list[Any]:
    """The answer in the next request, the way a client of this kind sends it."""
    go_on = {"role": "user", "content": "go on"}
    if role == "assistant":
        return [{"role": "assistant", "content": text}, go_on]
    if role == "assistant edited":
        lines = text.strip().splitlines()
        return [{"role": "assistant", "content": "\n".join(["Edited.", *lines[2:-3], "Thanks"])}, go_on]
    if role == "user":
        return [{"role": "assistant", "content": "ok"}, {"role": "user", "content": f"You wrote: {text} Why?"}]
    return [{"role": "assistant", "content": "ok"}, {"role": "tool", "tool_call_id": "c", "content": text}, go_on]


@KINDS
def test_an_answer_is_restored_alike_streamed_and_whole(wide_split: Path, tmp_path: Path, kind: str) -> None:
    def script(seen: Seen) -> str:
        found = re.search(r"Patient: (\S+ \S+) was", seen.prompt)
        return f"Dear {found.group(1) if found else 'nobody'}, hello."

    with scripted(wide_split, script) as (url, _), lane(kind, wide_split, url, tmp_path, "--policy", "entities") as told:
        client = openai.OpenAI(base_url=f"{told['url']}/v1", api_key="x", max_retries=0, timeout=60)
        messages: list[Any] = [{"role": "user", "content": "Patient: Eleanor Whitfield was seen."}]
        for stream in (False, True):
            assert ask(client, told["model"], messages, stream) == "Dear Eleanor Whitfield, hello."


@KINDS
def test_a_list_of_candidates_tells_the_engine_nothing(wide_split: Path, tmp_path: Path, kind: str) -> None:
    """120 names, the original among them. The engine guesses the one that came back changed, else at random."""
    rng = random.Random(7)
    names = ["".join([rng.choice("BCDFGKLMNPRSTV"), *rng.choices("aeiou" + string.ascii_lowercase, k=6)]) for _ in range(120)]
    state: dict[str, Any] = {}

    def script(seen: Seen) -> str:
        if seen.number % 2 == 0:
            state["written"] = ", ".join(rng.sample(names, len(names)))
            return f"Which of these is it? {state['written']}."
        back = next(content for role, content in reversed(seen.messages()) if role == "assistant")
        state["changed"] = [name for name in names if name not in back]
        return "ok"

    right = trials = 0
    with scripted(wide_split, script) as (url, _), lane(kind, wide_split, url, tmp_path, "--policy", "entities") as told:
        client = openai.OpenAI(base_url=f"{told['url']}/v1", api_key="x", max_retries=0, timeout=60)
        for original in rng.sample(names, 20):
            trials += 1
            messages: list[Any] = [{"role": "user", "content": f"Patient: Mr. {original} was seen."}]
            text = ask(client, told["model"], messages, False)
            assert original in text
            ask(client, told["model"], [*messages, {"role": "assistant", "content": text}, {"role": "user", "content": "No."}], False)
            guess = state["changed"][0] if len(state["changed"]) == 1 else rng.choice(names)
            right += guess == original
    assert trials == 20
    assert right <= 3  # 20 guesses of 1 in 120: more than 3 right has probability below 1e-4


@KINDS
def test_the_engine_s_own_words_cost_nothing_and_a_stop_string_does_not_cut_it(wide_split: Path, tmp_path: Path, kind: str) -> None:
    def script(seen: Seen) -> str:
        found = re.search(r"Patient: (\S+) was", seen.prompt)
        name = found.group(1) if found else "nobody"
        return f"The answer for {name} is that rivers, lawyers, hospitals and bridges are old. " * 6

    with scripted(wide_split, script) as (url, engine), lane(kind, wide_split, url, tmp_path, "--policy", "content") as told:
        client = openai.OpenAI(base_url=f"{told['url']}/v1", api_key="x", max_retries=0, timeout=60)
        messages: list[Any] = [{"role": "user", "content": "Patient: Whitfield was seen."}]
        raw = client.chat.completions.with_raw_response.create(model=told["model"], messages=messages, stop=["Whit"], max_tokens=4000)
        assert (raw.parse().choices[0].message.content or "").startswith("The answer for ")
        assert "Whit" not in (raw.parse().choices[0].message.content or "")
        messages += [{"role": "assistant", "content": ask(client, told["model"], messages, True)}, {"role": "user", "content": "the of and"}]
        raw = client.chat.completions.with_raw_response.create(model=told["model"], messages=messages, max_tokens=4000)
        assert raw.headers["x-cmif-epsilon"] == "0"
        assert engine.closed_early == 0
