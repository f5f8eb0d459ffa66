"""Surrogates for one request's new entities: each beside what the conversation remembers of those it belongs to.

Beside the draws of its units a conversation remembers, under names that no unit has, its offset of dates, which given
name goes with an initial and a surname, and how an organisation is called short.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Container, Iterable, Sequence, Set

from cmif.enclave import surrogates
from cmif.enclave.nodes import Drawn, Name
from cmif.enclave.originals import canonical
from cmif.enclave.surrogates import Offset, Part, RandBelow, Relation
from cmif.enclave.unit import Unit
from cmif.enclave.words import words
from cmif.types import Kind

OFFSET: Name = ("offset", "")

_COMPOSED = frozenset({Kind.ORGANISATION, Kind.PLACE, Kind.ADDRESS})
_LETTER = re.compile(r"[^\W\d_]")
_TRIES = 256
"""For initials that no other name has: of 26 people whose surname is one, every initial is taken."""
_LONG = 2
_HELD = 12
"""Words of a name that another name holds."""


class Entities:
    """Draws for entities. ``known`` is the conversation's memory, ``taken`` what surrogates must differ from."""

    def __init__(
        self,
        known: Callable[[Name], Drawn | None],
        taken: Set[str],
        relations: Container[Relation],
        randbelow: RandBelow = secrets.randbelow,
    ) -> None:
        self._known = known
        self._used = set(taken)
        self._relations = relations
        self._randbelow = randbelow
        self.made: dict[Name, Drawn] = {}

    def draw(self, wanted: Iterable[Unit]) -> dict[Name, Drawn]:
        """What is made for those of ``wanted`` (in the order of the text) that are new, and what goes with it."""
        units = list(wanted)
        new = [u for u in units if self._known(u.name) is None]
        dates = [u.written for u in new if u.kind is Kind.DATE]
        if dates and Relation.DATES in self._relations and self._called(OFFSET) is None:
            self._note(OFFSET, Kind.DATE, str(Offset.draw(dates, self._randbelow)))
        pairs = list(_full_names(units))
        for given, surname in pairs:
            self._reserved(given, surname)
        by_order = sorted(new, key=_order)
        for unit in by_order:
            if not _late(unit):
                self._draw(unit)
        for given, surname in pairs:
            name, sent = _given(given.written, surname.value), self._called(given.name)
            if sent is not None and self._called(name) is None:
                self._note(name, Kind.PERSON, sent)
        for unit in by_order:
            if _late(unit):
                self._draw(unit)
        return self.made

    def _draw(self, unit: Unit) -> None:
        if unit.name not in self.made:
            self._make(unit, self._surrogate(unit))

    def _reserved(self, given: Unit, surname: Unit) -> None:
        """ "Aria Okafor" after "A. Okafor" is called by the name that the initial stood for."""
        name = _given(given.written, surname.value)
        sent, over = self._called(("initial", name[1])), ("initial-used", name[1])
        if sent is not None and self._called(given.name) is None and self._called(over) is None:
            self._make(given, sent)
            self._note(over, Kind.PERSON, sent)

    def _surrogate(self, unit: Unit) -> str:
        if unit.kind is Kind.PERSON:
            return self._person(unit)
        if unit.kind is Kind.EMAIL:
            return surrogates.mailbox(unit.written, self._used, self._randbelow, self._person_called)
        if unit.kind is Kind.DATE and (offset := self._called(OFFSET)) is not None:
            moved = Offset.parse(offset).moved
            for more in range(366):
                made = moved(unit.written, more)
                if made is None:
                    break
                if made not in self._used:
                    return made
        if unit.kind in _COMPOSED and (composed := self._composed(unit)) is not None:
            return composed
        short = surrogates.short_name(unit.written) if unit.kind is Kind.ORGANISATION else None
        if short is None or Relation.TYPE not in self._relations:
            return surrogates.draw(unit.kind, unit.written, self._used, self._randbelow, self._relations)
        known = self._called(("short", short))
        made = surrogates.draw(unit.kind, unit.written, self._used, self._randbelow, self._relations, known)
        if known is None:
            self._note(("short", short), Kind.ORGANISATION, made.split()[0])
        return made

    def _composed(self, unit: Unit) -> str | None:
        """A name of several words that holds names which are called something: "Safran" is "Melcroft", so "Safran
        Services" is "Melcroft Services". Public head nouns stay, whatever else it says becomes one invented name.
        """
        said = unit.written.split()
        bare = [
            canonical(unit.kind, word.strip('.,()"').removesuffix("'s").removesuffix("’s")) for word in said
        ]
        out: list[str] = []
        linked, invented, i = False, False, 0
        while i < len(said):
            ends = range(min(len(said), i + _HELD), i, -1)
            end = next((j for j in ends if j - i < len(said) and self._called_so(" ".join(bare[i:j]))), None)
            if end is not None:
                out.append(self._called_so(" ".join(bare[i:end])) or "")
                linked, i = True, end
                continue
            if surrogates.head_noun(said[i]) and Relation.TYPE in self._relations:
                out.append(said[i])
            elif not invented:
                out.append(surrogates.stem(self._used, self._randbelow))
                invented = True
            i += 1
        made = " ".join(out)
        return made if linked and made not in self._used else None

    def _called_so(self, value: str) -> str | None:
        sent = (self._called((kind.value, value)) for kind in _COMPOSED | {Kind.PERSON})
        return next((s for s in sent if s is not None), None) if len(value) > _LONG else None

    def _person(self, unit: Unit) -> str:
        if unit.part is Part.INITIALS:
            return self._initials(unit)
        owner = self._owner(unit.written) if _user_name(unit) else None
        if owner is not None and owner not in self._used:
            return owner
        part = unit.part or Part.GIVEN
        return surrogates.name_word(part, unit.gender, self._used, self._randbelow)

    def _initials(self, unit: Unit) -> str:
        """The initials of a surrogate given name before the surname's surrogate: "A. Okafor" -> "L. Wilson"."""
        written = unit.written
        surname = written[words(written)[-1][0] :]
        value = canonical(Kind.PERSON, surname)
        sent = self._called(("person", value))
        if sent is None:
            sent = surrogates.name_word(Part.SURNAME, None, self._used, self._randbelow)
            self._make(Unit(unit.start, unit.end, Kind.PERSON, value, surname), sent)
        name = _given(written, value)
        given = self._called(name)
        if given is None:
            given = surrogates.name_word(Part.GIVEN, None, self._used, self._randbelow)
            self._used.add(given)
            self._note(name, Kind.PERSON, given)
            self._note(("initial", name[1]), Kind.PERSON, given)
        letters = iter([given[:1], *(chr(65 + self._randbelow(26)) for _ in written)])
        head = written[: len(written) - len(surname)]
        made = _LETTER.sub(lambda _: next(letters), head) + sent
        for _ in range(_TRIES):
            if made not in self._used:
                return made
            made = _LETTER.sub(lambda _: chr(65 + self._randbelow(26)), head) + sent
        return surrogates.name_word(Part.SURNAME, None, self._used, self._randbelow)

    def _owner(self, written: str) -> str | None:
        """A user name of a known person's: "aokafor" -> "lwilson"."""
        sent = self._called(("person", written[1:])) if len(written) > 4 else None
        if sent is None:
            return None
        given = self._called(_given(written, written[1:])) or surrogates.name_word(
            Part.GIVEN, None, self._used, self._randbelow
        )
        return f"{given[:1]}{sent}".lower()

    def _person_called(self, word: str) -> str | None:
        return self._called(("person", canonical(Kind.PERSON, word)))

    def _called(self, name: Name) -> str | None:
        drawn = self.made.get(name) or self._known(name)
        return None if drawn is None else drawn.sent

    def _make(self, unit: Unit, sent: str) -> None:
        self._used.add(sent)
        self.made[unit.name] = Drawn(unit.kind, unit.written, sent)

    def _note(self, name: Name, kind: Kind, text: str) -> None:
        """Remembered, and no original: what was written is what is sent."""
        self.made[name] = Drawn(kind, text, text)


def _order(unit: Unit) -> tuple[int, int]:
    """Surnames before given names, short names of organisations before long ones."""
    return int(unit.part is not Part.SURNAME), len(unit.written.split())


def _late(unit: Unit) -> bool:
    """Whether the unit's surrogate is made of those of others."""
    return unit.kind is Kind.EMAIL or unit.part is Part.INITIALS or _user_name(unit)


def _user_name(unit: Unit) -> bool:
    return unit.part is Part.GIVEN and unit.written.islower()


def _full_names(units: Sequence[Unit]) -> Iterable[tuple[Unit, Unit]]:
    """Each first given name with the surname that ends its name."""
    first: Unit | None = None
    end = 0
    for unit in units:
        if (
            unit.part is None
            or unit.kind is not Kind.PERSON
            or (first is not None and unit.start - end not in (1, 2))
        ):
            first = None
        if unit.part is Part.SURNAME and first is not None:
            yield first, unit
            first = None
        elif unit.part is Part.GIVEN and first is None:
            first = unit
        end = unit.end


def _given(given: str, surname: str) -> Name:
    return ("given", f"{given[:1].casefold()} {surname}")
