from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.detect import default_detectors, detect_all, merge
from cmif.errors import DetectorError
from cmif.types import Kind, Span

TEXT = "Anna Weber, born 3 May 1974, lives in Oslo; her key is sk-abc."


@dataclass
class Fixed:
    spans: list[Span] = field(default_factory=list)
    name: str = "fixed"

    def detect(self, text: str) -> list[Span]:
        return self.spans


class Failing:
    name = "failing"

    def detect(self, text: str) -> list[Span]:
        raise ValueError(f"could not read {text!r}")


def span(start: int, end: int, kind: Kind = Kind.PERSON) -> Span:
    return Span(start, end, kind, "test")


@st.composite
def texts_and_spans(draw: st.DrawFn) -> tuple[str, list[Span]]:
    text = draw(st.text("ab1 .,é\n", min_size=1, max_size=40))
    bounds = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).filter(lambda b: b[0] != b[1])
    made = st.builds(lambda b, kind: span(min(b), max(b), kind), bounds, st.sampled_from(Kind))
    return text, draw(st.lists(made, max_size=12))


@given(texts_and_spans())
def test_merged_spans_are_disjoint_and_cover_every_letter_and_digit_that_was_found(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    merged = merge(text, spans)
    assert all(a.end <= b.start for a, b in zip(merged, merged[1:], strict=False))
    assert all(s.start < s.end for s in merged)
    found = {i for s in spans for i in range(s.start, s.end) if text[i].isalnum()}
    kept = {i for s in merged for i in range(s.start, s.end)}
    assert found <= kept
    assert kept <= {i for s in spans for i in range(s.start, s.end)}


def test_punctuation_that_a_private_span_leaves_over_is_no_persons_name() -> None:
    spans = [span(0, 2, Kind.PRIVATE), span(1, 3, Kind.PRIVATE), span(2, 3, Kind.PERSON)]
    assert [(s.start, s.end, s.kind) for s in merge("11.", spans)] == [(0, 2, Kind.PRIVATE)]


@given(texts_and_spans())
def test_what_is_marked_private_or_secret_is_never_given_another_kind(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    private = {i for s in spans if s.kind is Kind.PRIVATE for i in range(s.start, s.end)}
    secret = {i for s in spans if s.kind is Kind.SECRET for i in range(s.start, s.end) if text[i].isalnum()} - private
    for s in merge(text, spans):
        if s.kind is not Kind.PRIVATE:
            assert private.isdisjoint(range(s.start, s.end))
        if s.kind not in (Kind.PRIVATE, Kind.SECRET):
            assert secret.isdisjoint(range(s.start, s.end))


def test_the_longest_wins_then_the_kind() -> None:
    assert merge(TEXT, [span(0, 4), span(0, 10, Kind.ORGANISATION)]) == (span(0, 10, Kind.ORGANISATION),)
    assert merge(TEXT, [span(0, 4), span(0, 4, Kind.EMAIL)]) == (span(0, 4, Kind.EMAIL),)
    assert merge(TEXT, [span(0, 10, Kind.WORD), span(0, 4)]) == (span(0, 4), span(5, 10, Kind.WORD))


def test_the_rest_of_an_overlapped_span_is_kept_without_the_punctuation_between() -> None:
    assert merge(TEXT, [span(0, 10, Kind.SECRET), span(5, 27, Kind.DATE)]) == (
        span(0, 10, Kind.SECRET),
        span(12, 27, Kind.DATE),
    )


def test_marked_spans_take_part() -> None:
    found = detect_all(TEXT, [Fixed([span(0, 10)])], [span(5, 10, Kind.PRIVATE)])
    assert found == (span(0, 4), span(5, 10, Kind.PRIVATE))


def test_a_failing_detector_closes_the_request_and_quotes_nothing() -> None:
    with pytest.raises(DetectorError) as caught:
        detect_all(TEXT, [Fixed(), Failing()])
    assert "failing" in str(caught.value)
    assert "Anna" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "wrong",
    [span(-1, 4), span(4, 4), span(9, 4), span(0, len(TEXT) + 1), (0, 4), Span(0, 4, "person", "test")],  # type: ignore[arg-type]
)
def test_an_answer_that_is_no_span_of_the_text_closes_the_request(wrong: Span) -> None:
    with pytest.raises(DetectorError):
        detect_all(TEXT, [Fixed([wrong])])
    with pytest.raises(DetectorError):
        detect_all(TEXT, [], [wrong])


def test_an_empty_text_has_no_spans() -> None:
    assert detect_all("", default_detectors()) == ()


@given(st.text(max_size=200))
def test_the_default_detectors_answer_on_any_text(text: str) -> None:
    for s in detect_all(text, default_detectors()):
        assert text[s.start : s.end].strip()


def test_the_default_detectors_have_distinct_names() -> None:
    names = [d.name for d in default_detectors()]
    assert len(set(names)) == len(names)
