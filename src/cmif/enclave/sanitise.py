"""Replace what is sensitive: entities by surrogates, words by draws of the mechanism.

Three pure steps, so that nothing is charged before the request is known to fit:
:func:`plan` finds the units, :func:`draw` makes sealed draws for those not remembered, :func:`apply` writes the text.

Guarantee, for two conversations with the same skeleton (text outside units, kinds, classes, case, which units are
equal): their sanitised texts are the sum of ``Table.eps_in`` over the word units in which they differ apart, if each
pair of differing words shares a bucket, and ``Table.eps_out`` a pair otherwise. Entities and words outside the lexicon
cost 0: what replaces them does not depend on their value. Detector misses are not protected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cmif.enclave import surrogates
from cmif.enclave.memo import Draw, MemoCipher
from cmif.enclave.policy import Policy
from cmif.enclave.restore import unambiguous
from cmif.enclave.segment import Segment
from cmif.enclave.words import is_stopword, shape, spelling, with_shape, word_class, words
from cmif.privacy.table import Table
from cmif.types import Kind, Piece, Span, WordClass


@dataclass(frozen=True, slots=True)
class Unit:
    """One replaceable stretch ``text[start:end]``. ``value`` is equal for mentions that share one draw.

    ``last`` marks the last of several words of a person's name; ``word_class`` is set for mechanism words only.
    """

    start: int
    end: int
    kind: Kind
    value: str
    written: str
    last: bool = False
    word_class: WordClass | None = None

    @property
    def name(self) -> tuple[str, str]:
        """What the memo knows this unit by."""
        return (
            self.kind.value if self.word_class is None else f"word-{self.word_class.name.lower()}",
            self.value,
        )


@dataclass(frozen=True, slots=True)
class Sanitised:
    """``pieces`` per text; ``originals`` maps what was sent to what it stands for; ``ambiguous`` is never restored."""

    pieces: tuple[tuple[Piece, ...], ...]
    originals: Mapping[str, str]
    ambiguous: frozenset[str]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple("".join(piece.sent for piece in pieces) for pieces in self.pieces)


Plan = tuple[tuple[Unit, ...], ...]
"""The units of each text, in order, not overlapping."""


def plan(segments: Sequence[Segment], spans: Sequence[Sequence[Span]], policy: Policy, table: Table) -> Plan:
    """The units of each segment under ``policy``. ``spans`` are merged, sorted detector spans, one sequence a segment.

    Identifiers (``Segment.prose`` False) get surrogates for their entities but no mechanism draws.
    """
    return tuple(
        tuple(_units(segment, found, policy, table)) for segment, found in zip(segments, spans, strict=True)
    )


def draw(
    planned: Plan, known: Mapping[bytes, bytes], table: Table, cipher: MemoCipher, conversation: bytes
) -> dict[bytes, Draw]:
    """Sealed draws for every unit not in ``known``, entities distinct from every surrogate of the conversation.

    Distinctness is enforced among surrogates, which are independent of the values; mechanism draws may collide.
    Raises :class:`IntegrityError` if a remembered draw does not open, :class:`MechanismError` if a list is used up.
    """
    fresh: dict[bytes, Unit] = {}
    for unit in sorted((u for units in planned for u in units), key=lambda u: not u.last):
        key = cipher.unit(conversation, *unit.name)
        if key not in known:
            fresh.setdefault(key, unit)
    out: dict[bytes, Draw] = {}
    taken = {cipher.open(key, sealed) for key, sealed in known.items()}
    for key, unit in fresh.items():
        if unit.word_class is None:
            surrogate = _surrogate(unit, taken)
            taken.add(surrogate)
            out[key] = Draw(cipher.seal(key, surrogate), epsilon=0.0)
    worded = [
        (key, unit.value, unit.word_class) for key, unit in fresh.items() if unit.word_class is not None
    ]
    for (key, _, _), (word, epsilon) in zip(
        worded, _report_noisy_max([(v, c) for _, v, c in worded], table), strict=True
    ):
        out[key] = Draw(cipher.seal(key, word), epsilon)
    return out


def apply(
    texts: Sequence[str],
    planned: Plan,
    settled: Mapping[bytes, bytes],
    charged: Mapping[bytes, float],
    cipher: MemoCipher,
    conversation: bytes,
) -> Sanitised:
    """Write the texts with the settled draws. ``charged`` says what each unit costs now; the first mention shows it."""
    unpaid = dict(charged)
    pieces: list[tuple[Piece, ...]] = []
    sent_for: list[tuple[str, str]] = []
    kept: list[str] = []
    for text, units in zip(texts, planned, strict=True):
        row: list[Piece] = []
        at = 0
        for unit in units:
            if unit.start > at:
                row.append(Piece(text[at : unit.start], text[at : unit.start], "text", 0.0))
                kept.append(row[-1].text)
            key = cipher.unit(conversation, *unit.name)
            sent = _written_like(cipher.open(key, settled[key]), unit)
            row.append(Piece(unit.written, sent, unit.kind.value, unpaid.pop(key, 0.0)))
            sent_for.append((sent, unit.written))
            at = unit.end
        if at < len(text):
            row.append(Piece(text[at:], text[at:], "text", 0.0))
            kept.append(row[-1].text)
        pieces.append(tuple(row))
    originals, ambiguous = unambiguous(sent_for, kept)
    return Sanitised(tuple(pieces), originals, ambiguous)


def _units(segment: Segment, spans: Iterable[Span], policy: Policy, table: Table) -> Iterable[Unit]:
    text, at = segment.text, 0
    special, every = policy.special_words and segment.prose, policy.every_word and segment.prose
    for span in spans:
        word = span.kind is Kind.WORD
        if (word and not special) or (not word and not policy.entities):
            continue
        if every:
            yield from _word_units(text, at, span.start, policy, table)
        if word:
            yield from _word_units(text, span.start, span.end, policy, table, special=True)
        elif span.kind is Kind.PERSON:
            yield from _name_units(text, span)
        else:
            written = text[span.start : span.end]
            yield Unit(span.start, span.end, span.kind, " ".join(written.split()).casefold(), written)
        at = span.end
    if every:
        yield from _word_units(text, at, len(text), policy, table)


def _name_units(text: str, span: Span) -> Iterable[Unit]:
    """A person's name word by word, so that "Smith" alone shares the draw of "John Smith"."""
    found = [(span.start + a, span.start + b) for a, b in words(text[span.start : span.end])]
    for start, end in found:
        last = len(found) > 1 and end == found[-1][1]
        yield Unit(start, end, Kind.PERSON, text[start:end].casefold(), text[start:end], last=last)


