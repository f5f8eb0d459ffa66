"""What a language model makes of a covered request: which of its K rows it takes for the true one, and what they cost.

The attacker scores every row by its log-likelihood under a causal model, which is the prior that cover leaves it.
``prior corrected``: less the log-likelihood of the row's words by themselves, so that a frequent word is not believed
for being frequent. Rows of equal score count by chance.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmif.enclave.bundle import Bundle
from cmif.enclave.conversation import Who
from cmif.enclave.memo import Forgetful
from cmif.enclave.pipeline import Pipeline, Prepared
from cmif.enclave.policy import Cover, PrivacyPolicy, detectors_for
from cmif.errors import InputError
from cmif.types import Sampling
from cmif.wire.frame import Frame, encode
from cmif_server.engine.variants import generate

if TYPE_CHECKING:
    from cmif_lab.eval.lm_attack import Attacker

_ANSWER = 32
"""Tokens of the answers that are timed."""


@dataclass(frozen=True, slots=True)
class Row:
    """Of the ``n`` prompts of ``set`` with ``words`` covered words: shares in [0, 1] of true rows found, and ratios to
    one request of the same prompt; ``latency_ratio`` (until all rows are answered) is None where none was timed.
    """

    set: str
    k: int
    words: int
    n: int
    attack_top1: float
    attack_top1_prior_corrected: float
    chance: float
    latency_ratio: float | None
    bytes_ratio: float


@dataclass(frozen=True, slots=True)
class Case:
    """A prompt as it was covered: ``rows`` of text and of their words alone, the first the true one."""

    set: str
    rows: tuple[str, ...]
    words: tuple[str, ...]
    covered: int
    prepared: Prepared
    plain: Prepared


def read(path: Path) -> list[tuple[str, str]]:
    """(set, text) of every line ``{"set": ..., "text": ...}``. Raises :class:`InputError`."""
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        return [(str(row["set"]), str(row["text"])) for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError('--data must be a file of lines {"set": ..., "text": ...}.') from None


def cases(bundle: Bundle, k: int, words: int, prompts: list[tuple[str, str]]) -> Iterator[Case]:
    """The prompts that are covered; those for which the mechanism draws are left out."""
    level = PrivacyPolicy.named("sensitive")
    policy = PrivacyPolicy(cover=Cover(k, words))
    pipelines = [Pipeline(bundle, p, detectors_for(p), Forgetful(), bytes(32)) for p in (policy, level)]
    for name, text in prompts:
        request = {"messages": [{"role": "user", "content": text}]}
        who = Who("eval")
        made, plain = (p.prepare(request, who=who, max_tokens=_ANSWER, coverable=True) for p in pipelines)
        if made.variants is None:
            continue
        covers = pipelines[0]._covers
        assert covers is not None
        marked = [[piece for piece in made.pieces[-1] if covers.marks(piece)]]
        distinct = {piece.text.lower() for piece in marked[0]}
        rows = tuple(covers.texts([made.pieces[-1]], s)[0] for s in range(k))
        alone = tuple(" ".join(covers._said(piece, s) for piece in marked[0]) for s in range(k))
        yield Case(name, rows, alone, len(distinct), made, plain)


def found(scores: np.ndarray) -> float:
    """The chance that the attacker names row 0 of ``scores`` [k]."""
    best = scores == scores.max()
    return float(best[0] / best.sum())


def evaluate(
    bundle: Bundle,
    attacker: Attacker,
    prompts: list[tuple[str, str]],
    *,
    k: int,
    words: int,
    timed: int,
    answer: Callable[[Frame], float],
) -> list[Row]:
    """One row a set and number of covered words. ``answer`` gives the seconds that an engine takes for a frame; of each
    row's prompts the first ``timed`` are timed.
    """
    by: dict[tuple[str, int], list[Case]] = {}
    for case in cases(bundle, k, words, prompts):
        by.setdefault((case.set, case.covered), []).append(case)
    out = []
    for (name, covered), held in sorted(by.items()):
        texts = [row for case in held for row in (*case.rows, *case.words)]
        scores = attacker.score(texts, [(0, len(text)) for text in texts]).reshape(len(held), 2, k)
        ratios = [(_seconds(answer, bundle, c.prepared), _seconds(answer, bundle, c.plain)) for c in held[:timed]]
        sizes = [_bytes(bundle, c.prepared) / _bytes(bundle, c.plain) for c in held]
        out.append(
            Row(
                name,
                k,
                covered,
                len(held),
                float(np.mean([found(s[0]) for s in scores])),
                float(np.mean([found(s[0] - s[1]) for s in scores])),
                1 / k,
                float(np.median([a / b for a, b in ratios])) if ratios else None,
                float(np.mean(sizes)),
            )
        )
    return out


def _frame(bundle: Bundle, prepared: Prepared) -> Frame:
    lengths = prepared.variants.lengths if prepared.variants else ()
    return Frame(bundle.manifest.model, prepared.rows, Sampling(max_tokens=_ANSWER), "", lengths)


def _bytes(bundle: Bundle, prepared: Prepared) -> int:
    return len(encode(_frame(bundle, prepared), "bf16+zstd"))


def _seconds(answer: Callable[[Frame], float], bundle: Bundle, prepared: Prepared) -> float:
    """The better of two: the first of a shape also makes room for it."""
    frame = _frame(bundle, prepared)
    return min(answer(frame) for _ in range(2))


def timer(body: Path) -> Callable[[Frame], float]:
    """Seconds until the transformers engine on ``body`` has answered a frame, all its variants."""
    from cmif_server.engine.transformers import TransformersEngine

    engine = TransformersEngine.load(body)

    async def run(frame: Frame) -> None:
        async for _ in generate(engine, frame):
            pass

    def answer(frame: Frame) -> float:
        began = time.monotonic()
        asyncio.run(run(frame))
        return time.monotonic() - began

    return answer


def contract(rows: list[Row]) -> dict[str, Any]:
    """The one JSON object that `cmif eval cover --json` prints."""
    return {"rows": [asdict(row) for row in rows]}
