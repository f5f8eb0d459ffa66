"""Mentions that belong together get surrogates that belong together, as far as the policy lets them."""

from __future__ import annotations

import re

import pytest

from cmif.enclave.detect import default_detectors, detect_all
from cmif.enclave.entities import OFFSET, Entities
from cmif.enclave.nodes import Drawn, Name
from cmif.enclave.persons import name_units
from cmif.enclave.surrogates import Part, Relation, gender_of
from cmif.enclave.surrogates.lists import place_groups
from cmif.enclave.surrogates.names import organisation, short_name
from cmif.enclave.unit import Unit
from cmif.types import Kind, Span

ALL = frozenset(Relation)


class Memory:
    def __init__(self, relations: frozenset[Relation] = ALL) -> None:
        self.known: dict[Name, Drawn] = {}
        self.relations = relations

    def sent(self, kind: Kind, text: str, *written: str) -> list[str]:
        """What each of ``written``, in ``text``, is sent as."""
        units: list[Unit] = []
        for w in written:
            span = Span(text.index(w), text.index(w) + len(w), kind, "test")
            units += name_units(text, span, 0, self.relations) if kind is Kind.PERSON else [Unit(span.start, span.end, kind, w.casefold(), w)]
        self.known |= Entities(self.known.get, {d.sent for d in self.known.values()}, self.relations).draw(units)
        return [self.known[u.name].sent for u in units]


@pytest.mark.parametrize(
    ("text", "name", "gender"),
    [
        ("Aria Okafor called.", "Aria Okafor", "f"),
        ("Robert came.", "Robert", "m"),
        ("Quillon came and lost his wallet.", "Quillon", "m"),
        ("Quillon said she would come.", "Quillon", "f"),
        ("Mrs. Quillon Vane called.", "Quillon Vane", "f"),
    ],
)
def test_a_surrogate_keeps_the_gender_that_name_title_or_pronoun_says(text: str, name: str, gender: str) -> None:
    for _ in range(20):
        assert gender_of(Memory().sent(Kind.PERSON, text, name)[0]) == gender


def test_gender_is_closed_by_the_policy() -> None:
    closed = {gender_of(Memory(ALL - {Relation.GENDER}).sent(Kind.PERSON, "Robert came.", "Robert")[0]) for _ in range(60)}
    assert {"f", "m"} <= closed  # one gender sixty times over has probability 2^-59


def test_when_every_initial_of_a_surname_is_taken_another_name_is_drawn() -> None:
    memory = Memory()
    sent = {memory.sent(Kind.PERSON, f"by {c}. Okafor", f"{c}. Okafor")[0] for c in map(chr, range(65, 91))}
    assert len(sent) == 26
    more = Unit(0, 9, Kind.PERSON, "one more", "A. Okafor", part=Part.INITIALS)
    drawn = Entities(memory.known.get, {d.sent for d in memory.known.values()}, ALL).draw([more])[more.name].sent
    assert drawn not in sent
    assert "Okafor" not in drawn


def test_an_initial_with_an_accent_is_not_sent() -> None:
    assert {Memory().sent(Kind.PERSON, "by É Okafor", "É Okafor")[0][0] for _ in range(9)} <= set(map(chr, range(65, 91)))


def test_initials_and_full_name_agree_in_either_order() -> None:
    memory = Memory()
    given, surname = memory.sent(Kind.PERSON, "Aria Okafor", "Aria Okafor")
    assert memory.sent(Kind.PERSON, "by A. Okafor", "A. Okafor") == [f"{given[0]}. {surname}"]
    memory = Memory()
    (short,) = memory.sent(Kind.PERSON, "by A. Okafor", "A. Okafor")
    given, surname = memory.sent(Kind.PERSON, "Aria Okafor", "Aria Okafor")
    assert short == f"{given[0]}. {surname}"
    assert memory.sent(Kind.PERSON, "Anna Okafor", "Anna Okafor")[0] != given


def test_initials_in_front_of_a_found_surname_leave_with_it() -> None:
    text = "signed by J.R. Okafor"
    (unit,) = name_units(text, Span(text.index("Okafor"), len(text), Kind.PERSON, "test"), 0, ALL)
    assert unit.written == "J.R. Okafor"


