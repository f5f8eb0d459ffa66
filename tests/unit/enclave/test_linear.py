"""Neither a hostile client's history nor a hostile engine's answer makes the enclave slow: what grows is no product."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from cmif.enclave.finder import Finder
from cmif.enclave.originals import Original
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
