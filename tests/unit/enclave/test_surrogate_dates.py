from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave import layouts
from cmif.enclave.surrogates.dates import WEEKS, Offset

TEN_WEEKS = Offset(70, 2024, day_first=False)
DAYS = st.dates(date(1960, 1, 1), date(2040, 1, 1))
OFFSETS = st.integers(-WEEKS, WEEKS).filter(bool).map(lambda weeks: Offset(7 * weeks, 2024, day_first=True))


@pytest.mark.parametrize(
    ("written", "moved"),
    [
        ("2024-05-03", "2024-07-12"),
        ("2024-05-03T10:00:00Z", "2024-07-12T10:00:00Z"),
        ("20240503", "20240712"),
        ("3 May 2024", "12 July 2024"),
        ("May 3rd, 2024", "July 12th, 2024"),
        ("03/05/2024", "05/14/2024"),
        ("14/05/2024", "23/07/2024"),
        ("31/12/99", "10/03/00"),
        ("3.5.2024", "12.7.2024"),
        ("3. März 2024", "12. Mai 2024"),
        ("3 de mayo de 2024", "12 de julio de 2024"),
        ("JAN 3 2024", "MAR 13 2024"),
        ("5/3", "7/12"),
        ("Sep. 2", "Nov. 11"),
        ("May 2024", "July 2024"),
        ("early May", "early July"),
        ("may third nineteen eighty-four", "july twelfth nineteen eighty-four"),
        ("the third of May two thousand five", "the twelfth of July two thousand five"),
    ],
)
def test_a_date_moves_in_the_layout_it_is_written_in(written: str, moved: str) -> None:
    assert TEN_WEEKS.moved(written) == moved


@pytest.mark.parametrize("written", ["", "soon", "2024-13-41", "31 February 2024", "99/99/2024"])
def test_what_is_no_date_is_not_moved(written: str) -> None:
    assert TEN_WEEKS.moved(written) is None


@given(DAYS, DAYS, OFFSETS)
def test_intervals_order_and_weekdays_survive_in_every_layout(a: date, b: date, offset: Offset) -> None:
    for layout in layouts.dates(a.isoformat()).keys() - {"dm", "om", "md", "mo", "dm3", "om3", "md3", "mo3"}:
        if "/" in layout or layout.startswith("dm ") or "-2" in layout or ".2" in layout or (layout.startswith(("dm", "md")) and layout[-1] in "/-."):
            continue  # where day and month could be either, the next test
        moved = [offset.moved(layouts.dates(day.isoformat())[layout]) for day in (a, b)]
        read = [layouts.read_date(text or "") for text in moved]
        assert read == [day + timedelta(days=offset.days) for day in (a, b)], (layout, moved)


@given(DAYS, OFFSETS, st.booleans())
def test_figures_are_read_as_the_conversation_writes_them(day: date, offset: Offset, day_first: bool) -> None:
    offset = Offset(offset.days, 2024, day_first)
    layout = "%d/%m/%Y" if day_first else "%m/%d/%Y"
    if day.day <= 12 or day_first:
        assert offset.moved(day.strftime(layout)) == (day + timedelta(days=offset.days)).strftime(layout)


@given(st.lists(st.integers(0, 300), min_size=2, max_size=5, unique=True), OFFSETS)
def test_months_without_a_day_keep_their_order_and_stay_apart(months: list[int], offset: Offset) -> None:
    written = [f"{1990 + m // 12}-{m % 12 + 1:02d}" for m in sorted(months)]
    named = [date(int(w[:4]), int(w[5:]), 1).strftime("%B %Y") for w in written]
    moved = [offset.moved(n) or "" for n in named]
    read = [layouts.read_date(f"1 {m}") for m in moved]
    assert all(a < b for a, b in zip(read, read[1:], strict=False))  # type: ignore[operator]


def test_the_offset_is_whole_weeks_of_either_sign_never_none_and_does_not_depend_on_the_day() -> None:
    days = [Offset.draw(["3 May 2024"], random.Random(i).randrange).days for i in range(3000)]
    assert {d % 7 for d in days} == {0}
    assert 0 not in days
    assert min(days) < -7 * 240
    assert max(days) > 7 * 240
    assert days == [Offset.draw(["9 June 1999"], random.Random(i).randrange).days for i in range(3000)]


@pytest.mark.parametrize(
    ("dates", "day_first"),
    [
        (["12/03/2024", "2024-03-14"], True),
        (["03/12/2024", "2024-03-14"], False),
        (["12/03/2024", "2024-03-14", "01/25/2024"], False),  # a figure above 12 says it
        (["12/10/2024", "2024-11-01"], False),  # as far from December as from October is nothing to go by
        (["12/03/2024"], False),
        (["12.03.2024"], True),
    ],
)
def test_days_come_first_where_a_date_written_year_first_is_nearer_so(dates: list[str], day_first: bool) -> None:
    assert Offset.draw(dates, random.Random(1).randrange).day_first is day_first


def test_an_offset_is_remembered_as_text() -> None:
    assert Offset.parse(str(TEN_WEEKS)) == TEN_WEEKS
