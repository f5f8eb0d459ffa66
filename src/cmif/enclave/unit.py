"""The unit of replacement: one stretch of a text, and what the conversation knows it by."""

from __future__ import annotations

from dataclasses import dataclass

from cmif.enclave.conversation import Name
from cmif.enclave.surrogates import Part
from cmif.types import Kind, WordClass


@dataclass(frozen=True, slots=True)
class Unit:
    """One replaceable stretch ``text[start:end]``. ``value`` is equal for mentions that share one draw.

    ``part`` and ``gender`` ("f", "m") say what is known of a word of a person's name; ``word_class`` is set for
    mechanism words only; ``sent`` is set where the conversation's memory already says what is sent for this very
    spelling.
    """

    start: int
    end: int
    kind: Kind
    value: str
    written: str
    part: Part | None = None
    gender: str | None = None
    word_class: WordClass | None = None
    sent: str | None = None

    @property
    def name(self) -> Name:
        """What the conversation knows this unit by."""
        return (
            self.kind.value if self.word_class is None else f"word-{self.word_class.name.lower()}",
            self.value,
        )
