from __future__ import annotations

import pytest

from .conftest import Found

DATES = [
    ("CABG in July of 2006", "July of 2006"), ("cath 2/18,", "2/18"), ("EGD 3/14 and", "3/14"), ("stent 11/02.", "11/02"),
    ("seen on july twenty ninth two thousand eight.", "july twenty ninth two thousand eight"),
    ("married march the third nineteen eighty four", "march the third nineteen eighty four"),
    ("born on the twenty-ninth of July", "the twenty-ninth of July"), ("on December 5th twenty twenty", "December 5th twenty twenty"),
    ("may fifth two thousand and twelve", "may fifth two thousand and twelve"), ("moved in mid-March 2019", "mid-March 2019"),
    ("since late August,", "late August"), ("p = Person(dob=date(1961, 3, 12))", "1961, 3, 12"), ("by the end of October 2021", "the end of October 2021"),
]  # fmt: skip
NONE = [
    "In 1969 and in May", "World War II", "I may second that", "March first thing tomorrow", "Pain 3/10, strength 5/5",
    "24/7 and 9/11", "1/2 cup, 3/8 of it", "ratio 3/22", "7/19 of the students", "a 3/22 inch gap", "= 5/20 = 1/4", "8/15 * 2",
]  # fmt: skip


@pytest.mark.parametrize(("text", "date"), DATES)
def test_partial_and_spoken_dates_are_dates(found: Found, text: str, date: str) -> None:
    assert (date, "date") in found(text)


@pytest.mark.parametrize("text", NONE)
def test_years_fractions_and_verbs_are_none(found: Found, text: str) -> None:
    assert [value for value, kind in found(text) if kind == "date"] == []


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("Born 14 March 1979 (1979-03-14).", [("14 March 1979", "date"), ("1979-03-14", "date")]),
        ("DOB 03/14/1979 555-010-0199", [("03/14/1979", "date"), ("555-010-0199", "phone")]),
        ("2024-01-02 - 2024-02-03", [("2024-01-02", "date"), ("2024-02-03", "date")]),
        ("on 1 May 2019 212 555 0187", [("1 May 2019", "date"), ("212 555 0187", "phone")]),
    ],
)
def test_a_date_beside_a_date_or_a_phone_stays_its_own(found: Found, text: str, spans: list[tuple[str, str]]) -> None:
    assert found(text) == spans


@pytest.mark.parametrize(
    "text",
    [
        "readings 21.50 -3.25 22.75 -4.00;", "p = 0.0312 (0.0101-0.0577)", "2000-450 = 1550", "= 12000/60", "(1200-1000)/2",
        "95% CI 12.35 - 145.20", "12000 / 240 / 5",
    ],
)  # fmt: skip
def test_readings_and_sums_are_no_phones(found: Found, text: str) -> None:
    assert [value for value, kind in found(text) if kind in ("phone", "id", "card")] == []


def test_a_call_makes_any_layout_a_phone(found: Found) -> None:
    assert ("06.12 34.56 78.90", "phone") in found("call 06.12 34.56 78.90")


@pytest.mark.parametrize("quote", ["'", '"', "`", "‘"])
def test_an_address_of_mail_leaves_its_quote_outside(found: Found, quote: str) -> None:
    assert ("a.jones@example.com", "email") in found(f"send(to={quote}a.jones@example.com{quote})")
