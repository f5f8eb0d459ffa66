"""`cmif bench`: placements of one model against each other, on real processes, sockets and text.

Each placement is measured in pairs with `plain`: both answer the same prompt, one right after the other, the order
swapped every time, so that what else the machine does meets both. A ratio is the median over the pairs. Beside the time
on the clock stands the CPU time of both sides, which other work on the machine moves far less.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cmif.enclave.pipeline import Prepared
from cmif.errors import InputError
from cmif.wire.frame import CODECS
from cmif_lab.bench.client import Client
from cmif_lab.bench.fleet import Fleet
from cmif_lab.bench.machine import describe
from cmif_lab.bench.shapes import config_of, parameters, write_model
from cmif_lab.placements import NAMES, Outcome, Placement

CLIENT_STEPS: dict[str, frozenset[str]] = {
    "plain": frozenset({"tokenise", "detokenise"}),
    **dict.fromkeys(
        ("cmif", "cmif-strict"),
        frozenset({"detect", "sanitise", "tokenise", "charge", "embed", "detokenise", "restore"}),
    ),
    **dict.fromkeys(
        ("linear-offload", "linear-offload-fused", "enclave-only"),
        frozenset({"tokenise", "embed", "detokenise"}),
    ),
}
"""What the client does in each placement; it counts towards the request's time."""


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the result: a placement under one load."""

    placement: str
    prompt: int
    new: int
    rtt_ms: float
    concurrency: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a case: per request the placement's outcome and the client's steps; all requests ran at
    once."""

    outcomes: tuple[Outcome, ...]
    client: tuple[dict[str, float], ...]
    prompts: tuple[int, ...]  # tokens
    cpu_ms: float  # CPU time of both sides

    def totals(self) -> list[float]:
        return [o.total_ms + sum(c.values()) for o, c in zip(self.outcomes, self.client, strict=True)]

    @property
    def total_ms(self) -> float:
        """Until the last of the requests is answered."""
        return max(self.totals())


