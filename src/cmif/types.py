"""Frozen values that cross ring borders. Knows nothing about models, sockets or files."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What a span of text is. Entities get surrogates; words go through the mechanism."""

    PERSON = "person"
    PLACE = "place"
    ORGANISATION = "organisation"
    ADDRESS = "address"
    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    NATIONAL_ID = "national_id"
    IP = "ip"
    URL = "url"
    DATE = "date"
    ID = "id"
    SECRET = "secret"  # noqa: S105 (a kind of span, not a password)
    PRIVATE = "private"  # <private>...</private> marks
    WORD = "word"  # a word for the mechanism (special category, content word)


class WordClass(IntEnum):
    """The public class of a word: part of the skeleton that leaks, and what a bucket never mixes."""

    WORD = 0
    NAME = 1
    NUMBER = 2


@dataclass(frozen=True, slots=True)
class Span:
    """``text[start:end]`` is sensitive. Offsets are code points of the text that was given to the detector."""

    start: int
    end: int
    kind: Kind
    detector: str


@dataclass(frozen=True, slots=True)
class Piece:
    """One stretch of a sanitised text, as `cmif inspect` shows it.

    ``kind`` is "text" for what no policy touches, else a :class:`Kind` value. ``epsilon`` is what this piece spent
    now: 0 for kept pieces, for surrogates drawn independently of the value, and for draws remembered from before.
    """

    text: str
    sent: str
    kind: str
    epsilon: float

    @property
    def kept(self) -> bool:
        return self.text == self.sent


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the engine picks tokens. ``temperature`` 0 is greedy; ``seed`` is the engine's and never seeds the noise.

    ``schema`` is a JSON Schema as text, sanitised like the prompt, that the answer must follow; empty for none.
    """

    max_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop_ids: tuple[int, ...] = ()
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logprobs: int = 0
    schema: str = ""


class Report(Protocol):
    """Is told of each step of long work as it begins, and of a long one the share that is done, from 0 to 1."""

    def __call__(self, stage: str, done: float = 0.0) -> None: ...
