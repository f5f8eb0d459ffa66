"""The kinds of names once everything is found: what a neighbour or a model says about a name that spelling left open.

It moves no border and drops nothing: a span keeps its place and may change between PERSON, PLACE and ORGANISATION,
which decides the list its surrogate comes from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cmif.enclave.detect.lists import lists
from cmif.types import Kind, Span

_OPEN = frozenset({Kind.PERSON, Kind.PLACE, Kind.ORGANISATION})
_NEXT_LINE = re.compile(r"[ \t,.]{0,4}(?:\r?\n[ \t>?*|-]{0,8}){1,3}")
_SAME_LINE = re.compile(r",?[ ]{1,3}")


def settled(text: str, spans: Sequence[Span], votes: Sequence[Span]) -> tuple[Span, ...]:
    """``spans``, disjoint and sorted, with the kind of the first of ``votes`` (sorted) that touches each, and PLACE
    for a name that follows a street or a postcode as a town does.
    """
    kept: list[Span] = []
    i = 0
    for at, span in enumerate(spans):
        while i < len(votes) and votes[i].end <= span.start:
            i += 1
        kind = span.kind
        if kind in _OPEN:
            written = text[span.start : span.end]
            listed = lists().names.get(written.lower()) is Kind.PLACE and kind is Kind.PLACE
            voted = i < len(votes) and votes[i].start < span.end and not listed
            one_word = " " not in written
            if voted and (kind is not Kind.ORGANISATION or (one_word and votes[i].kind is Kind.PLACE)):
                kind = votes[i].kind
            following = spans[at + 1] if at + 1 < len(spans) else None
            if (kept and _is_town(text, kept, span)) or (
                following and _is_over_country(text, span, following)
            ):
                kind = Kind.PLACE
        kept.append(Span(span.start, span.end, kind, span.detector) if kind is not span.kind else span)
    return tuple(kept)


def _is_town(text: str, before: list[Span], span: Span) -> bool:
    """Whether ``span`` stands where a town or country does: on the line after an address, or directly behind it."""
    last = before[-1]
    gap = text[last.end : span.start]
    if _begins_as_a_person(text, span) or not (_NEXT_LINE.fullmatch(gap) or _SAME_LINE.fullmatch(gap)):
        return False
    if last.kind is Kind.ADDRESS:
        return True
    # a country under its town
    return last.kind is Kind.PLACE and len(before) > 1 and before[-2].kind is Kind.ADDRESS and "\n" in gap


def _is_over_country(text: str, span: Span, following: Span) -> bool:
    """Whether a line of its own names a listed place below ``span``, as a country stands under a town."""
    below = following.kind is Kind.PLACE and _NEXT_LINE.fullmatch(text[span.end : following.start])
    listed = lists().names.get(text[following.start : following.end].lower()) is Kind.PLACE
    return bool(below) and listed and not _begins_as_a_person(text, span)


def _begins_as_a_person(text: str, span: Span) -> bool:
    return re.split(r"[\s.]", text[span.start : span.end], maxsplit=1)[0].lower() in lists().given
