"""Many generated conversations as real clients lead them: edits, retries, regenerations, forks, a clock in the system
prompt, a gateway that is killed and started again. One rendering of each message, no original in any frame, no word
paid twice.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from cmif.gateway.store import SqliteStore
from tests.hostile.engine import Seen, scripted
from tests.servers import gateway

pytestmark = pytest.mark.slow

CONVERSATIONS, TURNS = 200, 6
PEOPLE = ("Whitfield", "Okafor", "Castellanos", "Brannock", "Tanaka", "Lindqvist", "Moreau", "Achterberg")
TYPED = (
    "Patient: {p} has severe pain since the {d} of March.", "Mr. {p} called about the refund of case {n}.", "Is {p} well today?",
    "my name is {p}, write a letter", "Summarise: <private>{p} sells the castle {n}</private>", "Ask Ms. {p} about contract {n}, please.",
)  # fmt: skip


def script(seen: Seen) -> str:
    names = [w.strip(".,") for w in seen.messages()[-1][1].split() if w[:1].isupper()]
    return f"Answer {seen.number}: dear {' and '.join(names)}, rivers and lawyers of get_{(names or ['x'])[0]}_name are fine."


class Client:
    """One end user's conversation, re-sent whole each turn."""

    def __init__(self, number: int, rng: random.Random) -> None:
        self.rng = rng
        self.number = number
        self.people = rng.sample(PEOPLE, 2)
        self.messages: list[dict[str, str]] = []

    def type(self) -> None:
        line = self.rng.choice(TYPED)
        text = line.format(p=self.rng.choice(self.people), d=self.rng.randrange(1, 28), n=self.rng.randrange(1000, 9999))
        self.messages.append({"role": "user", "content": f"{self.number}: {text}"})

    def body(self) -> dict[str, Any]:
        clock = {"role": "system", "content": f"Helpful. It is {self.rng.randrange(24)}:{self.rng.randrange(10, 60)}."}
        return {"messages": [clock, *self.messages], "temperature": 0, "max_tokens": 1000}


def test_two_hundred_conversations(wide_split: Path, tmp_path: Path) -> None:
    rng = random.Random(11)
    renderings: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
    policy = tmp_path / "policy.toml"
    policy.write_text('level = "content"\n')
    state = tmp_path / "state"

    with scripted(wide_split, script) as (url, engine), ExitStack() as stack:
        running = stack.enter_context(gateway(wide_split, url, state, "--policy", str(policy)))
        http = stack.enter_context(httpx.Client(timeout=60))
        kills = 0

        def send(client: Client) -> tuple[str, float]:
            nonlocal running
            body = client.body()
            while True:
                try:
                    answer = http.post(f"{running['url']}/v1/chat/completions", json=body)
                except httpx.TransportError:
                    running = stack.enter_context(gateway(wide_split, url, state, "--policy", str(policy)))
                    continue
                assert answer.status_code == 200, answer.text
                for (role, content), sent in zip(engine.seen[-1].messages()[1:], client.messages, strict=True):
                    assert role == sent["role"]
                    if role == "user":
                        renderings[client.number, sent["content"]].add(content)
                return answer.json()["choices"][0]["message"]["content"], float(answer.headers["x-cmif-epsilon"])

        for number in range(CONVERSATIONS):
            client = Client(number, rng)
            for turn in range(TURNS):
                client.type()
                if rng.random() < 0.02:
                    os.kill(running["pid"], signal.SIGKILL)
                    kills += 1
                text, _ = send(client)
                act = rng.random()
                if act < 0.15:  # a retry or a regeneration: the same messages again
                    text, cost = send(client)
                    assert cost <= 2.0  # nothing but the digits of the system prompt's clock
                elif act < 0.25 and turn:  # an edit of the last message
                    kept = client.messages.pop()
                    client.messages.append({"role": "user", "content": kept["content"] + " Now."})
                    text, cost = send(client)
                    assert cost <= 3.0  # "Now" and the clock
                elif act < 0.32 and turn > 2:  # a fork two turns back
                    del client.messages[-3:]
                    client.type()
                    text, _ = send(client)
                client.messages.append({"role": "assistant", "content": text})
        assert kills > 5
        for seen in engine.seen:
            said = seen.prompt.casefold()
            assert not [p for p in PEOPLE if p.casefold() in said]
        assert [(m, t) for m, t in renderings.items() if len(t) > 1] == []
    store = SqliteStore(state / "ledger.sqlite")
    spent = sum(account.epsilon for account in store.accounts("tenant"))
    assert spent == pytest.approx(sum(account.epsilon for account in store.accounts("node")))


def test_a_gateway_killed_while_it_streams_remembers_what_its_reader_got(wide_split: Path, tmp_path: Path) -> None:
    def long(seen: Seen) -> str:
        name = seen.messages()[0][1].split()[1]
        return f"About {name}: " + "".join(f"line {i} of {name} and the lawyers of the river. " for i in range(400))

    with scripted(wide_split, long) as (url, engine):
        with gateway(wide_split, url, tmp_path, "--policy", "entities") as told:
            body: dict[str, Any] = {"messages": [{"role": "user", "content": "Patient: Whitfield was seen."}], "max_tokens": 9000, "stream": True}
            got = b""
            try:
                with httpx.stream("POST", f"{told['url']}/v1/chat/completions", json=body, timeout=60) as answer:
                    for chunk in answer.iter_bytes():
                        got += chunk
                        if len(got) > 60_000:
                            os.kill(told["pid"], signal.SIGKILL)
                            time.sleep(0.2)
            except httpx.TransportError:
                pass
        import json

        lines = [json.loads(line[6:]) for line in got.decode(errors="ignore").split("\n\n") if line.startswith("data: {") and line.endswith("}")]
        text = "".join(c["delta"].get("content") or "" for line in lines for c in line["choices"])
        assert "Whitfield" in text
        with gateway(wide_split, url, tmp_path, "--policy", "entities") as told:
            messages = [*body["messages"], {"role": "assistant", "content": text}, {"role": "user", "content": "go on"}]
            httpx.post(f"{told['url']}/v1/chat/completions", json={"messages": messages, "max_tokens": 10}, timeout=60)
        assert "whitfield" not in engine.seen[-1].prompt.casefold()
