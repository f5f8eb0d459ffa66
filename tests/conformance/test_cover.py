"""Cover requests end to end: an answer without loss, and an engine that cannot tell which row was kept."""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cmif.errors import EngineError
from cmif.gateway.bundles import open_bundle
from cmif.wire.events import DoneEvent, ErrorEvent, EventReader, TokenEvent
from cmif_server.engine.app import make_app
from tests.hostile.engine import ScriptedEngine, Seen, scripted
from tests.servers import engine, gateway, serving
from tests.tiny import make_model

K = 16
ASKED = {
    "tiny": ["I have gout. Help?", "Is codeine safe?", "I was arrested for theft.", "I am a Turkish cook. Hi"],
    "default": [
        "I was diagnosed with diabetes. What diet should I follow?",
        "I have gout and take prednisone. Can I drink wine?",
        "I am a Turkish student. How do I find a flat in Bonn?",
        "How do I tell my boss that I have depression?",
    ],
}


@pytest.fixture(scope="module")
def wide_split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with room for a few sentences of its small vocabulary."""
    from cmif_server.provider.split import split

    folder = tmp_path_factory.mktemp("cover")
    split(str(make_model(folder / "model", max_position_embeddings=1024)), folder / "split")
    return folder / "split"


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.toml"
    path.write_text(f'level = "sensitive"\ncover = {{k = {K}, words = 3}}\n', "utf-8")
    return str(path)


@contextmanager
def asking(url: str, **fixed: Any) -> Iterator[Any]:
    """``ask(text or messages, **settings)``: the answer, greedy."""
    with httpx.Client(base_url=url, timeout=300) as client:

        def ask(said: str | list[Any], **more: Any) -> httpx.Response:
            messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
            return client.post(
                "/v1/chat/completions", json={"messages": messages, "temperature": 0, **fixed, **more}
            )

        yield ask


def content(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


@pytest.mark.timeout(900)
@pytest.mark.parametrize("which", ["tiny", pytest.param("default", marks=pytest.mark.slow)])
def test_greedy_answers_are_the_unprotected_ones(
    which: str, request: pytest.FixtureRequest, wide_split: Path, tmp_path: Path, policy: str
) -> None:
    """Token for token, by the ids that the logprobs name."""
    split = wide_split if which == "tiny" else request.getfixturevalue("default_split")
    with (
        engine(split) as served,
        gateway(split, served["url"], tmp_path / "plain", "--policy", "off") as plain,
        gateway(split, served["url"], tmp_path / "cover", "--policy", policy) as cover,
        asking(plain["url"], max_tokens=24, logprobs=True) as off,
        asking(cover["url"], max_tokens=24, logprobs=True) as on,
    ):
        for text in ASKED[which]:
            wanted, got = off(text), on(text)
            assert content(got) == content(wanted)
            tokens = [
                [entry["token"] for entry in answer.json()["choices"][0]["logprobs"]["content"]]
                for answer in (wanted, got)
            ]
            assert tokens[0] == tokens[1]
            assert len(tokens[0]) > 3
            told = {k: v for k, v in got.headers.items() if k in ("x-cmif-mode", "x-cmif-k", "x-cmif-eps-in")}
            assert told == {"x-cmif-mode": "cover", "x-cmif-k": str(K), "x-cmif-eps-in": "0"}
            assert got.headers["x-cmif-epsilon"] == "0"


def user(seen: Seen) -> str:
    return next(text for role, text in seen.messages() if role == "user")


def test_the_engine_gets_every_member_of_the_group_once_in_the_same_words_around(
    wide_split: Path, tmp_path: Path, policy: str
) -> None:
    with (
        scripted(wide_split, lambda seen: f"about {user(seen)}") as (url, hostile),
        gateway(wide_split, url, tmp_path, "--policy", policy) as told,
        asking(told["url"]) as ask,
    ):
        assert content(ask("I have Gout; is GOUT bad?")) == "about I have Gout; is GOUT bad?"
        assert len(hostile.seen) == K
        rows = [re.fullmatch(r"I have (\w+); is (\w+) bad\?", user(seen)) for seen in hostile.seen]
        words = {(row[1].lower(), row[2].lower()) for row in rows if row}
        assert len(words) == K
        assert all(a == b for a, b in words)
        assert all(row and row[1].istitle() and row[2].isupper() for row in rows)
        assert len({(seen.salt, seen.max_tokens) for seen in hostile.seen}) == 1


class Watching(ScriptedEngine):
    """Writes the variants one after the other, in an order of its own, with a pause before each: whoever waits for one
    of them shows by when it goes on."""

    pause = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        self._draw = random.Random(1)
        self._turns: list[int] = []

    async def _events(self, text: str, prompt: int) -> AsyncIterator[TokenEvent | DoneEvent]:
        if not self._turns:
            self._turns = self._draw.sample(range(K), K)
        await asyncio.sleep(self.pause * self._turns.pop())
        async for event in super()._events(text, prompt):
            yield event


@dataclass
class Times:
    """Of one request as the engine's host sees it: when it came, and for every event when its bytes were handed over,
    which variant it is of, and how long the connection took to accept them."""

    came: float
    sent: list[tuple[float, int, float]] = field(default_factory=list)


class Host:
    """ASGI middleware that takes the times."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.times: list[Times] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != "/v1/generate":
            return await self._app(scope, receive, send)
        times = Times(time.perf_counter())
        self.times.append(times)

        async def timed(message: Message) -> None:
            before = time.perf_counter()
            await send(message)
            took = time.perf_counter() - before
            for event in EventReader().feed(message.get("body", b"")):
                assert not isinstance(event, ErrorEvent)
                times.sent.append((before, event.of, took))

        return await self._app(scope, receive, timed)