def test_a_mailbox_follows_its_owner_and_gives_no_other_letter() -> None:
    memory = Memory()
    given, surname = memory.sent(Kind.PERSON, "Aria Okafor", "Aria Okafor")
    (mail,) = memory.sent(Kind.EMAIL, "aria.okafor77@lotus.com", "aria.okafor77@lotus.com")
    assert mail.startswith(f"{given}.{surname}@".lower())
    assert mail.endswith(".example")
    assert not re.search("77|lotus|okafor", mail)


def test_two_mailboxes_of_one_person_differ() -> None:
    memory = Memory()
    memory.sent(Kind.PERSON, "Aria Okafor", "Aria Okafor")
    seen = {memory.sent(Kind.EMAIL, m, m)[0] for m in (f"aria.okafor@site{i}.com" for i in range(200))}
    assert len(seen) == 200


@pytest.mark.parametrize("written", ["Mercy Hospital", "Lotus Bank", "Hill Street Court", "Brandt GmbH", "Vale Dental Clinic"])
def test_an_organisation_keeps_its_public_head_nouns_only(written: str) -> None:
    sent = Memory().sent(Kind.ORGANISATION, written, written)[0]
    assert sent.split()[-1] == written.split()[-1]
    assert not set(sent.split()) & {"Mercy", "Lotus", "Hill", "Brandt", "Vale"}
    assert sent != Memory(ALL - {Relation.TYPE}).sent(Kind.ORGANISATION, written, written)[0]


def test_a_university_of_a_town_stays_a_university_of_one() -> None:
    sent = organisation("University of Leeds", (), lambda n: 0, ALL, None)
    assert sent.startswith("University of ")
    assert "Leeds" not in sent
    assert short_name("University of Leeds") is None


def test_short_and_long_names_of_an_organisation_share_a_word_in_either_order() -> None:
    for first, second in (("Lotus", "Lotus Bank"), ("Lotus Bank", "Lotus")):
        memory = Memory()
        a, b = (memory.sent(Kind.ORGANISATION, w, w)[0] for w in (first, second))
        assert a.split()[0] == b.split()[0] != "Lotus"


def test_places_stay_in_their_country_and_countries_are_countries() -> None:
    for written, group in (("Lyon", "FR"), ("Lagos", "NG"), ("Kenya", "country"), ("Ohio", "US state"), ("Kent", "UK county")):
        sent = Memory().sent(Kind.PLACE, written, written)[0]
        assert group in place_groups()[sent.casefold()]
        assert sent != written


@pytest.mark.parametrize("kind", [Kind.PLACE, Kind.ORGANISATION, Kind.ADDRESS, Kind.EMAIL])
@pytest.mark.parametrize("relations", [ALL, frozenset[Relation]()])
def test_nothing_runs_out(kind: Kind, relations: frozenset[Relation]) -> None:
    memory = Memory(relations)
    written = [f"Ag{i}x Bank" for i in range(1500)]
    assert len(set(memory.sent(kind, " ; ".join(written), *written))) == 1500


def test_a_conversation_has_one_offset_and_none_where_the_policy_closes_it() -> None:
    memory = Memory()
    memory.sent(Kind.DATE, "2024-05-03", "2024-05-03")
    offset = memory.known[OFFSET]
    assert offset.written == offset.sent, "it is no original"
    memory.sent(Kind.DATE, "2024-05-10", "2024-05-10")
    assert memory.known[OFFSET] == offset
    closed = Memory(ALL - {Relation.DATES})
    closed.sent(Kind.DATE, "2024-05-03", "2024-05-03")
    assert OFFSET not in closed.known


def test_the_detectors_and_the_units_agree_on_a_whole_letter() -> None:
    text = "Ms. Aria Reid met A. Okafor. Reid and A. Okafor left."
    spans = [s for s in detect_all(text, default_detectors(), ()) if s.kind is Kind.PERSON]
    assert [u.written for s in spans for u in name_units(text, s, 0, ALL)] == ["Aria", "Reid", "A. Okafor", "Reid", "A. Okafor"]


def test_a_long_name_holds_what_its_parts_are_called() -> None:
    memory = Memory()
    short, long = memory.sent(Kind.ORGANISATION, "Safran and Veltro Safran Services", "Safran", "Veltro Safran Services")
    assert re.fullmatch(rf"[A-Z][a-z]+ {short} Services", long)
    assert "Veltro" not in long
