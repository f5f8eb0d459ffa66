"""Adapters against objects that answer as the libraries do (checked once against spaCy 3.8 and Presidio 2.2)."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.detect import detect_all
from cmif.enclave.detect.adapters import Gliner, Presidio, Spacy, TokenClassification, windows
from cmif.errors import DetectorError
from cmif.types import Kind, Span

TEXT = "Anna Weber, German, met three people in Oslo."


def at(word: str) -> tuple[int, int]:
    return TEXT.index(word), TEXT.index(word) + len(word)


def test_spacy_entities() -> None:
    def model(text: str) -> Any:
        found = [("Anna Weber", "PERSON"), ("German", "NORP"), ("three", "CARDINAL"), ("Oslo", "GPE")]
        ents = [SimpleNamespace(start_char=at(w)[0], end_char=at(w)[1], label_=label) for w, label in found]
        return SimpleNamespace(ents=tuple(ents), text=text)

    assert Spacy(model, name="clinical").detect(TEXT) == [
        Span(*at("Anna Weber"), Kind.PERSON, "clinical"),
        Span(*at("German"), Kind.WORD, "clinical"),
        Span(*at("Oslo"), Kind.PLACE, "clinical"),
    ]


class FakeAnalyzer:
    def analyze(self, text: str, language: str, *, score_threshold: float | None = None) -> list[Any]:
        assert language == "en"
        results = [SimpleNamespace(start=0, end=10, entity_type="PERSON", score=0.85)]
        results.append(SimpleNamespace(start=12, end=18, entity_type="AU_MEDICARE", score=0.1))
        return [r for r in results if r.score >= (score_threshold or 0)]


def test_presidio_results_and_labels_nobody_mapped_are_private() -> None:
    assert Presidio(FakeAnalyzer()).detect(TEXT) == [
        Span(0, 10, Kind.PERSON, "presidio"),
        Span(12, 18, Kind.PRIVATE, "presidio"),
    ]
    assert len(Presidio(FakeAnalyzer(), threshold=0.5).detect(TEXT)) == 1


def test_presidio_is_kept_from_fetching_domain_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    class TLDExtract:
        def __init__(self, suffix_list_urls: tuple[str, ...] = ("https://somewhere.example",)) -> None:
            self.suffix_list_urls = suffix_list_urls

    module: Any = ModuleType("tldextract")
    module.TLDExtract = TLDExtract
    inner: Any = ModuleType("tldextract.tldextract")
    inner.TLD_EXTRACTOR = TLDExtract()
    monkeypatch.setitem(sys.modules, "tldextract", module)
    monkeypatch.setitem(sys.modules, "tldextract.tldextract", inner)
    Presidio(FakeAnalyzer())
    assert inner.TLD_EXTRACTOR.suffix_list_urls == ()


@dataclass
class FindsWord:
    """A model that reads only 1500 characters and says nothing about the rest, as real ones do."""

    word: str

    def _found(self, text: str) -> list[tuple[int, int]]:
        start = text[:1500].find(self.word)
        return [(start, start + len(self.word))] if start >= 0 else []

    def predict_entities(self, text: str, labels: list[str], *, threshold: float) -> list[dict[str, Any]]:
        assert "person" in labels
        return [{"start": a, "end": b, "text": text[a:b], "label": "person", "score": 0.9} for a, b in self._found(text)]

    def __call__(self, text: str, *, aggregation_strategy: str) -> list[dict[str, Any]]:
        assert aggregation_strategy == "simple"
        return [{"entity_group": "PER", "score": 0.9, "word": text[a:b], "start": a, "end": b} for a, b in self._found(text)]


@pytest.mark.parametrize("before", [0, 1190, 1500, 5000])
def test_a_long_text_is_read_to_its_end(before: int) -> None:
    text = "so " * (before // 3) + "Anna Weber" + " yes" * 300
    for detector in (Gliner(FindsWord("Anna Weber")), TokenClassification(FindsWord("Anna Weber"))):
        [span] = detect_all(text, [detector])
        assert text[span.start : span.end] == "Anna Weber"
        assert span.kind is Kind.PERSON


@given(st.text("ab \n", max_size=6000))
def test_windows_overlap_and_cover_the_text(text: str) -> None:
    end = 0
    for start, window in windows(text):
        assert text[start : start + len(window)] == window
        assert start <= end
        end = start + len(window)
    assert end == len(text)


def test_an_answer_outside_the_text_closes_the_request() -> None:
    model = lambda _text: SimpleNamespace(ents=[SimpleNamespace(start_char=40, end_char=99, label_="PERSON")])  # noqa: E731
    with pytest.raises(DetectorError):
        detect_all(TEXT, [Spacy(model)])