def features(times: Times, following: Times) -> dict[str, list[float]]:
    """What may tell the true row: a number for each place of the view."""
    by = [[(at, took) for at, of, took in times.sent if of == place] for place in range(K)]

    def until(at: float) -> float:
        return following.came - at if following.came >= at else math.inf

    return {
        "place": list(range(K)),
        "next request after its first event": [until(row[0][0]) for row in by],
        "next request after its last event": [until(row[-1][0]) for row in by],
        "next request after its last but one": [until(row[-2][0]) for row in by],
        "how fast it is read": [sum(took for _, took in row) for row in by],
        "events": [len(row) for row in by],
        "share of its time": [row[-1][0] - row[0][0] for row in by],
        "order": [row[0][0] for row in by],
    }


GUESSES = 4


def distinguish(seen: list[tuple[dict[str, list[float]], int]]) -> tuple[str, int, int]:
    """The rule "of the places in order of this feature the true one is among the r-th to the r+3rd" that is right most
    often on the first half: its feature, and of how many of the second half it is right. ``seen``: features and the
    true place.
    """

    def right(rows: Sequence[tuple[dict[str, list[float]], int]], name: str, rank: int) -> int:
        return sum(true in sorted(range(K), key=told[name].__getitem__)[rank : rank + GUESSES] for told, true in rows)

    half = len(seen) // 2
    rules = [(name, rank) for name in seen[0][0] for rank in range(K - GUESSES + 1)]
    best = max(rules, key=lambda rule: right(seen[:half], *rule))
    return best[0], right(seen[half:], *best), len(seen) - half


def beyond_chance(right: int, n: int) -> bool:
    """More than 5 standard deviations above what as many guesses are right by chance."""
    chance = GUESSES / K
    return right > n * chance + 5 * (n * chance * (1 - chance)) ** 0.5


@pytest.mark.timeout(900)
@pytest.mark.parametrize("requests", [48, pytest.param(500, marks=pytest.mark.slow)])
def test_neither_places_nor_times_tell_an_engine_that_watches_which_row_is_true(
    wide_split: Path, tmp_path: Path, policy: str, requests: int
) -> None:
    """Readers leave at the first word, or wait for the end, and always ask again at once. A test of independence: a slow
    machine makes it weaker, never red."""
    draw = random.Random(0)
    watching = Watching(open_bundle(wide_split / "client"), lambda seen: "word " * draw.randrange(2, 60))
    host = Host(make_app(watching))  # type: ignore[arg-type]
    texts = [f"{n}: I have gout." for n in range(requests)]
    with (
        serving(host) as url,
        gateway(wide_split, url, tmp_path, "--policy", policy) as told,
        asking(told["url"], max_tokens=400) as ask,
        httpx.Client(base_url=told["url"], timeout=60) as client,
    ):
        for n, text in enumerate(texts):
            if n % 12 == 0:
                content(ask(text))
                continue
            body = {"messages": [{"role": "user", "content": text}], "stream": True, "max_tokens": 400}
            with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                lines = answer.iter_lines()
                if n % 12 == 6:
                    assert "data: [DONE]" in list(lines)
                else:
                    assert any('"content":"' in line and '"content":""' not in line for line in lines)
        content(ask("I have gout. bye"))
    assert watching.closed_early == 0
    rows = [[user(seen) for seen in watching.seen[K * n : K * n + K]] for n in range(requests)]
    places = [row.index(text) for row, text in zip(rows, texts, strict=True)]
    seen = [(features(a, b), place) for a, b, place in zip(host.times, host.times[1:], places, strict=False)]
    rule, right, n = distinguish(seen)
    assert not beyond_chance(right, n), f"{right} of {n} by {rule!r}"
    # The same distinguisher does find a row that is read a millionth of a second longer than any other.
    for told_of, true in seen:
        told_of["how fast it is read"][true] = max(told_of["how fast it is read"]) + 1e-6
    assert beyond_chance(*distinguish(seen)[1:])


