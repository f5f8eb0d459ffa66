"""All texts of one request on their way: what is known already, what is new, and what of it is replaced."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cmif.enclave.conversation import Conversation
from cmif.enclave.detect import Detector, detect
from cmif.enclave.entities import OFFSET
from cmif.enclave.finder import Finder
from cmif.enclave.nodes import Drawn, Name
from cmif.enclave.originals import Original
from cmif.enclave.policy import PrivacyPolicy
from cmif.enclave.reckoned import Reckoned
from cmif.enclave.sanitise import draw, outside, remembered, units, write
from cmif.enclave.segment import Segment
from cmif.enclave.surrogates import Offset
from cmif.enclave.unit import Unit
from cmif.privacy.table import Table
from cmif.types import Kind, Piece, Span


@dataclass(frozen=True, slots=True)
class Stretch:
    """``text[start:end]`` of a new segment: ``raw`` is what the engine wrote for it, None for the client's own words,
    of which ``units`` are replaced (offsets from ``start``).
    """

    start: int
    end: int
    raw: str | None
    units: tuple[Unit, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """``known``: pieces of the texts that were sent before, by place. ``new``: stretches of the others."""

    texts: tuple[Segment, ...]
    known: Mapping[int, tuple[Piece, ...]]
    new: Mapping[int, tuple[Stretch, ...]]

    def placed(self, fresh: Mapping[Name, Drawn]) -> dict[Name, tuple[Segment, int, Drawn]]:
        """Each new draw with the first text that needs it, and where in it; what is remembered beside the draws goes
        with the first of its kind.
        """
        first: dict[Name, tuple[Segment, int]] = {}
        of_kind: dict[Kind, tuple[Segment, int]] = {}
        for i, stretches in self.new.items():
            for stretch in stretches:
                for unit in stretch.units:
                    place = (self.texts[i], stretch.start + unit.start)
                    first.setdefault(unit.name, place)
                    of_kind.setdefault(unit.kind, place)
        return {name: (*(first.get(name) or of_kind[drawn.kind]), drawn) for name, drawn in fresh.items()}

    def write(
        self, conversation: Conversation, fresh: Mapping[Name, Drawn]
    ) -> tuple[tuple[Piece, ...], ...]:
        """Every text in pieces. A value that is new in this request is replaced wherever else the request says it."""

        def drawn(name: Name) -> Drawn | None:
            return fresh.get(name) or conversation.drawn(name)

        units = (u for row in self.new.values() for s in row for u in s.units if u.sent is None)
        mentioned = dict.fromkeys(u.name for u in units)
        made = [d for name in mentioned if (d := drawn(name)) is not None and d.kind is not Kind.WORD]
        finder = Finder(Original(d.kind, d.written, d.sent) for d in made if d.written != d.sent)
        out = []
        for i, segment in enumerate(self.texts):
            if i in self.known:
                out.append(self.known[i])
                continue
            row: list[Piece] = []
            for stretch in self.new[i]:
                text = segment.text[stretch.start : stretch.end]
                if stretch.raw is not None:
                    row.append(Piece(text, stretch.raw, "answer", 0.0))
                else:
                    row.extend(write(text, outside(text, stretch.units, finder), drawn))
            out.append(tuple(row))
        return tuple(out)

    def priced(
        self, written: Sequence[tuple[Piece, ...]], settled: Mapping[Name, Drawn]
    ) -> tuple[tuple[Piece, ...], ...]:
        """``written`` with what each piece spent now: the first mention of a draw that was paid for here shows it."""
        unpaid = {name: d.epsilon for name, d in settled.items() if d.epsilon > 0}
        if not unpaid:
            return tuple(written)
        out = []
        for i, pieces in enumerate(written):
            names = iter([u.name for s in self.new.get(i, ()) for u in s.units if u.by_mechanism])
            row = []
            for piece in pieces:
                name = next(names, None) if piece.kind == Kind.WORD.value else None
                row.append(replace(piece, epsilon=unpaid.pop(name, 0.0)) if name in unpaid else piece)
            out.append(tuple(row))
        return tuple(out)


def _one_kind(
    new: Mapping[int, tuple[Stretch, ...]], kinds: Mapping[str, Kind]
) -> dict[int, tuple[Stretch, ...]]:
    """Units of one value under one kind, the first, so that "@Okafor" shares the surrogate of "Okafor"."""
    first = dict(kinds)

    def same(unit: Unit) -> Unit:
        if unit.by_mechanism or unit.sent is not None:
            return unit
        kind = first.setdefault(unit.value, unit.kind)
        return unit if kind is unit.kind else replace(unit, kind=kind)

    return {i: tuple(replace(s, units=tuple(map(same, s.units))) for s in row) for i, row in new.items()}


def _within(units: Sequence[Unit], start: int, end: int) -> tuple[Unit, ...]:
    return tuple(
        replace(u, start=u.start - start, end=u.end - start)
        for u in units
        if start <= u.start and u.end <= end
    )


def reckoned_in(conversation: Conversation) -> Reckoned | None:
    """What reads the dates that an engine reckons from those of the conversation; None where none was moved."""
    offset = conversation.drawn(OFFSET)
    days = [(o.surrogate, o.original) for o in conversation.originals() if o.kind is Kind.DATE]
    return Reckoned(Offset.parse(offset.sent), days) if offset and days else None


class Drafts:
    """Makes drafts under one policy, with its detectors and its table."""

    def __init__(self, policy: PrivacyPolicy, detectors: Sequence[Detector], table: Table) -> None:
        self._policy = policy
        self._detectors = tuple(detectors)
        self._table = table

    def plan(self, texts: tuple[Segment, ...], conversation: Conversation) -> Draft:
        """What is known of each text; for what is new, its units. Raises :class:`DetectorError`."""
        known: dict[int, tuple[Piece, ...]] = {}
        new: dict[int, tuple[Stretch, ...]] = {}
        finder: Finder | None = None
        reckoned: Reckoned | None = None
        for i, segment in enumerate(texts):
            pieces = conversation.known(segment)
            if pieces is not None:
                known[i] = pieces
                continue
            if finder is None:
                finder = Finder(o for o in conversation.originals() if self._searched(o))
                reckoned = reckoned_in(conversation)
            new[i] = self._stretches(segment, conversation, finder, reckoned)
        return Draft(texts, known, _one_kind(new, conversation.kinds()) if new else new)

    def draw(self, draft: Draft, conversation: Conversation) -> dict[Name, Drawn]:
        """New draws for every unit of the draft that the conversation has none of."""
        wanted = [u for stretches in draft.new.values() for s in stretches for u in s.units]
        return draw(wanted, conversation.drawn, conversation.surrogates() if wanted else set(), self._table,
                    self._policy.relations)  # fmt: skip

    def detect(
        self, segment: Segment, marked: Sequence[Span], reckoned: Reckoned | None = None
    ) -> tuple[Span, ...]:
        """The merged spans of a text, ``marked`` ones included. What ``reckoned`` may have shown is not public.

        Raises :class:`DetectorError`.
        """
        if not self._policy.entities:
            return ()
        text, public = segment.text, self._policy.keeps_public
        found = detect(text, self._detectors, marked, keep_public=public)
        dates = [k for k in found.kept if k.kind is Kind.DATE] if reckoned else []
        again = [Span(k.start, k.end, k.kind, "") for k in dates if reckoned and reckoned.shown(text[k.start : k.end])]
        if again:
            found = detect(text, self._detectors, [*marked, *again], keep_public=public)
        return found.spans

    def _stretches(
        self, segment: Segment, conversation: Conversation, finder: Finder, reckoned: Reckoned | None
    ) -> tuple[Stretch, ...]:
        """Units are found in the whole text, since what the engine wrote ("MRN:") can be what says that the client's
        words beside it are private; those of them that are the engine's own words are dropped. A value that only
        begins or ends in words of the engine is the client's.
        """
        units = self._units(segment, finder, reckoned)
        own: list[tuple[int, int]] = []
        while True:
            cut = conversation.stretches(segment, own)
            ends = [end for _, end, _ in cut]
            across = [(u.start, u.end) for u in units if ends[bisect_right(ends, u.start)] < u.end]
            if not across:
                break
            own += across
        return tuple(
            Stretch(start, end, raw, () if raw is not None else _within(units, start, end))
            for start, end, raw in cut
        )

    def _units(self, segment: Segment, finder: Finder, reckoned: Reckoned | None) -> tuple[Unit, ...]:
        if not self._policy.entities:
            return ()
        spans, found = remembered(segment.text, finder, words=segment.prose)
        merged = self.detect(segment, [*segment.private, *spans], reckoned)
        return units(segment.text, merged, found, self._policy, self._table, prose=segment.prose)

    def _searched(self, original: Original) -> bool:
        """A policy that draws for every word finds its words by itself."""
        return original.kind is not Kind.WORD or not self._policy.every_word
