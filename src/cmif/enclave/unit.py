"""The unit of replacement: one stretch of a text, and what the conversation knows it by."""

from __future__ import annotations

from dataclasses import dataclass

from cmif.enclave.nodes import Name
from cmif.enclave.special import Form
from cmif.enclave.surrogates import Part
from cmif.types import Kind, WordClass


@dataclass(frozen=True, slots=True)
class Unit:
    """One replaceable stretch ``text[start:end]``. ``value`` is equal for mentions that share one draw.

    ``part`` and ``gender`` ("f", "m") say what is known of a word of a person's name; for what goes through the
    mechanism one of ``word_class`` and ``form`` is set, ``form`` for a member of a public type; ``sent`` is set where
    the conversation's memory already says what is sent for this very spelling.
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
    form: Form | None = None

    @property
    def name(self) -> Name:
        """What the conversation knows this unit by."""
        if self.form is not None:
            return (f"special-{self.form.group}", self.value)
        return (
            self.kind.value if self.word_class is None else f"word-{self.word_class.name.lower()}",
            self.value,
        )

    @property
    def by_mechanism(self) -> bool:
        """Whether it is drawn under epsilon, and not a surrogate or what is remembered already."""
        return self.word_class is not None or self.form is not None
