from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.detect import detect_all
from cmif.enclave.detect.columns import Columns, heading_kind
from cmif.types import Kind

HOMES = "/home"
TABLES = [
    ("id,first_name,last name,dob,score\n1,inessa,will,3.4.79,4", ["inessa", "will", "3.4.79"]),
    ('name,city\n"de vries, jan",lubbeek\nrose,', ["de vries, jan", "lubbeek", "rose"]),
    ("surname;phone\nrose;12345", ["rose", "12345"]),
    ("NAME\tEMAIL\nmint\tx at y\n", ["mint", "x at y"]),
    ("| Patient Name | Notes |\n|---|---|\n| mint julep | fine |", ["mint julep"]),
    ("USER      PASSWORD    ROLE\nadmin     dragon      owner", ["admin", "dragon"]),
    ("USER      PASSWORD    ROLE\nadmin                 owner", ["admin"]),
    (" mrn | fullName \n-----+----------\n 12  | ann lee\n", ["12", "ann lee"]),
]
NONE = [
    "a, b, c = patient, customer, x\nfoo(a, b, c)\n",
    "The company, name, and email\nare all required, by us, today.",
    "name,size\nindex.html,12\n",
    "Key         Value\n---         -----\nregion      west",
]
FIELDS = [
    ("Surname: rose", "rose"), ("First name: will", "will"), ("Name: Destiny Hope", "Destiny Hope"), ("employer = mint", "mint"),
    ('{"first_name": "inessa"}', "inessa"), ("- City: lubbeek", "lubbeek"), ("DOB: 3/4/79", "3/4/79"), ("MRN: 12", "12"),
    ("ORG:Halvorsen", "Halvorsen"),
]  # fmt: skip


def cells(text: str) -> list[str]:
    return [text[s.start : s.end] for s in detect_all(text, [Columns()])]


@pytest.mark.parametrize(("text", "expected"), TABLES)
def test_cells_under_a_personal_heading_are_found_whatever_they_say(text: str, expected: list[str]) -> None:
    assert cells(text) == expected


@pytest.mark.parametrize("text", NONE)
def test_lines_that_are_no_table_of_people_stay(text: str) -> None:
    assert cells(text) == []


@pytest.mark.parametrize(("text", "value"), FIELDS)
def test_the_value_of_a_personal_field_is_found(text: str, value: str) -> None:
    assert cells(text) == [value]


@pytest.mark.parametrize(
    "text", ["name: get_weather", "Patient: I slept well.", "City: the one I love", "User: hello", "street: no", "Billing address: Ana Dias"]
)
def test_talk_behind_a_colon_is_no_field(text: str) -> None:
    assert cells(text) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("INFO user=kasimir action=login", "kasimir"),
        ("level=warn customer=Zarko msg=declined", "Zarko"),
        ("SELECT * FROM people WHERE last_name = 'Oyelaran' AND age > 3;", "Oyelaran"),
        ("<row><city>Lubbeek</city></row>", "Lubbeek"),
        (f"cat {HOMES}/kasimir/notes.txt", "kasimir"),
        (r"open C:\Users\Percival.Oyelaran\payroll.xlsx", "Percival.Oyelaran"),
    ],
)
def test_a_name_behind_a_label_inside_a_line_is_found(text: str, value: str) -> None:
    assert value in cells(text)


@pytest.mark.parametrize(
    "text",
    ["f(user=current_user, city=city, login=login_url)", f"{HOMES}/app/x /Users/admin/y {HOMES}/user/z", "<user>admin</user>", "f(user='root')"],
)
def test_a_name_of_the_program_behind_such_a_label_stays(text: str) -> None:
    assert cells(text) == []


def test_a_heading_is_known_in_every_spelling() -> None:
    assert {heading_kind(h) for h in ("dateOfBirth", "DATE_OF_BIRTH", "Date of birth", "dob")} == {Kind.DATE}
    assert heading_kind("file name") is None


@given(st.text(alphabet='name,"\n|;\t x1', max_size=80))
def test_any_table_is_read(text: str) -> None:
    assert all(s.end <= len(text) for s in Columns().detect(text))
