"""Every spelling that may be restored is one that is found again."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.finder import Finder
from cmif.enclave.originals import Original, canonical, spellings
from cmif.enclave.restore import Restorer
from cmif.types import Kind

NAME = Original(Kind.PERSON, "Okafor", "Wilson")
CARD = Original(Kind.CARD, "4539 1488 0343 6467", "4111 2222 3333 4444")
DAY = Original(Kind.DATE, "14 March 2024", "17 May 2021")
BANK = Original(Kind.ORGANISATION, "Lotusia Bank", "Haldenia Trust")
PHRASE = Original(Kind.PRIVATE, "the merger closes on friday", "secret-0a1b2c3d")


def sent(text: str, *originals: Original) -> str:
    at, out = 0, []
    for found in Finder(originals).find(text):
        out += [text[at : found.start], found.sent]
        at = found.end
    return "".join(out) + text[at:]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Okafor", "Wilson"),
        ("OKAFOR and okafor", "WILSON and wilson"),
        ("get_okafor_name #Okafor @Okafor $Okafor$", "get_wilson_name #Wilson @Wilson $Wilson$"),
        ("pre-Okafor-post getOkaforName getokaforname", "pre-Wilson-post getWilsonName getwilsonname"),
        ("the Okafors, Okafor's", "the Wilsons, Wilson's"),
        ("Oka\u200bfor Oka\u00adfor %4Fkafor &#79;kafor", "Wilson Wilson Wilson Wilson"),
        ("okafor2 2okafor", "wilson2 2wilson"),
        ("Okáfor, OKÁFOR", "Wilson, WILSON"),
    ],
)
def test_a_name_is_found_at_any_boundary(said: str, expected: str) -> None:
    assert sent(said, NAME) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Rose", "the prosecutor rose early"),
        ("Hall", "we shall see, challenge and hall"),
        ("Mark", "a remarkable market, please mark it"),
        ("May", "it may be"),
        ("Ann", "planning the annual cannon"),
        ("Li", "a client in Berlin likes it"),
        ("Mark", "Denmark"),
        ("John", "Mr Johnson"),
    ],
)
def test_ordinary_words_stay_whole(name: str, text: str) -> None:
    assert sent(text, Original(Kind.PERSON, name, "Wilson")) == text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("4539148803436467", "4111222233334444"),
        ("4539-1488-0343-6467", "4111-2222-3333-4444"),
        ("4539\u00a01488\u00a00343\u00a06467", "4111 2222 3333 4444"),
        ("id4539148803436467x", "id4111222233334444x"),
        ("45391488034364679", "41112222333344449"),
        ("4539-14880343-6467", "4111-22223333-4444"),
        ("45 39 14 88\n03 43 64 67", "41 11 22 22\n33 33 44 44"),
        ("4539 1488, 0343 6467", "4111 2222, 3333 4444"),
        ("| 4539 | 1488 |\n| 0343 | 6467 |", "| 4111 | 2222 |\n| 3333 | 4444 |"),
    ],
)
def test_a_number_is_found_in_other_groups(said: str, expected: str) -> None:
    assert sent(said, CARD) == expected


PARTED: dict[str, Callable[[str], str]] = {
    "quotation": lambda said: "> " + said.replace(" ", "\n>> "),
    "comment": lambda said: "# " + said.replace(" ", "\n# "),
    "emphasis": lambda said: said.replace(" ", "** **"),
    "table": lambda said: said.replace(" ", " | "),
    "tags": lambda said: said.replace(" ", "</b><br> <i>"),
    "identifier": lambda said: said.replace(" ", "_"),
    "nothing": lambda said: said.replace(" ", ""),
    "form": lambda said: said.replace(" ", "+"),
    "escapes": lambda said: said.replace(" ", "\\n"),
    "quoted-printable": lambda said: said.replace(" ", "=20"),
    "a line's end in a word": lambda said: f"{said[:5]}=\n{said[5:]}",
    "letters apart": " ".join,
    "hexadecimal escapes": lambda said: "".join(f"\\x{ord(c):02x}" for c in said),
}


@pytest.mark.parametrize("parted", PARTED)
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.PRIVATE, "the merger closes on friday"), (Kind.SECRET, "correct horse battery staple"), (Kind.IBAN, "DE89 3704 0044"),
        (Kind.ADDRESS, "14 Tannenhang Road"), (Kind.ORGANISATION, "Saint Brannock Hospital"), (Kind.PHONE, "07700 900 123"),
    ],
)  # fmt: skip
def test_a_value_is_found_whatever_stands_between_its_words(kind: Kind, value: str, parted: str) -> None:
    text = sent(f"So:\n{PARTED[parted](value)} and so on", Original(kind, value, "Zzz"))
    assert [word for word in value.casefold().split(" ") if len(word) > 3 and word in text.casefold().replace(" ", "")] == []


def test_a_part_of_an_address_with_its_number_is_the_address() -> None:
    home = Original(Kind.ADDRESS, "14 Tannenhang Road, Ilkeston DE7 5QF", "3 Elm Street")
    assert sent("at 14 tannenhang road, or", home) == "at 3 Elm Street, or"


@pytest.mark.parametrize("text", ["at 55:32:91 or 55,32,91", "the pre-sent tune, mar in a field"])
def test_what_two_words_make_by_chance_is_no_value(text: str) -> None:
    assert sent(text, Original(Kind.ID, "553291", "Zzz"), Original(Kind.PERSON, "Marina", "Zoe")) == text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2024-03-14", "2021-05-17"),
        ("March 14, 2024", "May 17, 2021"),
        ("14/03/2024 and 03/14/2024", "17/05/2021 and 05/17/2021"),
        ("14.03.24", "17.05.21"),
        ("14th of March", "17th of May"),
    ],
)
def test_a_date_is_found_in_other_layouts(said: str, expected: str) -> None:
    assert sent(said, DAY) == expected


def test_a_date_that_two_countries_read_differently_is_not_rewritten() -> None:
    unclear = Original(Kind.DATE, "03/04/2024", "05/06/2021")
    assert sent("3/4/2024, 03.04.24", unclear) == "5/6/2021, 05.06.21"
    assert sent("3 April 2024", unclear) == "3 April 2024"


def test_a_phrase_is_found_over_line_breaks_and_a_name_by_its_first_word() -> None:
    assert sent("The merger\ncloses  on Friday.", PHRASE) == "secret-0a1b2c3d."
    assert sent("Lotusia  Bank; LOTUSIA; Lotusia said", BANK) == "Haldenia Trust; HALDENIA; Haldenia said"


def test_a_name_of_several_words_is_found_as_an_identifier_and_by_its_telling_word() -> None:
    clinic = Original(Kind.ORGANISATION, "Quillmere Hospital", "Acorn Group")
    assert sent("quillmere_hospital QuillmereHospital Quillmere-Hospital", clinic) == "acorn_group AcornGroup Acorn-Group"
    assert sent("Quillmere called; the hospital", clinic) == "Acorn called; the hospital"


def test_a_value_is_found_as_json_writes_it() -> None:
    home = Original(Kind.ADDRESS, '12 Mill Lane,\n"B" Leeds', "98 Market Street")
    assert sent(json.dumps({"to": home.original}), home) == '{"to": "98 Market Street"}'


def test_many_hits_in_one_text_do_not_overlap_and_stay_in_order() -> None:
    found = Finder([NAME, CARD]).find("Okafor 4539148803436467 " * 50)
    assert len(found) == 100
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_words_of_the_mechanism_count_as_whole_words_only() -> None:
    assert sent("pain painful no-pain", Original(Kind.WORD, "pain", "horror")) == "horror painful no-horror"


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (Kind.CARD, "4539 1488 0343 6467", "4539148803436467"),
        (Kind.IBAN, "DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
        (Kind.DATE, "14 March 2024", "2024-03-14"),
        (Kind.DATE, "March 14, 2024", "14/03/2024"),
        (Kind.PERSON, "OKAFOR", "Okafor"),
        (Kind.ORGANISATION, "Lotusia  Bank", "lotusia bank"),
    ],
)
def test_one_value_in_two_spellings_is_one_value(kind: Kind, one: str, other: str) -> None:
    assert canonical(kind, one) == canonical(kind, other)


def test_dates_that_are_read_in_two_ways_stay_apart_from_those_read_in_one() -> None:
    assert canonical(Kind.DATE, "03/04/2024") not in (canonical(Kind.DATE, "3 April 2024"), canonical(Kind.DATE, "4 March 2024"))


@given(
    st.sampled_from([NAME, CARD, DAY, BANK, PHRASE]),
    st.integers(0, 60),
    st.sampled_from([" ", ", ", "(", "_", "-", "\n", "#"]),
    st.sampled_from([" ", ".", ")", "_", "-", "\n", "!"]),
)
def test_whatever_can_be_restored_is_found_again(original: Original, which: int, left: str, right: str) -> None:
    """The invariant of the two directions: no restored spelling escapes the finder, unless it is an ordinary word."""
    pairs = spellings(original)
    said = pairs[which % len(pairs)][1]
    found = Finder([original]).find(f"x{left}{said}{right}x")
    assert [(f.start, f.end) for f in found] == [(1 + len(left), 1 + len(left) + len(said))]


@given(st.lists(st.sampled_from([NAME, CARD, DAY, BANK, PHRASE, "see ", "note_", "; ", ", ", "\n", "'s ", " (", ") ", "- "]), max_size=12), st.integers(0, 99))
def test_a_restored_answer_is_found_back_to_what_the_engine_wrote(parts: list[Original | str], which: int) -> None:
    """Spaces apart, which a restored phrase loses."""
    kinds = [spellings(part) if isinstance(part, Original) else part for part in parts]
    wrote = " ".join(part if isinstance(part, str) else part[which % len(part)][0] for part in kinds)
    restorer = Restorer([NAME, CARD, DAY, BANK, PHRASE])
    read = "".join(run.text for run in [*restorer.feed(wrote), *restorer.finish()])
    assert sent(read, NAME, CARD, DAY, BANK, PHRASE) == wrote
