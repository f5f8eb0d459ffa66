"""The training loop: resumable, logs loss. Knows nothing about where data comes from."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event

import torch

from training.data import Corpus, Mix
from training.layout import Batch
from training.meaning import meaning
from training.model import Llama, Shape
from training.optimise import Optimiser, loss_of
from training.wiring import give_meaning, wire


@dataclass(frozen=True, slots=True)
class Phase:
    """``steps`` steps of one mix. The rate falls linearly from ``rate`` to ``last`` times itself over the phase.

    ``text`` and ``repeat`` weigh the loss of those streams against the conversations'. ``meaning``: word meaning is
    added to the embedding before the first step (:mod:`training.meaning`).
    """

    name: str
    steps: int
    mix: Mix
    rate: float = 1.0
    last: float = 1.0
    text: float = 0.1
    repeat: float = 0.4
    meaning: bool = False

    def weight(self, stream: str) -> float:
        return {"text": self.text, "repeat": self.repeat}.get(stream, 1.0)


MATRIX_RATE = 0.01
ADAM_RATE = 1e-3
WARM = 20


def fresh(shape: Shape, seed: int) -> Llama:
    torch.manual_seed(seed)
    model = Llama(shape)
    with torch.no_grad():
        for block in model.blocks:
            for layer in (block.qkv, block.out, block.gate_up, block.down):  # type: ignore[union-attr]
                layer.weight *= 0.3  # type: ignore[operator, union-attr]
    wire(model, seed)
    return model


class Workers:
    """Two threads that share the micro-batches of a step by turns: which thread sums what is fixed, so that a seed
    gives the same weights, bit for bit, on the same kind of processor.
    """

    def __init__(self, model: Llama, threads: int = 2) -> None:
        torch.set_num_threads(1)
        self.model = model
        self.replicas = [model]
        for _ in range(threads - 1):
            replica = Llama(model.shape)
            for mine, theirs in zip(replica.parameters(), model.parameters(), strict=True):
                mine.data = theirs.data
            self.replicas.append(replica)
        self.pool = ThreadPoolExecutor(threads)

    def gradients(
        self, batches: list[tuple[str, Batch]], weight: Callable[[str], float] = lambda _: 1.0
    ) -> list[tuple[float, float]]:
        """Adds the weighted mean gradient of each stream to ``model``; (loss, share right) of each micro-batch."""
        share = {name: weight(name) / sum(n == name for n, _ in batches) for name, _ in batches}
        results: list[tuple[float, float]] = [(0.0, 0.0)] * len(batches)

        def work(first: int, replica: Llama) -> None:
            for at in range(first, len(batches), len(self.replicas)):
                name, batch = batches[at]
                loss, right, _ = loss_of(replica, batch)
                (loss * share[name]).backward()
                results[at] = (loss.item(), right)

        list(self.pool.map(work, range(len(self.replicas)), self.replicas))
        for replica in self.replicas[1:]:
            for mine, theirs in zip(replica.parameters(), self.model.parameters(), strict=True):
                if mine.grad is not None:
                    theirs.grad = mine.grad if theirs.grad is None else theirs.grad.add_(mine.grad)
                    mine.grad = None
        return results


def run(
    corpus: Corpus,
    shape: Shape,
    phases: list[Phase],
    out: Path,
    seed: int,
    *,
    every: float = 150.0,
    log: int = 20,
) -> Llama:
    """Train through ``phases``; state in ``out/state.pt``, one JSON line a log in ``out/log.jsonl``."""
    model = fresh(shape, seed)
    optimiser = Optimiser(model)
    workers = Workers(model)
    state = out / "state.pt"
    done = 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load(saved["optimiser"])
        done = saved["step"]
    meters: dict[str, list[float]] = defaultdict(list)
    stop = Event()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
    began = saved_at = time.monotonic()
    seen = 0
    start = 0
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        for phase in phases:
            for at in range(phase.steps):
                step = start + at
                if step < done:
                    continue
                if at == 0 and phase.meaning:
                    give_meaning(model, meaning(corpus.text, shape.hidden // 2 - 8, seed))
                batches = corpus.step(seed, step, phase.mix)
                for (name, batch), (loss, right) in zip(
                    batches, workers.gradients(batches, phase.weight), strict=True
                ):
                    meters[f"{name} loss"].append(loss)
                    meters[f"{name} right"].append(right)
                    seen += batch.ids.size
                rate = phase.rate * (1 + (phase.last - 1) * at / phase.steps) * min(1.0, (step + 1) / WARM)
                optimiser.step(MATRIX_RATE * rate, ADAM_RATE * rate, workers.pool)
                if (step + 1) % log == 0:
                    now = time.monotonic()
                    line = {
                        "step": step + 1,
                        "phase": phase.name,
                        "rate": round(rate, 4),
                        "seconds": round(now - began),
                        "tokens/s": round(seen / (now - began)),
                    }
                    line |= {name: round(sum(v) / len(v), 4) for name, v in sorted(meters.items())}
                    meters.clear()
                    file.write(json.dumps(line) + "\n")
                    file.flush()
                if stop.is_set():
                    _save(state, model, optimiser, step + 1)
                    raise SystemExit(f"stopped after step {step + 1}; run again to go on")
                if time.monotonic() - saved_at > every:
                    _save(state, model, optimiser, step + 1)
                    saved_at = time.monotonic()
            start += phase.steps
    if start > done:
        _save(state, model, optimiser, start)
    return model


def _save(path: Path, model: Llama, optimiser: Optimiser, step: int) -> None:
    temporary = path.with_suffix(".tmp")
    torch.save(
        {
            "model": model.state_dict(),
            "optimiser": optimiser.state(),
            "step": step,
            "shape": asdict(model.shape),
        },
        temporary,
    )
    temporary.replace(path)
