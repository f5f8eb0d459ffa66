"""What is asked: one :class:`Job` a question, from files of public data and from :mod:`notes`.

Layout of the data folder: ``nq_open/dev_first_half.jsonl`` (question, answer: list), ``gsm8k/test_first_half.jsonl``
(question, answer ending in `#### NUMBER`), ``mts-dialog/MTS-Dialog-ValidationSet.csv`` (dialogue),
``pupa/PUPA_TNB.csv`` (user_query, redacted_query, pii_units, predicted_category), and ``books`` for the case of
NQ-open. Knows nothing about servers.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from cmif.enclave.detect import default_detectors, detect_all
from cmif.errors import InputError
from cmif.types import Kind
from cmif_lab.answers import casing, notes
from cmif_lab.answers.scores import leaked

MASK = "[MASK]"
T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """``prompt`` in three forms: as typed, ``masked`` (entities replaced by a mask), and ``nothing`` (what is left
    when the private text is not sent at all).

    ``truth`` holds the accepted answers; empty where the unprotected answer is the yardstick. ``private`` are labelled
    parts of ``prompt`` that its writer would hide.
    """

    task: str
    number: int
    prompt: str
    masked: str
    nothing: str
    truth: tuple[str, ...]
    private: tuple[str, ...]
    max_tokens: int


def mask_entities(text: str) -> str:
    """``text`` with every entity that the default detectors find replaced by the mask."""
    for span in reversed(detect_all(text, default_detectors())):
        if span.kind is not Kind.WORD:
            text = text[: span.start] + MASK + text[span.end :]
    return text


def _mask_parts(text: str, parts: Sequence[str]) -> str:
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, MASK)
    return text


def _nq(data: Path, count: int) -> list[Job]:
    ask = "Answer with a name, a date or a few words."
    known = casing.from_books(data)
    jobs = []
    for number, row in _sample(_json_lines(data / "nq_open" / "dev_first_half.jsonl"), count):
        question = casing.cased(row["question"], known)
        masked = f"{mask_entities(question)} {ask}"
        jobs.append(Job("nq", number, f"{question} {ask}", masked, ask, tuple(row["answer"]), (), 24))
    return jobs


def _gsm8k(data: Path, count: int) -> list[Job]:
    ask = "Solve it step by step and end with the final number."
    jobs = []
    for number, row in _sample(_json_lines(data / "gsm8k" / "test_first_half.jsonl"), count):
        question, truth = row["question"], row["answer"].rpartition("####")[2].strip()
        masked = f"{mask_entities(question)}\n\n{ask}"
        jobs.append(Job("gsm8k", number, f"{question}\n\n{ask}", masked, ask, (truth,), (), 128))
    return jobs


def _notes(_data: Path, count: int) -> list[Job]:
    jobs = []
    for number, note in enumerate(notes.generate(count)):
        ask = f"{note.question} Answer in a few words."
        masked = f"{_mask_parts(note.text, note.private)}\n\n{ask}"
        jobs.append(
            Job("notes", number, f"{note.text}\n\n{ask}", masked, ask, (note.truth,), note.private, 24)
        )
    return jobs


def _summaries(data: Path, count: int) -> list[Job]:
    ask = "Summarise this talk between a doctor and a patient in two sentences."
    texts = [
        " ".join(row["dialogue"].split())
        for row in _table(data / "mts-dialog" / "MTS-Dialog-ValidationSet.csv")
    ]
    fitting = [text for text in texts if 40 <= len(text.split()) <= 150]
    return [
        Job("summaries", number, f"{ask}\n\n{text}", f"{ask}\n\n{mask_entities(text)}", ask, (), (), 64)
        for number, text in _sample(fitting, count)
    ]


def _pupa(data: Path, count: int) -> list[Job]:
    rows = [
        row
        for row in _table(data / "pupa" / "PUPA_TNB.csv")
        if row["user_query"].isascii() and len(row["user_query"]) <= 900 and _units(row)
    ]
    jobs = []
    for number, row in _sample(rows, count):
        nothing = f"Please help me with {row['predicted_category']}."
        masked = row["redacted_query"].replace("[REDACTED]", MASK)
        whole = tuple(
            u for u in _units(row) if leaked((u,), row["user_query"])
        )  # some stand only inside a word
        jobs.append(Job("pupa", number, row["user_query"], masked, nothing, (), whole, 80))
    return jobs


def _units(row: dict[str, str]) -> tuple[str, ...]:
    """PUPA's labelled units; one or two letters are slips of its labelling ("d" for "the")."""
    units = (unit.strip() for unit in row["pii_units"].split("||"))
    return tuple(u for u in units if len(u) > 2 and u.lower() in row["user_query"].lower())


TASKS: dict[str, tuple[int, Callable[[Path, int], list[Job]]]] = {
    "nq": (100, _nq),
    "gsm8k": (60, _gsm8k),
    "notes": (60, _notes),
    "summaries": (30, _summaries),
    "pupa": (40, _pupa),
}
"""Name -> how many jobs by default, and its reader."""


def load(data: Path | None, counts: dict[str, int]) -> list[Job]:
    """The jobs of every task in ``counts``, in its order; ``data`` may be None where only `notes` is asked. Raises
    InputError.
    """
    jobs = []
    for task, count in counts.items():
        if task not in TASKS:
            raise InputError(f"Unknown task {task!r}.", hint=f"One of: {', '.join(TASKS)}.")
        if data is None and task != "notes":
            raise InputError(f"Task {task!r} needs a folder of files.", hint="Give it with --data DIR.")
        try:
            found = TASKS[task][1](data or Path(), count)
        except (ValueError, KeyError, csv.Error) as error:
            raise InputError(f"A file of {task} does not follow the format: {type(error).__name__}.") from None
        if not found:
            raise InputError(f"The files of {task} hold no question.")
        jobs += found
    return jobs


def _sample(rows: Sequence[T], count: int) -> list[tuple[int, T]]:
    """``count`` rows with their places, the same every time; all of them where there are fewer."""
    places = sorted(Random(0).sample(range(len(rows)), min(count, len(rows))))
    return [(place, rows[place]) for place in places]


def _open(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path.parent.name}/{path.name} is missing in the data folder.")
    return path.read_text("utf-8-sig")


def _json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _open(path).splitlines() if line.strip()]


def _table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(_open(path).splitlines(keepends=True)))
