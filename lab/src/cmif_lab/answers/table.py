"""From answers to numbers: means, differences with their paired bootstrap, and what the engine saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cmif_lab.answers.collect import AGAIN, OFF, Answer, Ask
from cmif_lab.answers.jobs import Job
from cmif_lab.answers.scores import METRICS, leaked

RESAMPLES = 4000
Similar = Callable[[Sequence[str], Sequence[str]], np.ndarray]
"""Pairs of texts -> float [n] in [-1, 1]."""


@dataclass(frozen=True)
class Cell:
    """A mean, and its difference from the row's reference arm with a paired bootstrap's 95 % interval over the
    questions (all three None for the reference itself)."""

    mean: float
    difference: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """One task's metric, or the share of its labelled parts that the engine saw, for each arm.

    ``count`` is the number of questions (of labelled parts for a leak); ``reference`` the arm that differences are
    taken from; an arm without the number is absent from ``cells``.
    """

    task: str
    metric: str
    count: int
    reference: str
    cells: Mapping[str, Cell]


def lines(asks: Sequence[Ask], answers: Mapping[str, Answer], similar: Similar) -> list[Line]:
    """The whole table: quality first, then leaks."""
    by_task: dict[str, dict[str, list[tuple[Job, Answer]]]] = {}
    for ask in asks:
        by_task.setdefault(ask.job.task, {}).setdefault(ask.arm, []).append((ask.job, answers[ask.key]))
    quality, leaks = [], []
    for task, arms in by_task.items():
        jobs = [job for job, _ in arms[OFF]]
        texts = {arm: [answer.text for _, answer in pairs] for arm, pairs in arms.items()}
        if task in METRICS:
            for name, score in METRICS[task]:
                scores = {
                    arm: np.array([score(text, job.truth) for text, job in zip(answered, jobs, strict=True)])
                    for arm, answered in texts.items()
                }
                quality.append(_line(task, name, scores, OFF))
        else:
            close = {arm: similar(answered, texts[OFF]) for arm, answered in texts.items() if arm != OFF}
            quality.append(_line(task, "similarity", close, AGAIN))
        leaks += _leak(task, arms)
    return quality + leaks


def epsilons(asks: Sequence[Ask], answers: Mapping[str, Answer]) -> dict[str, float]:
    """Each arm's mean epsilon a request, where its server tells."""
    spent: dict[str, list[float]] = {}
    for ask in asks:
        epsilon = answers[ask.key].epsilon
        if epsilon is not None:
            spent.setdefault(ask.arm, []).append(epsilon)
    return {arm: float(np.mean(values)) for arm, values in spent.items()}


def refusals(asks: Sequence[Ask], answers: Mapping[str, Answer]) -> dict[str, int]:
    """How many requests of each arm were refused; their answers count as empty."""
    return dict(Counter(ask.arm for ask in asks if answers[ask.key].error))


def _line(task: str, metric: str, scores: Mapping[str, np.ndarray], reference: str) -> Line:
    ones = np.ones(len(scores[reference]))
    cells = {arm: _cell(values, scores[reference], ones, arm == reference) for arm, values in scores.items()}
    return Line(task, metric, len(ones), reference, cells)


def _leak(task: str, arms: Mapping[str, Sequence[tuple[Job, Answer]]]) -> list[Line]:
    """A share of parts, not a mean over questions: a question with many labelled parts weighs more."""
    parts = np.array([len(job.private) for job, _ in arms[OFF]], float)
    if not parts.sum():
        return []
    counts = {
        arm: np.array([leaked(job.private, answer.seen or "") for job, answer in pairs], float)
        for arm, pairs in arms.items()
        if arm != AGAIN and all(answer.seen is not None or answer.error for _, answer in pairs)
    }
    if OFF not in counts:  # a foreign endpoint: it read what it was sent
        counts[OFF] = np.array([leaked(job.private, job.prompt) for job, _ in arms[OFF]], float)
    cells = {arm: _cell(values, counts[OFF], parts, arm == OFF) for arm, values in counts.items()}
    return [Line(task, "labelled parts seen", int(parts.sum()), OFF, cells)]


def _cell(values: np.ndarray, reference: np.ndarray, weights: np.ndarray, same: bool) -> Cell:
    mean = float(values.sum() / weights.sum())
    if same:
        return Cell(mean)
    draws = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    total = np.maximum(weights[draws].sum(1), 1)  # a resample may hold no labelled part at all
    low, high = np.quantile((values - reference)[draws].sum(1) / total, (0.025, 0.975))
    return Cell(mean, float((values - reference).sum() / weights.sum()), float(low), float(high))
