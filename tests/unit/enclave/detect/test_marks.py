from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.detect import marks


@pytest.mark.parametrize(
    ("text", "bare", "private"),
    [
        ("nothing here", "nothing here", []),
        ("a < b and c > d", "a < b and c > d", []),
        ("tell <private>the plan</private> now", "tell the plan now", ["the plan"]),
        ("<PRIVATE>a</Private>b<private>c</private>", "abc", ["a", "c"]),
        ("<private>a <private>b</private> c</private> d", "a b c d", ["a b c"]),
        ("open <private>to the end", "open to the end", ["to the end"]),
        ("from the start</private> on", "from the start on", ["from the start"]),
        ("<private>a</private> b</private> c", "a b c", ["a b"]),
        ("<private></private>", "", []),
        ("<private>", "", []),
    ],
)
def test_marks_are_taken_out_and_their_content_is_private(text: str, bare: str, private: list[str]) -> None:
    stripped, spans = marks.strip(text)
    assert stripped == bare
    assert [stripped[s.start : s.end] for s in spans] == private


@given(st.lists(st.sampled_from(["<private>", "</private>", "a", " ", "<", "priv"]), max_size=12))
def test_no_text_is_lost_and_spans_are_disjoint(parts: list[str]) -> None:
    text = "".join(parts)
    stripped, spans = marks.strip(text)
    assert stripped == re.sub(r"(?i)</?private>", "", text)
    assert all(0 <= s.start < s.end <= len(stripped) for s in spans)
    assert all(a.end <= b.start for a, b in zip(spans, spans[1:], strict=False))


@given(st.text("ab ", min_size=1), st.text("ab ", min_size=1), st.text("ab "))
def test_a_well_formed_mark_covers_exactly_its_content(before: str, inside: str, after: str) -> None:
    stripped, spans = marks.strip(f"{before}<private>{inside}</private>{after}")
    assert [(s.start, s.end) for s in spans] == [(len(before), len(before) + len(inside))]
    assert stripped == before + inside + after
