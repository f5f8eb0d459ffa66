"""A person's name in a text: its words, which part of the name each is, and the gender that the text around it says."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence

from cmif.enclave.detect.data import entries
from cmif.enclave.originals import Original, canonical
from cmif.enclave.surrogates import Part, Relation, gender_of
from cmif.enclave.unit import Unit
from cmif.enclave.words import words
from cmif.types import Kind, Piece, Span

_MALE = "mr mister sir herr monsieur señor senor signor lord father brother uncle grandfather king prince"
_FEMALE = "mrs ms miss madam mme mlle frau señora senora signora lady sister aunt grandmother queen princess"
_TITLE = re.compile(
    rf"\b(?:(?P<m>{'|'.join(_MALE.split())})|(?P<f>{'|'.join(_FEMALE.split())})|dr|prof)\.?\s+\Z", re.I
)
_PRONOUN = re.compile(r"\b(?:(?P<m>he|him|his|himself)|(?P<f>she|her|hers|herself))\b", re.I)
_INITIALS = re.compile(r"(?<![\w.])(?:[A-Z]\.[ -]?){1,3}\Z")
_NEAR = 120
"""Characters after a name in which a pronoun means it, if no sentence of another name is in between."""


def name_units(text: str, span: Span, at: int, relations: Container[Relation]) -> Iterable[Unit]:
    """A person's name word by word, so that "Smith" alone shares the draw of "John Smith"; initials belong to the name
    behind them. ``at``: what stands before it is spoken for.
    """
    initials = _INITIALS.search(text, max(at, span.start - 12), span.start)
    start = initials.start() if initials else span.start
    found = [(start + a, start + b) for a, b in words(text[start : span.end])]
    title = _TITLE.search(text, max(at, start - 16), start)
    gender = _gender(text, span, title) if Relation.GENDER in relations else None
    several = len(found) > 1
    first: int | None = None
    for i, (a, b) in enumerate(found):
        written = text[a:b]
        if len(written) == 1 and written.isupper() and i + 1 < len(found):
            first = a if first is None else first
            continue
        part = _part(
            written, last=several and i + 1 == len(found), alone=not several, titled=title is not None
        )
        if first is not None:
            part, a, written, first = Part.INITIALS, first, text[first:b], None
        said = (gender_of(written) or gender) if Relation.GENDER in relations and part is Part.GIVEN else None
        yield Unit(a, b, Kind.PERSON, canonical(Kind.PERSON, written), written, part=part, gender=said)


def initials_before(text: str, start: int, end: int, at: int) -> Unit | None:
    """The unit of initials and the known surname ``text[start:end]`` behind them, if there are any."""
    initials = _INITIALS.search(text, max(at, start - 12), start)
    if initials is None:
        return None
    written = text[initials.start() : end]
    value = canonical(Kind.PERSON, written)
    return Unit(initials.start(), end, Kind.PERSON, value, written, part=Part.INITIALS)


def initialled(rows: Iterable[Sequence[Piece]]) -> list[Original]:
    """For every full name that was replaced its initials and surname, as a model may write it: "M. Cooper" stands for
    "K. Oberhuber" once "Martha Cooper" stands for "Katharina Oberhuber". Not where two names would be written alike.
    """
    alike: dict[str, set[str]] = {}
    for name in (name for row in rows for name in _replaced_names(row)):
        for last in (1, len(name) - 1):
            sent = _short([piece.sent for piece in name], last)
            alike.setdefault(sent, set()).add(_short([piece.text for piece in name], last))
    return [Original(Kind.PERSON, min(said), sent) for sent, said in alike.items() if len(said) == 1]


def _replaced_names(row: Sequence[Piece]) -> Iterable[list[Piece]]:
    """Names of several words, word by word."""
    name: list[Piece] = []
    for piece in (*row, Piece("\n", "\n", "text", 0.0)):
        if piece.kind == Kind.PERSON.value and piece.text.isalpha():
            name.append(piece)
        elif piece.text != " ":
            if len(name) > 1:
                yield name
            name = []


def _short(words: Sequence[str], last: int) -> str:
    """The first ``last`` words by their initials, and the surname."""
    return " ".join([*(f"{word[:1]}." for word in words[:last]), words[-1]])


def _part(word: str, *, last: bool, alone: bool, titled: bool) -> Part:
    if last or (alone and titled):
        return Part.SURNAME
    folded = word.casefold()
    if alone and folded in entries("gazetteer_surname.txt") and folded not in entries("gazetteer_given.txt"):
        return Part.SURNAME
    return Part.GIVEN


def _gender(text: str, span: Span, title: re.Match[str] | None) -> str | None:
    said = title or _PRONOUN.search(text, span.end, span.end + _NEAR)
    if said is None or (said["m"] is None and said["f"] is None):
        said = _PRONOUN.search(text, span.end, span.end + _NEAR)
    return None if said is None else "m" if said["m"] else "f"
