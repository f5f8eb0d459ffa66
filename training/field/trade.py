"""A trade: which facts its documents hold, the sentences that state them, the questions about them.

A slot is named once and means one fact. ``{slot}`` in a sentence is the fact's value. An answer is one fixed sentence
around the bare value, so that it can be compared exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

from cmif.types import Kind


@dataclass(frozen=True, slots=True)
class Slot:
    """One fact: the kind of its value, ways to ask for it, the answer. ``flavour`` is the trade of an organisation."""

    kind: Kind | str
    questions: tuple[str, ...]
    answer: str
    flavour: str = ""


@dataclass(frozen=True, slots=True)
class Trade:
    """A kind of document. One of the ``lead`` sentences opens it; a ``body`` group holds paraphrases, one is used."""

    name: str
    document: str
    slots: dict[str, Slot]
    lead: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]
    summary: str
    form: tuple[tuple[str, str], ...]