def run_bench(
    *,
    placements: Sequence[str] = ("plain", "cmif"),
    engine: str = "transformers",
    model: Path | None = None,
    shape: str | None = None,
    prompt: Sequence[int] = (128,),
    new: Sequence[int] = (64,),
    rtt_ms: Sequence[float] = (0.0,),
    concurrency: Sequence[int] = (1,),
    repeat: int = 5,
    wire: str = "bf16+zstd",
    policy: str = "sensitive",
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure; ``{"rows": [...], "setup": {...}}`` as `cmif bench --json` prints it.

    ``model`` is a Hugging Face directory or what `cmif split` made of one; ``shape`` a name of
    `bench.shapes`. Times are milliseconds, medians over ``repeat`` pairs. Raises :class:`InputError` for
    what is not a placement, codec or shape.
    """
    _check(placements, engine, model, shape, wire, (*prompt, *new, *concurrency, repeat))
    started = describe()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="cmif-bench-") as scratch:
        halves = _halves(Path(scratch), model, shape, progress)
        with (
            _client(halves, policy, Path(scratch)) as client,
            Fleet(halves / "server", engine, client) as fleet,
        ):
            name, size = client.name, _weights(halves / "server")
            others = [p for p in placements if p != "plain"] or ["plain"]
            for other in others:
                for load in [
                    Case(other, n, m, rtt, c)
                    for n in prompt
                    for m in new
                    for rtt in rtt_ms
                    for c in concurrency
                ]:
                    progress(f"{load.placement}: prompt {load.prompt}, new {load.new}, rtt {load.rtt_ms:g} ms, "
                             f"concurrency {load.concurrency}")  # fmt: skip
                    plain, measured = _pairs(client, fleet, load, repeat, wire)
                    if other == others[0] and "plain" in placements:
                        rows.append(_row(Case("plain", *_load(load)), client, plain, plain))
                    if other != "plain":
                        rows.append(_row(load, client, measured, plain))
    setup = {
        "model": name, "parameters": size, "engine": engine, "wire": wire,
        "policy": policy, "repeat": repeat, "start": started, "end": describe(),
    }  # fmt: skip
    return {"rows": rows, "setup": setup}


def _load(case: Case) -> tuple[int, int, float, int]:
    return case.prompt, case.new, case.rtt_ms, case.concurrency


def _check(
    placements: Sequence[str],
    engine: str,
    model: Path | None,
    shape: str | None,
    wire: str,
    counts: tuple[int, ...],
) -> None:
    if unknown := [p for p in placements if p not in NAMES]:
        raise InputError(f"Unknown placement {unknown[0]!r}.", hint=f"Known: {', '.join(NAMES)}.")
    if not placements or min(counts) < 1:
        raise InputError("Placements, prompts, new tokens, concurrency and repeats must be at least one.")
    if wire not in CODECS:
        raise InputError(f"Unknown codec {wire!r}.", hint=f"Known: {', '.join(CODECS)}.")
    if engine not in ("transformers", "vllm"):
        raise InputError("The engine is transformers or vllm.")
    if engine == "vllm" and set(placements) - {"plain", "cmif"}:
        raise InputError("Only plain and cmif run on vllm.", hint="Its API takes whole prompts.")
    if (model is None) == (shape is None):
        raise InputError("Give a model directory or the name of a shape, one of them.")


def _halves(scratch: Path, model: Path | None, shape: str | None, progress: Callable[[str], None]) -> Path:
    """The directory that holds `client` and `server`."""
    from cmif_server.provider.split import split

    if shape is not None:
        progress(f"writing a random {shape}, {parameters(config_of(shape)) / 1e9:.2f} billion weights")
        model = write_model(shape, scratch / shape)
    assert model is not None
    if (model / "client").is_dir() and (model / "server").is_dir():
        return model
    progress("splitting it into client bundle and server body")
    split(str(model), scratch / "split")
    return scratch / "split"


def _weights(body: Path) -> int:
    """How many weights a body has: it holds two bytes for each."""
    return sum(file.stat().st_size for file in body.glob("*.safetensors")) // 2


@contextmanager
def _client(halves: Path, policy: str, state: Path) -> Iterator[Client]:
    client = Client(halves / "client", policy, state)
    try:
        yield client
    finally:
        client.close()


def _pairs(
    client: Client, fleet: Fleet, case: Case, repeat: int, wire: str
) -> tuple[list[Sample], list[Sample]]:
    """Samples of `plain` and of the case's placement, pair by pair."""
    words = client.words_for(case.prompt)
    names = ("plain",) if case.placement == "plain" else ("plain", case.placement)
    with fleet.connect(names, case.concurrency, case.rtt_ms, wire) as connections:
        samples: dict[str, list[Sample]] = {name: [] for name in names}
        for i in range(-1, repeat):  # the first round warms up and is dropped
            prepared = [client.prepare(words, start=97 * (i + 1) + 31 * j) for j in range(case.concurrency)]
            for name in names if i % 2 else reversed(names):
                samples[name].append(
                    _sample(client, fleet, connections[name], prepared, case.new if i >= 0 else 2)
                )
    kept = {name: taken[1:] for name, taken in samples.items()}
    return kept["plain"], kept[case.placement]


def _sample(
    client: Client,
    fleet: Fleet,
    connections: list[Placement],
    prepared: list[tuple[Prepared, dict[str, float]]],
    new: int,
) -> Sample:
    def ask(connection: Placement, ready: Prepared) -> Outcome:
        return connection.run(ready.ids, ready.rows, new)

    requests = [p for p, _ in prepared]
    before_cpu = fleet.cpu_seconds() + time.process_time()
    if len(requests) == 1:
        outcomes = [ask(connections[0], requests[0])]
    else:
        with ThreadPoolExecutor(len(requests)) as pool:
            outcomes = list(pool.map(ask, connections, requests))
    cpu = (fleet.cpu_seconds() + time.process_time() - before_cpu) * 1e3
    counted = CLIENT_STEPS[connections[0].name]
    steps = []
    for (request, before), outcome in zip(prepared, outcomes, strict=True):
        after = client.restore(request, outcome.ids)
        steps.append({name: ms for name, ms in (before | after).items() if name in counted})
    cpu += sum(sum(ms.values()) for ms in steps)
    return Sample(tuple(outcomes), tuple(steps), tuple(len(r.ids) for r in requests), cpu)


def _row(case: Case, client: Client, samples: list[Sample], plain: list[Sample]) -> dict[str, Any]:
    outcomes = [o for s in samples for o in s.outcomes]
    merged = [c | o.steps for s in samples for c, o in zip(s.client, s.outcomes, strict=True)]
    first = [
        o.ttft_ms + sum(ms for step, ms in c.items() if step not in ("detokenise", "restore"))
        for s in samples
        for c, o in zip(s.client, s.outcomes, strict=True)
    ]
    ratios = [s.total_ms / p.total_ms for s, p in zip(samples, plain, strict=True)]
    cpu = [s.cpu_ms / p.cpu_ms for s, p in zip(samples, plain, strict=True) if p.cpu_ms]
    totals = [t for s in samples for t in s.totals()]
    steps = {
        name: statistics.median(m.get(name, 0.0) for m in merged)
        for name in dict.fromkeys(step for m in merged for step in m)
    }
    tokens = statistics.median(len(s.outcomes[0].ids) * len(s.outcomes) / s.total_ms * 1e3 for s in samples)
    up = statistics.median(o.bytes_up for o in outcomes)
    length = statistics.median(n for s in samples for n in s.prompts)
    mine = sum(ms for name, ms in steps.items() if name in CLIENT_STEPS[case.placement] | {"encode"})
    return {
        "placement": case.placement, "prompt": case.prompt, "new": case.new, "rtt_ms": case.rtt_ms,
        "concurrency": case.concurrency,
        "ttft_ms": round(statistics.median(first), 3),
        "total_ms": round(statistics.median(totals), 3),
        "tokens_per_s": round(tokens, 3),
        "ratio_vs_plain": round(statistics.median(ratios), 4),
        "ratio_min": round(min(ratios), 4), "ratio_max": round(max(ratios), 4),
        "cpu_ms": round(statistics.median(s.cpu_ms for s in samples), 1),
        "cpu_ratio_vs_plain": round(statistics.median(cpu), 4) if cpu else None,
        "round_trips": round(statistics.median(o.round_trips for o in outcomes)),
        "bytes_up": round(up), "bytes_down": round(statistics.median(o.bytes_down for o in outcomes)),
        "prompt_tokens": round(length),
        "bytes_up_vs_bf16": round(up / (2 * client.hidden * length), 4),
        "client_share": round(mine / statistics.median(totals), 5),
        "steps_ms": {name: round(ms, 3) for name, ms in steps.items()},
        "output_equals_plain": all(
            [o.ids for o in s.outcomes] == [o.ids for o in p.outcomes] for s, p in zip(samples, plain, strict=True)
        ),
    }  # fmt: skip
