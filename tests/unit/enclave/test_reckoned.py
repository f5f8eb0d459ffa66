"""Dates that an engine reckons from those it was sent come back true; others stay."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cmif.enclave.detect.dates import dates
from cmif.enclave.layouts import read_date
from cmif.enclave.originals import Original
from cmif.enclave.reckoned import Reckoned
from cmif.enclave.restore import Restorer
from cmif.enclave.surrogates import Offset
from cmif.types import Kind

OFFSET = Offset(-147 * 7, 2024, True)
HEARING, BIRTH = date(2024, 5, 3), date(1990, 2, 14)
LAYOUTS = ("{0.day} {0:%B} {0.year}", "{0:%B} {0.day}, {0.year}", "{0.year}-{0:%m-%d}", "{0:%d/%m/}{0.year}", "{0.day} {0:%b} {0.year}",
           "{0.day}th of {0:%B} {0.year}", "{0:%d.%m.}{0.year}", "{0:%b} {0.day} {0.year}")  # fmt: skip


def moved(day: date) -> date:
    return day + timedelta(days=OFFSET.days)


def restore(answer: str, chunk: int = 10_000, kept: str = "") -> str:
    days = [(LAYOUTS[0].format(moved(day)), LAYOUTS[0].format(day)) for day in (HEARING, BIRTH)]
    originals = [Original(Kind.DATE, original, sent) for sent, original in days]
    restorer = Restorer(originals, ordinary=[kept], reckoned=Reckoned(OFFSET, days))
    runs = [run for at in range(0, len(answer), chunk) for run in restorer.feed(answer[at : at + chunk])]
    runs += restorer.finish()
    assert "".join(run.raw for run in runs) == answer
    return "".join(run.text for run in runs)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(days=st.integers(-390, 390), chunk=st.integers(1, 30))
@example(days=0, chunk=1)
def test_a_day_reckoned_from_one_that_was_sent_is_the_true_one(layout: str, days: int, chunk: int) -> None:
    true = HEARING + timedelta(days=days)
    sent = moved(HEARING) + timedelta(days=days)
    anniversary = abs((sent - moved(BIRTH).replace(year=sent.year)).days) <= 2 or abs(abs(days) - 365) <= 3
    same = moved(HEARING)  # 9 July in an answer of months first is 7 September in one of days first
    if not anniversary and (sent.day, sent.month) != (same.month, same.day):
        text = restore(f"It ends on {layout.format(sent)}, then.", chunk)
        assert read_date(text.removeprefix("It ends on ").removesuffix(", then.")) == read_date(layout.format(true))


def test_an_anniversary_and_the_day_before_it_are_those_of_the_true_day() -> None:
    born = moved(BIRTH)
    assert restore(f"18 on {born.replace(year=born.year + 18).isoformat()}") == "18 on 2008-02-14"
    leased = moved(HEARING)
    assert restore((leased.replace(year=leased.year + 3) - timedelta(days=1)).isoformat()) == "2027-05-02"


@pytest.mark.parametrize("text", ["14 July 1789", "1 May 1851", "In 17 apples, March 5 people, 5 of 6", "x17 July 2021"])
@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_other_dates_and_texts_stay(text: str, chunk: int) -> None:
    assert restore(text, chunk) == text


def test_another_year_of_a_day_that_was_sent_is_no_half_of_it() -> None:
    far = f"{moved(HEARING).day} {moved(HEARING):%B} 1789"
    assert restore(far) == far


def test_a_date_that_the_request_says_as_it_is_stays() -> None:
    public = (moved(HEARING) + timedelta(days=20)).isoformat()
    assert restore(f"since {public}.", kept=f"In force since {public}.") == f"since {public}."


@pytest.mark.parametrize("layout", LAYOUTS)
@given(day=st.dates(date(1950, 1, 1), date(2060, 1, 1)))
def test_what_can_be_moved_back_is_found_when_it_comes_back(layout: str, day: date) -> None:
    """Else a client that sends it again would give the offset away."""
    written = layout.format(day)
    assert any((span.start, span.end) == (4, 4 + len(written)) for span in dates(f"see {written}, please"))
