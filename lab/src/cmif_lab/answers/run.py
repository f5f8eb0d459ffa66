"""`cmif eval answers`: from a list of tasks to the table."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cmif_lab.answers import report, table
from cmif_lab.answers.collect import collect, plan
from cmif_lab.answers.jobs import Job
from cmif_lab.eval import models


def minilm(left: Sequence[str], right: Sequence[str]) -> np.ndarray:
    """Cosine of MiniLM's sentence vectors, float32 [n]. Raises InputError where the package is missing."""
    encoder = _encoder()
    product: np.ndarray = (encoder.pool(left) * encoder.pool(right)).sum(1)
    return product


@cache
def _encoder() -> models.Model:
    return models.load("minilm")


def evaluate(jobs: Sequence[Job], servers: Mapping[str, str], kept: Path, command: str) -> dict[str, Any]:
    """Ask ``jobs`` of every server and the unprotected baselines; :func:`report.contract` of the outcome.

    ``kept``: the file of answers, read first and added to. Raises InputError, EngineUnavailableError.
    """
    models.locate("minilm")  # its absence is said before an hour of questions, not after
    asks = plan(jobs, list(servers))
    answers = asyncio.run(collect(asks, servers, kept))
    return report.contract(
        table.lines(asks, answers, minilm),
        table.epsilons(asks, answers),
        table.refusals(asks, answers),
        command,
        answers[asks[0].key].model,
    )
