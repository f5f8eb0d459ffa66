"""Neither a hostile client's history nor a hostile engine's answer makes the enclave slow: what grows is no product."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from cmif.enclave.entities import Entities
from cmif.enclave.finder import Finder
from cmif.enclave.originals import Original
from cmif.enclave.quote import Answer, quoted
from cmif.enclave.reckoned import Reckoned
from cmif.enclave.restore import Restorer
from cmif.enclave.surrogates import Offset
from cmif.enclave.tool_calls import Content, Dialect, ToolCalls
from cmif.enclave.unit import Unit
from cmif.types import Kind

ONES = [Original(Kind.ID, "1" * (6 + i), "2" * (6 + i)) for i in range(200)]
ALIKE = [Original(Kind.ID, f"MRN{i:06d}", f"XYZ{i:06d}") for i in range(4000)]
ALIKE_NAMES = [Original(Kind.PERSON, f"Marabella{chr(97 + i // 26)}{chr(97 + i % 26)}", f"Wil{i}") for i in range(600)]
NESTED = [Original(Kind.SECRET, "x" * (6 + i), "y" * (6 + i)) for i in range(200)]
LONG = [Original(Kind.PRIVATE, "a " * 20_000, "z"), Original(Kind.ID, "1" * 20_000, "2" * 20_000)]


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


@pytest.mark.parametrize("unit", ["1", "1 ", "1-", "MRN00", "MRN0000 ", "Marabella ", "marabella", "x", "x ", "xx x ", "a ", "a"])
@pytest.mark.parametrize("originals", [ONES, ALIKE, ALIKE_NAMES, NESTED, LONG], ids=["ones", "ids", "names", "nested", "long"])
def test_originals_that_begin_alike_are_not_tried_one_by_one(originals: list[Original], unit: str) -> None:
    """Each of them at each place took a minute for some of these."""
    finder, text = Finder(originals), unit * (40_000 // len(unit))
    assert seconds(lambda: finder.find(text)) < 4


DAYS = [date(1950, 1, 1) + timedelta(days=29 * i) for i in range(900)]
DATES = [Original(Kind.DATE, f"{d:%d %B %Y}", f"{d + timedelta(days=4000):%d %B %Y}") for d in DAYS]


@pytest.mark.parametrize("unit", ["12 ", "2001-01-", "14 December 2000 ", "<svg>", "<script>", "<svg><a ", "</svg><svg>", "<", "](", "{"])
def test_an_answer_is_restored_in_time_that_grows_with_it(unit: str) -> None:
    """Open tags inside open tags, and beginnings of many surrogates, token by token."""
    text = unit * (12_000 // len(unit))
    restorer = Restorer(DATES, reckoned=Reckoned(Offset(4000, 1961, day_first=True), [(d.surrogate, d.original) for d in DATES]))
    assert seconds(lambda: [restorer.feed(text[i : i + 3]) for i in range(0, len(text), 3)]) < 8


@pytest.mark.parametrize("dialect", ["tags", "mistral", "json"])
def test_white_space_before_a_call_is_not_waited_with_for_ever(dialect: Dialect) -> None:
    for before in ("", {"tags": "<tool_call>{}</tool_call>", "mistral": "[TOOL_CALLS]{}", "json": "{}"}[dialect]):
        calls = ToolCalls(dialect, ["f"])
        calls.feed(before.replace("{}", '{"name": "f", "arguments": {}}'))
        assert seconds(lambda: [calls.feed(" ") for _ in range(100_000)]) < 3  # noqa: B023
        assert len(calls._held) < 2000
        assert calls.feed("text") == [Content("text")]


def test_a_short_quote_that_goes_on_is_taken_without_following_the_long_ones() -> None:
    words = [f"w{i}" for i in range(12_000)]
    parted = " ".join(f"{a} {b} {c} x" for a, b, c in zip(words[::3], words[1::3], words[2::3], strict=True))
    answers = [Answer([(text, text)]) for text in (f"so it all begins {parted}", " ".join(words))]
    assert seconds(lambda: quoted("so it all begins " + " ".join(words), answers, 3)) < 1


def test_an_organisation_of_a_thousand_words_is_called_something_at_once() -> None:
    """"Aaa Bank and Bbb Ltd and ..." is one name to the detectors; every stretch of its words was looked up."""
    written = " and ".join(f"Name{chr(97 + i // 26)}{chr(97 + i % 26)} Bank" for i in range(600))
    unit = Unit(0, len(written), Kind.ORGANISATION, written.casefold(), written)
    assert seconds(lambda: Entities(lambda name: None, set(), ()).draw([unit])) < 2
