"""What a detector is, and how the answers of several become one. Knows nothing about any kind's patterns."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cmif.enclave.detect.code import without_code
from cmif.enclave.detect.plain import Reading, readings
from cmif.enclave.detect.public import KeptPublic, judge
from cmif.enclave.detect.settle import settled
from cmif.errors import DetectorError
from cmif.types import Kind, Span


class Detector(Protocol):
    """Finds what is sensitive in one text. Any exception closes the request (:func:`detect`).

    It is given the text as a reader sees it (:mod:`plain`): it need not know invisible characters or escapes.
    """

    @property
    def name(self) -> str: ...

    def detect(self, text: str) -> list[Span]:
        """Spans of ``text`` in any order, overlaps allowed. Offsets are code points of ``text``."""
        ...


# Two spans of the same length: the first in this order names the kind.
_PRIORITY = (
    Kind.PRIVATE, Kind.SECRET, Kind.EMAIL, Kind.IBAN, Kind.CARD, Kind.NATIONAL_ID, Kind.URL, Kind.IP,
    Kind.DATE, Kind.PHONE, Kind.ADDRESS, Kind.ID, Kind.PERSON, Kind.ORGANISATION, Kind.PLACE, Kind.WORD,
)  # fmt: skip
_RANK = {kind: rank for rank, kind in enumerate(_PRIORITY)}
_ABOVE_LENGTH = {Kind.PRIVATE: 0, Kind.SECRET: 1}
_BELOW_LENGTH = {Kind.WORD: 3}


@dataclass(frozen=True, slots=True)
class Detection:
    """``spans``: what is private, sorted and disjoint. ``kept``: what was found and stays as public knowledge."""

    spans: tuple[Span, ...]
    kept: tuple[KeptPublic, ...] = ()


def detect_all(
    text: str, detectors: Sequence[Detector], marked: Sequence[Span] = (), *, keep_public: bool = True
) -> tuple[Span, ...]:
    """The spans of :func:`detect`."""
    return detect(text, detectors, marked, keep_public=keep_public).spans


def detect(
    text: str, detectors: Sequence[Detector], marked: Sequence[Span] = (), *, keep_public: bool = True
) -> Detection:
    """Every detector's spans and the ``marked`` ones, merged: sorted by start, disjoint, not empty. ``marked`` is what
    the user or the conversation knows to be private.

    What any detector found stays covered: where spans overlap, PRIVATE and then SECRET win, then the
    longer, then the kind that comes first in a fixed order; the loser keeps the part that is left
    (:func:`merge`). With ``keep_public`` names that everybody knows stay (:mod:`public`). A detector with an
    attribute ``decides``, a set of kinds, has the last word between those kinds
    and none about others. Raises :class:`DetectorError` when a detector fails or answers with a span outside the
    text; the message names the detector and never quotes the text.
    """
    found = list(marked)
    _check(text, "marks", found)
    seen = readings(text)
    for detector in detectors:
        name = _name(detector)
        for reading in seen:
            try:
                spans = list(detector.detect(reading.text))
            except Exception as error:  # a detector may be anyone's plug-in
                raise DetectorError(
                    f"The detector {name!r} failed ({type(error).__name__}), so the request was refused."
                ) from None
            _check(reading.text, name, spans)
            found.extend(spans if reading.text == text else map(_in_original(reading), spans))
    decides: dict[str, frozenset[Kind]] = {
        _name(detector): getattr(detector, "decides", frozenset()) for detector in detectors
    }
    voters = frozenset(name for name, kinds in decides.items() if kinds)
    votes = sorted((s for s in found if s.kind in decides.get(s.detector, ())), key=lambda s: s.start)
    merged = settled(text, without_code(text, merge(text, found, last=voters)), votes)
    judged = Detection(*judge(text, merged)) if keep_public else Detection(merged)
    if not marked:
        return judged
    # What is known to be private is no detector's guess: neither code nor public knowledge takes it back.
    whole = merge(text, [*marked, *judged.spans], last=voters)
    starts = [span.start for span in whole]
    return Detection(whole, tuple(k for k in judged.kept if not _overlaps(k, whole, starts)))


def _overlaps(kept: KeptPublic, spans: Sequence[Span], starts: Sequence[int]) -> bool:
    before = bisect_left(starts, kept.end) - 1
    return before >= 0 and spans[before].end > kept.start


def _in_original(reading: Reading) -> Callable[[Span], Span]:
    return lambda span: Span(*reading.original(span.start, span.end), span.kind, span.detector)


def merge(text: str, spans: Iterable[Span], last: frozenset[str] = frozenset()) -> tuple[Span, ...]:
    """Disjoint spans, sorted, that cover every letter and digit the given ones cover. Of two that are equally long,
    one of a detector in ``last`` names the kind only where no other does.
    """
    ordered = sorted(
        spans,
        key=lambda s: (
            _ABOVE_LENGTH.get(s.kind, _BELOW_LENGTH.get(s.kind, 2)),
            s.start - s.end,
            s.detector in last,
            s.detector != "columns",  # a heading says the kind
            _RANK[s.kind],
            s.start,
        ),
    )
    starts: list[int] = []
    ends: list[int] = []  # of what is taken so far, parallel to `starts`
    chosen: list[Span] = []
    for span in ordered:
        for start, end in _uncovered(span, starts, ends):
            at = bisect_left(starts, start)
            starts.insert(at, start)
            ends.insert(at, end)  # what is trimmed below is taken too, so no weaker kind claims it
            if (start, end) == (span.start, span.end):
                chosen.append(span)
                continue
            start, end = _trim(text, start, end)
            if start < end:
                chosen.append(Span(start, end, span.kind, span.detector))
    return tuple(sorted(chosen, key=lambda s: s.start))


def _uncovered(span: Span, starts: list[int], ends: list[int]) -> list[tuple[int, int]]:
    """The parts of ``span`` outside the disjoint sorted intervals ``starts``, ``ends``."""
    free: list[tuple[int, int]] = []
    at = bisect_left(starts, span.start)
    position = max(span.start, ends[at - 1]) if at else span.start
    while at < len(starts) and starts[at] < span.end:
        if position < starts[at]:
            free.append((position, starts[at]))
        position = max(position, ends[at])
        at += 1
    if position < span.end:
        free.append((position, span.end))
    return free


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Without punctuation and space at either side, which carry nothing once their neighbours are
    replaced.
    """
    while start < end and not text[start].isalnum():
        start += 1
    while start < end and not text[end - 1].isalnum():
        end -= 1
    return start, end


def _check(text: str, name: str, spans: Sequence[Span]) -> None:
    for span in spans:
        if not (
            isinstance(span, Span) and isinstance(span.kind, Kind) and 0 <= span.start < span.end <= len(text)
        ):
            raise DetectorError(
                f"The detector {name!r} answered with something that is not a span of the text, "
                "so the request was refused."
            )


def _name(detector: Detector) -> str:
    try:
        return str(detector.name)[:64]
    except Exception:
        return type(detector).__name__
