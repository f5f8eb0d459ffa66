"""Replace what is sensitive in one text: entities by surrogates, words by draws of the mechanism.

Three pure steps, so that nothing is charged before the request is known to fit: :func:`units` finds what to replace,
:func:`draw` draws for what no draw is remembered of, :func:`write` writes the text.

Guarantee, for two conversations with the same skeleton (text outside units, kinds, classes, groups and forms of special
words, case, which units are equal): their sanitised texts are the sum of the charges (``Table.eps_in`` at most) over
the word units in which they differ apart, if each pair of differing words shares a bucket (members of a public type,
:mod:`cmif.enclave.special`, always share their group), and ``Table.eps_out`` a pair otherwise. Entities and
words outside the lexicon cost 0: what replaces them does not depend on their value. Detector misses are not protected.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence, Set

import numpy as np

from cmif.enclave.entities import OFFSET, Entities
from cmif.enclave.finder import Finder, Found
from cmif.enclave.nodes import Drawn, Name
from cmif.enclave.originals import Original, canonical
from cmif.enclave.persons import initials_before, name_units
from cmif.enclave.policy import PrivacyPolicy
from cmif.enclave.special import special, written
from cmif.enclave.surrogates import Offset, Relation
from cmif.enclave.unit import Unit
from cmif.enclave.words import is_stopword, shape, spelling, with_shape, word_class, words
from cmif.privacy.table import Table
from cmif.types import Kind, Piece, Span, WordClass

_FOUND = "conversation"
"""The detector's name of spans that the conversation's own memory found."""


def remembered(text: str, finder: Finder, *, words: bool) -> tuple[list[Span], dict[tuple[int, int], Found]]:
    """Every original of the conversation in ``text``, as spans beside the detectors' own, and what is sent for each.

    ``words`` False leaves words of the mechanism out: in identifiers a program reads them.
    """
    found = [f for f in finder.find(text) if words or f.original.kind is not Kind.WORD]
    return [Span(f.start, f.end, f.original.kind, _FOUND) for f in found], {
        (f.start, f.end): f for f in found
    }


def units(
    text: str,
    spans: Iterable[Span],
    found: Mapping[tuple[int, int], Found],
    policy: PrivacyPolicy,
    table: Table,
    *,
    prose: bool,
) -> tuple[Unit, ...]:
    """The units of ``text`` under ``policy``, in order, disjoint. ``spans`` are merged and sorted.

    Identifiers (``prose`` False) get surrogates for their entities but no mechanism draws.
    """
    return tuple(_units(text, spans, found, policy, table, prose))


def outside(text: str, found: Sequence[Unit], finder: Finder) -> tuple[Unit, ...]:
    """``found`` and whatever else ``finder`` sees outside them; a hit that covers whole units takes their place."""
    out = list(found)
    for hit in finder.find(text):
        over = [u for u in out if u.start < hit.end and u.end > hit.start]
        if any(u.start < hit.start or u.end > hit.end or u.value == _value(hit) for u in over):
            continue
        out = [u for u in out if u not in over]
        said = text[hit.start : hit.end]
        out.append(Unit(hit.start, hit.end, hit.original.kind, _value(hit), said, sent=hit.sent))
    return tuple(sorted(out, key=lambda u: u.start))


def draw(
    wanted: Iterable[Unit],
    known: Callable[[Name], Drawn | None],
    taken: Set[str],
    table: Table,
    relations: Container[Relation] = frozenset(Relation),
) -> dict[Name, Drawn]:
    """Draws for the units of which ``known`` has none, and what is to be remembered beside them (see
    :mod:`cmif.enclave.entities`). Surrogates differ from each other and from ``taken``.

    Distinctness is enforced among surrogates, which are independent of the values; mechanism draws may collide.
    """
    units = [u for u in wanted if u.sent is None]
    out = Entities(known, taken, relations).draw(u for u in units if not u.by_mechanism)
    fresh: dict[Name, Unit] = {}
    for unit in units:
        if unit.by_mechanism and known(unit.name) is None:
            fresh.setdefault(unit.name, unit)
    worded = {name: (unit, unit.word_class) for name, unit in fresh.items() if unit.word_class is not None}
    drawn = _report_noisy_max([(unit.value, cls) for unit, cls in worded.values()], table)
    for (name, (unit, _)), (word, epsilon) in zip(worded.items(), drawn, strict=True):
        out[name] = Drawn(Kind.WORD, unit.written, word, epsilon)
    for name, unit in fresh.items():
        if unit.form is not None:
            made, epsilon = special().drawn(unit.form, table.eps_in)
            out[name] = Drawn(Kind.WORD, unit.written, written(made, unit.written, unit.form), epsilon)
    return out


def write(text: str, found: Sequence[Unit], drawn: Callable[[Name], Drawn | None]) -> tuple[Piece, ...]:
    """``text`` with every unit replaced, in pieces that joined by ``text`` give it back."""
    out: list[Piece] = []
    at = 0
    for unit in found:
        if unit.start > at:
            out.append(Piece(text[at : unit.start], text[at : unit.start], "text", 0.0))
        out.append(Piece(unit.written, _written_like(unit, drawn), unit.kind.value, 0.0))
        at = unit.end
    if at < len(text):
        out.append(Piece(text[at:], text[at:], "text", 0.0))
    return tuple(out)


def _units(
    text: str,
    spans: Iterable[Span],
    found: Mapping[tuple[int, int], Found],
    policy: PrivacyPolicy,
    table: Table,
    prose: bool,
) -> Iterable[Unit]:
    at = 0
    sensitive, every = policy.special_words and prose, policy.every_word and prose
    for span in spans:
        hit = found.get((span.start, span.end)) or _bare_hit(text, span, found)
        word = span.kind is Kind.WORD and hit is None
        if word and not sensitive:
            continue
        if every:
            yield from _word_units(text, at, span.start, policy, table)
            at = span.start  # initials before a name were words just now
        if hit is not None:
            person = hit.original.kind is Kind.PERSON
            whole = initials_before(text, hit.start, hit.end, at) if person else None
            said = text[hit.start : hit.end]
            yield whole or Unit(hit.start, hit.end, hit.original.kind, _value(hit), said, sent=hit.sent)
        elif word:
            yield from _special_units(text, span.start, span.end, policy, table)
        elif span.kind is Kind.PERSON:
            yield from name_units(text, span, at, policy.relations)
        else:
            said = text[span.start : span.end]
            yield Unit(span.start, span.end, span.kind, canonical(span.kind, said), said)
        at = span.end
    if every:
        yield from _word_units(text, at, len(text), policy, table)


def _value(hit: Found) -> str:
    return canonical(hit.original.kind, hit.original.original)


def _bare_hit(text: str, span: Span, found: Mapping[tuple[int, int], Found]) -> Found | None:
    """The original that is all a span says but for signs around it: "Okafor" of "@Okafor"."""
    start, end = span.start, span.end
    while start < end and not text[start].isalnum():
        start += 1
    while start < end and not text[end - 1].isalnum():
        end -= 1
    return found.get((start, end))


def _special_units(text: str, start: int, end: int, policy: PrivacyPolicy, table: Table) -> Iterable[Unit]:
    """The members of public types, and the other words between them."""
    at = start
    for a, b, form in special().find(text[start:end]):
        group = special().groups[form.group]
        if not group.hides(table.k):
            continue
        yield from _word_units(text, at, start + a, policy, table, every=True)
        at = start + b
        yield Unit(start + a, at, Kind.WORD, group.name_of(form), text[start + a : at], form=form)
    yield from _word_units(text, at, end, policy, table, every=True)


def _word_units(
    text: str, start: int, end: int, policy: PrivacyPolicy, table: Table, *, every: bool = False
) -> Iterable[Unit]:
    for a, b in words(text[start:end]):
        said = text[start + a : start + b]
        if not every and not policy.stopwords and is_stopword(said):
            continue
        cls = word_class(said, table.index)
        yield Unit(start + a, start + b, Kind.WORD, spelling(said, cls), said, word_class=cls)


def _report_noisy_max(wanted: Sequence[tuple[str, WordClass]], table: Table) -> list[tuple[str, float]]:
    """One draw a word with its cost: `Table.epsilon_of` inside the lexicon, 0 outside it (uniform over the class)."""
    indices = [table.index(word, cls) for word, cls in wanted]
    inside = [i for i in indices if i is not None]
    drawn = iter(table.sample(np.array(inside, dtype=np.int64)).tolist() if inside else ())
    out = []
    for index, (_, cls) in zip(indices, wanted, strict=True):
        if index is not None:
            out.append((table.words[next(drawn)], table.epsilon_of(index)))
        else:
            out.append((table.words[int(table.sample_class(cls, 1)[0])], 0.0))
    return out


def _written_like(unit: Unit, drawn: Callable[[Name], Drawn | None]) -> str:
    """What is sent for a unit as it is written here: case and layout of the mention are skeleton."""
    if unit.sent is not None:
        return unit.sent
    made = drawn(unit.name)
    assert made is not None, "every unit has a draw before it is written"
    if unit.form is not None and (member := special().read(made.sent, unit.form.group)) is not None:
        return written(special().like(member, unit.form), unit.written, unit.form)
    if unit.by_mechanism:
        return with_shape(made.sent, shape(unit.written))
    if unit.written == made.written:
        return made.sent
    hits = Finder([Original(unit.kind, made.written, made.sent)]).find(unit.written)
    if len(hits) == 1 and (hits[0].start, hits[0].end) == (0, len(unit.written)):
        return hits[0].sent
    offset = drawn(OFFSET) if unit.kind is Kind.DATE else None
    moved = None if offset is None else Offset.parse(offset.sent).moved(unit.written)
    if moved is not None:
        return moved
    return made.sent.upper() if len(unit.written) > 1 and unit.written.isupper() else made.sent
