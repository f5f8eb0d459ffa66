from __future__ import annotations

import pytest

from cmif.enclave.detect.names import Names
from cmif.enclave.detect.tokens import Written, sentences

from .conftest import Found

FOUND = [
    ("Dear Dr. Anna Weber, thank you", [("Anna Weber", "person")]),
    ("I met J. R. Smith and Ludwig van Beethoven.", [("J. R. Smith", "person"), ("Ludwig van Beethoven", "person")]),
    ("Anna's report for Mary O'Brien-Smith", [("Anna", "person"), ("Mary O'Brien-Smith", "person")]),
    ("ask Xiu about it", [("Xiu", "person")]),
    ("Xiu called.", [("Xiu", "person")]),
    ("Mark called yesterday.", [("Mark", "person")]),
    ("Yesterday Anna came.", [("Anna", "person")]),
    ("I spoke with Grace and Will Smith.", [("Grace", "person"), ("Will Smith", "person")]),
    ("Jan Novak and April Jones", [("Jan Novak", "person"), ("April Jones", "person")]),
    ("He moved from Oslo to Springfield.", [("Oslo", "place"), ("Springfield", "place")]),
    ("a flat in Trondvik", [("Trondvik", "place")]),
    ("She lives in New South Wales.", [("New South Wales", "place")]),
    ("at Alder Bank Ltd", [("Alder Bank Ltd", "organisation")]),
    ("the University of Oslo", [("University of Oslo", "organisation")]),
    ("to St. Mary's Hospital", [("St. Mary's Hospital", "organisation")]),
    ("The Royal Free Hospital", [("Royal Free Hospital", "organisation")]),
    ("for Marks and Spencer Ltd", [("Marks and Spencer Ltd", "organisation")]),
    ("I work for IBM", [("IBM", "organisation")]),
    ("MARIA GONZALEZ WAS SEEN TODAY", [("MARIA GONZALEZ", "person")]),
    ("my name is xu qiwen", [("xu qiwen", "person")]),
    ("my name is: xu qiwen", [("xu qiwen", "person")]),
    ("He parked on Mill Lane.", [("Mill Lane", "place")]),
    ("He relies on Diane Lane.", [("Diane Lane", "person")]),
    ("hi i'm tom from leeds, my boss karen o'neill", [("tom", "person"), ("leeds", "place"), ("karen o'neill", "person")]),
    ("The backhoe was rented to Mission Landscaping on December 4.", [("Mission Landscaping", "organisation")]),
    ("Draft a mail to Blessing informing her.", [("Blessing", "place")]),
    ("Dividends, which Crown Point received, were small.", [("Crown Point", "person")]),
    ("I spoke with mr.Rana about it.", [("Rana", "person")]),
    ("I saw Ms Farthing and Mr Bean's son.", [("Farthing", "person"), ("Bean", "person")]),
    ("the late Mrs E. M. Farthing", [("E. M. Farthing", "person")]),
    ("Signed, J. Farthing", [("J. Farthing", "person")]),
    ("04 MAY  Whitcombe paid", [("Whitcombe", "person")]),
    ('logger.info(f"admitted by Dr. Wöhrle");', [("Wöhrle", "person")]),
    ("Ástríður Jónsdóttir", [("Ástríður Jónsdóttir", "person")]),
]

NOT_FOUND = [
    "Bitte fassen Sie zusammen: Versichertennummer, Aufnahme, Hausarzt.",
    "Bonjour, rédige une lettre. Mon mari y habite.",
    "Hola, mi jefe no me paga. Mijn huisarts zegt dat.",
    "TypeError: Cannot read properties of undefined.",
    "Take max 4 g a day, 10 IU, on NASDAQ. The subnet is val.",
    "Our tool supports Decentralized Exchange and pays out daily.",
    "Her duties include Logistics, cleaning and filing.",
    "Please read Gift Card terms and sign.",
    "Please write a short summary of the Patient History.",
    "The Tenant shall pay the Landlord under this Agreement.",
    "Mark the box. Will you come? Hope this helps. Bill me.",
    "On Monday in May I went out. Merry Christmas!",
    "Write Python code that reads a JSON file from a URL.",
    "How've you been? I'm fine.",
    "PLEASE READ THIS BEFORE YOU START",
    "B. Difficult question\nC. Late hour",
    "It is fragile quiet syndrome (FQS), and FQS is rare.",
    "She said I was right.",
]


@pytest.mark.parametrize(("text", "names"), FOUND)
def test_names_without_their_titles(text: str, names: list[tuple[str, str]]) -> None:
    assert sorted((text[s.start : s.end], s.kind.value) for s in Names().detect(text)) == sorted(names)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_capitals_that_are_no_names(text: str) -> None:
    assert [text[s.start : s.end] for s in Names().detect(text)] == []


def test_a_condition_with_a_person_in_it_is_a_word_for_the_mechanism(found: Found) -> None:
    kinds = dict(found("She has Parkinson's disease."))
    assert kinds["Parkinson's disease"] == "word"


def test_tokens_say_how_they_are_written() -> None:
    [first, second] = sentences("Dr. O'Brien's URLs went. Next")
    assert [(t.text, t.written, t.possessive) for t in first] == [
        ("Dr", Written.CAPITALISED, False),
        ("O'Brien", Written.CAPITALISED, True),
        ("URLs", Written.UPPER, False),
        ("went", Written.LOWER, False),
    ]
    assert [t.starts for t in first] == [True, False, False, False]
    assert second[0].starts
