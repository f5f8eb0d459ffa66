"""What a turn costs the enclave as a chat grows, and what a charge costs as the ledger grows: ratios within one run.

Turns are measured in CPU time, so that other work on the machine does not count; charges, which wait for the disk, by
the wall, the small and the large ledger in turn.

    python lab/benchmarks/conversation.py CLIENT_HALF
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cmif.enclave.conversation import Who
from cmif.enclave.memo import Entry, Payer
from cmif.enclave.pipeline import Pipeline
from cmif.enclave.policy import PrivacyPolicy, detectors_for
from cmif.gateway.bundles import open_bundle
from cmif.gateway.store import SqliteStore

SANITISING = ("recall", "detect", "sanitise")
TURNS, CHATS, CHARGES, ROWS = 8, 25, 200, 1_000_000
WORDS = ["patient", "severe", "pain", "doctor", "letter", "river", "bridge", "castle", "garden", "window", "market",
         "weather", "lawyer", "contract", "refund"]  # fmt: skip



class CpuWatch:
    """Milliseconds of CPU time of each step."""

    def __init__(self) -> None:
        self.steps_ms: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Generator[None, None, None]:
        start = time.thread_time()
        yield
        self.steps_ms[name] = self.steps_ms.get(name, 0.0) + (time.thread_time() - start) * 1e3


def turns(client: Path, folder: Path) -> list[dict[str, float]]:
    """Median CPU milliseconds of each step, by turn, over chats under `content` with 15 new words a turn."""
    policy = PrivacyPolicy.named("content")
    store = SqliteStore(folder / "a.sqlite")
    pipeline = Pipeline(open_bundle(client), policy, detectors_for(policy), store, os.urandom(32))
    seen: list[list[dict[str, float]]] = [[] for _ in range(TURNS)]
    for chat in range(CHATS):
        messages: list[dict[str, str]] = []
        for turn in range(TURNS):
            typed = " ".join(f"{w}{chr(97 + (chat + turn + i) % 26)}" if i % 3 else w for i, w in enumerate(WORDS))
            messages.append({"role": "user", "content": f"Chat {chat}, turn {turn}: {typed}."})
            watch = CpuWatch()
            prepared = pipeline.prepare({"messages": messages}, who=Who("t"), max_tokens=1, step=watch)
            seen[turn].append(dict(watch.steps_ms))
            answer = f"Answer {turn} of chat {chat}: rivers and lawyers are old, as everybody in this house knows well."
            response = prepared.conversation.response()
            response.wrote(0, [(answer, answer)])
            response.done(answer)
            messages.append({"role": "assistant", "content": answer})
    return [{name: statistics.median(row[name] for row in rows) for name in rows[0]} for rows in seen]


def charges(folder: Path) -> tuple[float, float]:
    """Median milliseconds of a charge: in a small ledger, and in one with a million entries and accounts. In turn."""
    small, large = SqliteStore(folder / "b.sqlite"), SqliteStore(folder / "c.sqlite")
    for _ in range(0, ROWS, 50_000):
        entries = {os.urandom(32): Entry(os.urandom(32), b"s" * 96, 1.0) for _ in range(50_000)}
        large.commit(Payer("t", "", (os.urandom(32),)), entries)

    def charge(store: SqliteStore) -> float:
        start = time.perf_counter()
        node = os.urandom(32)
        store.commit(Payer("t", "", (node,)), {os.urandom(32): Entry(node, b"s" * 96, 1.0)})
        return (time.perf_counter() - start) * 1e3

    pairs = [(charge(small), charge(large)) for _ in range(CHARGES)]
    return statistics.median(s for s, _ in pairs), statistics.median(l for _, l in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description="What a conversation costs as it grows.")
    parser.add_argument("client", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        steps = turns(given.client, Path(folder))
        totals = [sum(row[name] for name in SANITISING) for row in steps]
        empty, full = charges(Path(folder))
    told = {
        "load": os.getloadavg()[0],
        "sanitising_ms_by_turn": [round(t, 2) for t in totals],
        "turn_8_over_turn_1": round(totals[-1] / totals[0], 2),
        "steps_ms": [{name: round(ms, 2) for name, ms in row.items()} for row in (steps[0], steps[-1])],
        "charge_ms": {"empty": round(empty, 2), "million": round(full, 2), "ratio": round(full / empty, 2)},
    }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