class Breaking(ScriptedEngine):
    """Breaks every stream off once ``begin`` variants of it have said a word."""

    begin = 0
    _events_of = 0

    async def _events(self, text: str, prompt: int) -> AsyncIterator[TokenEvent | DoneEvent]:
        turn, self._events_of = self._events_of % K, self._events_of + 1
        if turn < self.begin:
            yield TokenEvent(tuple(self.bundle.tokeniser.pieces(text)))
        await asyncio.sleep(0.05)
        raise EngineError("broken")


@pytest.mark.parametrize(("begin", "status"), [(K // 2, 502), (K, 200)], ids=["half", "all"])
def test_whether_a_broken_stream_had_begun_does_not_tell_the_true_row(
    wide_split: Path, tmp_path: Path, policy: str, begin: int, status: int
) -> None:
    """Clients try again by themselves after a 502, and not after a stream that breaks off: with some variants begun, a
    second request would say that the true one was not among them."""
    breaking = Breaking(open_bundle(wide_split / "client"), lambda seen: "some words to read")
    breaking.begin = begin
    with (
        serving(make_app(breaking)) as url,  # type: ignore[arg-type]
        gateway(wide_split, url, tmp_path, "--policy", policy) as told,
        asking(told["url"], stream=True) as ask,
    ):
        answers = [ask(f"{n}: I have gout.") for n in range(12)]
    assert {answer.status_code for answer in answers} == {status}
    assert all("error" in answer.text for answer in answers)
    assert len(breaking.seen) == 12 * K


def test_a_covered_conversation_is_not_continued(wide_split: Path, tmp_path: Path, policy: str) -> None:
    """What follows an answer is about that answer, and would tell whose it was."""
    with (
        scripted(wide_split, lambda seen: f"mark {seen.number} one two three four five six") as (url, hostile),
        gateway(wide_split, url, tmp_path, "--policy", policy) as told,
        asking(told["url"]) as ask,
    ):
        said = [{"role": "user", "content": "I have gout. Help?"}]
        said += [{"role": "assistant", "content": content(ask(said))}, {"role": "user", "content": "And then?"}]
        before = len(hostile.seen)
        refused = ask(said)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "cover")
        assert ask(said[:1], n=2).json()["error"]["code"] == "cover"
        assert ask(said[:1], stop=["x"]).json()["error"]["code"] == "cover"
        assert len(hostile.seen) == before
        assert ask(said[:1]).headers["x-cmif-mode"] == "cover"  # the same question once more: the same rows
        assert {user(seen) for seen in hostile.seen[:K]} == {user(seen) for seen in hostile.seen[before:]}


@pytest.mark.parametrize(
    "said",
    ["My pain is back.", "I have gout and pain.", "I have gout, asthma, measles and shingles.", "Is insulin bad for my gout?"],
    ids=["no group", "one without a group", "four words", "a word that most of its group's texts say"],
)
def test_where_a_decoy_would_show_the_mechanism_draws(wide_split: Path, tmp_path: Path, policy: str, said: str) -> None:
    with (
        scripted(wide_split, lambda seen: "yes") as (url, hostile),
        gateway(wide_split, url, tmp_path, "--policy", policy) as told,
        asking(told["url"]) as ask,
    ):
        asked = [f"{said} {n}" for n in range(6)]  # a draw may be its value, six hardly
        for text in asked:
            answer = ask(text)
            assert answer.headers["x-cmif-mode"] == "mechanism"
            assert float(answer.headers["x-cmif-eps-out"]) > 1
        assert len(hostile.seen) == len(asked)
        assert [user(seen) for seen in hostile.seen] != asked