def _word_units(
    text: str, start: int, end: int, policy: Policy, table: Table, *, special: bool = False
) -> Iterable[Unit]:
    for a, b in words(text[start:end]):
        written = text[start + a : start + b]
        if not special and not policy.stopwords and is_stopword(written):
            continue
        cls = word_class(written, table.index)
        yield Unit(start + a, start + b, Kind.WORD, spelling(written, cls), written, word_class=cls)


def _report_noisy_max(wanted: Sequence[tuple[str, WordClass]], table: Table) -> list[tuple[str, float]]:
    """One draw a word with its cost: ``eps_in`` inside the lexicon, 0 outside it (uniform over the class)."""
    indices = [table.index(word, cls) for word, cls in wanted]
    inside = [i for i in indices if i is not None]
    drawn = iter(table.sample(np.array(inside, dtype=np.int64)).tolist() if inside else ())
    out = []
    for index, (_, cls) in zip(indices, wanted, strict=True):
        if index is not None:
            out.append((table.words[next(drawn)], table.eps_in))
        else:
            out.append((table.words[int(table.sample_class(cls, 1)[0])], 0.0))
    return out


def _surrogate(unit: Unit, taken: set[str]) -> str:
    if unit.kind is Kind.PERSON:
        return surrogates.draw_name_word(unit.last, taken)
    return surrogates.draw(unit.kind, unit.written, taken)


def _written_like(drawn: str, unit: Unit) -> str:
    """Case of words and names is skeleton: the draw is written the way the original was."""
    if unit.word_class is not None:
        return with_shape(drawn, shape(unit.written))
    if (
        unit.kind in (Kind.PERSON, Kind.PLACE, Kind.ORGANISATION)
        and len(unit.written) > 1
        and unit.written.isupper()
    ):
        return drawn.upper()
    return drawn
