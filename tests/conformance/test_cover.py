"""Cover requests end to end: an answer without loss, and an engine that cannot tell which row was kept."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.hostile.engine import Seen, scripted
from tests.servers import engine, gateway
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
    from cmif.provider.split import split

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


@pytest.mark.parametrize("requests", [48, pytest.param(500, marks=pytest.mark.slow)])
def test_neither_place_nor_end_tells_the_true_row(
    wide_split: Path, tmp_path: Path, policy: str, requests: int
) -> None:
    """The engine sees rows, when streams end and when the next request comes. Readers stay, leave early, or stream."""
    lengths = random.Random(0)

    with (
        scripted(wide_split, lambda seen: "word " * lengths.randrange(2, 60)) as (url, hostile),
        gateway(wide_split, url, tmp_path, "--policy", policy) as told,
        asking(told["url"], max_tokens=400) as ask,
    ):
        places = []
        for n in range(requests):
            first = len(hostile.seen)
            if n % 3 == 2:  # a reader who leaves at the first word
                body = {"messages": [{"role": "user", "content": f"{n}: I have gout."}], "stream": True}
                with httpx.stream("POST", f"{told['url']}/v1/chat/completions", json=body, timeout=60) as answer:
                    next(answer.iter_lines())
            else:
                content(ask(f"{n}: I have gout."))
            rows = [user(seen) for seen in hostile.seen[first:] if user(seen).startswith(f"{n}:")]
            assert len(rows) == K
            places.append(rows.index(f"{n}: I have gout."))
        ask("bye")
        assert hostile.closed_early == 0
    # A constant guess of the place is right in 1/16 of all cases: beyond 5 standard deviations it would not be chance.
    best = max(places.count(place) for place in range(K))
    assert best <= requests / K + 5 * (requests * (1 / K) * (1 - 1 / K)) ** 0.5


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
        answer = ask(said)
        assert answer.headers["x-cmif-mode"] == "mechanism"
        assert float(answer.headers["x-cmif-eps-out"]) > 1
        (seen,) = hostile.seen
        assert user(seen) != said
