"""Notes that are routine or urgent: `DIR/notes.tsv`, one a line, a text, a tab and the label."""

from __future__ import annotations

from pathlib import Path

from cmif.errors import InputError
from cmif_lab.eval.tasks import Example, Task

_LABELS = ("routine", "urgent")


def notes(data: Path | None) -> Task:
    """Every fourth note is held out for the test."""
    if data is None:
        raise InputError("the task `notes` reads notes.tsv", hint="give its folder with --data DIR")
    rows = [line.split("\t") for line in (data / "notes.tsv").read_text("utf-8").splitlines()]
    examples = [Example((text,), _LABELS.index(label)) for text, label in rows]
    test = tuple(examples[::4])
    train = tuple(e for i, e in enumerate(examples) if i % 4)
    return Task("notes", _LABELS, ("calm", "urgent"), "Note: {0}\nThis is", train, test)
