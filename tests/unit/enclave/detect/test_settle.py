from __future__ import annotations

import pytest

from cmif.enclave.detect import detect_all
from cmif.types import Kind, Span

from .conftest import Found


class Says:
    """A detector that calls every mention of its word one kind."""

    def __init__(self, name: str, word: str, kind: Kind, decides: frozenset[Kind] = frozenset()) -> None:
        self.name, self.word, self.kind, self.decides = name, word, kind, decides

    def detect(self, text: str) -> list[Span]:
        at = text.find(self.word)
        return [Span(at, at + len(self.word), self.kind, self.name)] if at >= 0 else []


BOTH = frozenset({Kind.PERSON, Kind.PLACE})


@pytest.mark.parametrize(
    ("spelt", "voted", "settled"),
    [
        (Kind.PERSON, Kind.PLACE, Kind.PLACE), (Kind.PLACE, Kind.PERSON, Kind.PERSON),
        (Kind.ORGANISATION, Kind.PLACE, Kind.PLACE), (Kind.ORGANISATION, Kind.PERSON, Kind.ORGANISATION),
        (Kind.SECRET, Kind.PERSON, Kind.SECRET), (Kind.DATE, Kind.PLACE, Kind.DATE),
    ],
)  # fmt: skip
def test_a_vote_counts_between_person_and_place_only(spelt: Kind, voted: Kind, settled: Kind) -> None:
    spans = detect_all("we saw Brugstad today", [Says("names", "Brugstad", spelt), Says("model", "Brugstad", voted, BOTH)])
    assert [s.kind for s in spans] == [settled]


def test_a_detector_that_decides_nothing_has_no_vote() -> None:
    spans = detect_all("we saw Brugstad", [Says("names", "Brugstad", Kind.PERSON), Says("x", "Brugstad", Kind.PLACE)])
    assert [s.kind for s in spans] == [Kind.PERSON]


def test_a_company_of_several_words_stays_one() -> None:
    spans = detect_all("at Brugstad Ltd", [Says("a", "Brugstad Ltd", Kind.ORGANISATION), Says("b", "Brugstad", Kind.PLACE, BOTH)])
    assert [s.kind for s in spans] == [Kind.ORGANISATION]


@pytest.mark.parametrize(
    ("text", "town"),
    [
        ("Write to 12 Acacia Road\nBrugstad\n", "Brugstad"), ("Write to 12 Acacia Road, Brugstad.", "Brugstad"),
        ("12 Acacia Road\n> Brugstad\n> Norway\n", "Norway"), ("Mr Cole flew to Brugstad on Monday", "Brugstad"),
        ("she arrived at Brugstad late", "Brugstad"), ("I'm originally from Brugstad", "Brugstad"),
        ("in my home city Brugstad", "Brugstad"),
    ],
)  # fmt: skip
def test_a_name_that_stands_where_towns_do_is_a_place(found: Found, text: str, town: str) -> None:
    assert any(town in value and kind in ("place", "address") for value, kind in found(text))


def test_a_person_below_an_address_stays_a_person(found: Found) -> None:
    assert ("Anna Weber", "person") in found("12 Acacia Road\nAnna Weber\n")
