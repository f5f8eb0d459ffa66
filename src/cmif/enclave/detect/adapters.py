"""Other people's recognisers as detectors: spaCy, Presidio, GLiNER, transformers' token classification.

Each takes the object its library builds, so that this package imports none of them and what a recogniser
may load is its owner's decision, made before a request arrives. A plug-in for the entry point group
``cmif.detectors`` is one function::

    def clinical() -> Detector:
        return Spacy(spacy.load("my_model"), name="clinical")

Labels are mapped to kinds by :data:`KINDS`; a label it does not have is PRIVATE, because somebody trained it for a
reason, and those of :data:`IGNORED` are nothing. A recogniser must not use the network: Presidio's e-mail recogniser
fetches a list of domains on its first call unless it is told not to, so :class:`Presidio` tells it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from cmif.types import Kind, Span

KINDS: Mapping[str, Kind] = {
    "PERSON": Kind.PERSON, "PER": Kind.PERSON, "NAME": Kind.PERSON, "PATIENT": Kind.PERSON, "DOCTOR": Kind.PERSON,
    "GPE": Kind.PLACE, "LOC": Kind.PLACE, "LOCATION": Kind.PLACE, "FAC": Kind.PLACE, "CITY": Kind.PLACE,
    "COUNTRY": Kind.PLACE, "ORG": Kind.ORGANISATION, "ORGANIZATION": Kind.ORGANISATION,
    "ORGANISATION": Kind.ORGANISATION, "COMPANY": Kind.ORGANISATION, "HOSPITAL": Kind.ORGANISATION,
    "ADDRESS": Kind.ADDRESS, "STREET ADDRESS": Kind.ADDRESS, "EMAIL": Kind.EMAIL, "EMAIL ADDRESS": Kind.EMAIL,
    "PHONE": Kind.PHONE, "PHONE NUMBER": Kind.PHONE, "CREDIT CARD": Kind.CARD, "CREDIT CARD NUMBER": Kind.CARD,
    "IBAN": Kind.IBAN, "IBAN CODE": Kind.IBAN, "US SSN": Kind.NATIONAL_ID, "UK NHS": Kind.NATIONAL_ID,
    "US PASSPORT": Kind.NATIONAL_ID, "US DRIVER LICENSE": Kind.NATIONAL_ID, "US ITIN": Kind.NATIONAL_ID,
    "PASSPORT NUMBER": Kind.NATIONAL_ID, "IP ADDRESS": Kind.IP, "URL": Kind.URL, "DOMAIN NAME": Kind.URL,
    "DATE": Kind.DATE, "DATE TIME": Kind.DATE, "DATE OF BIRTH": Kind.DATE, "US BANK NUMBER": Kind.ID,
    "MEDICAL LICENSE": Kind.ID, "ID": Kind.ID, "CRYPTO": Kind.SECRET, "PASSWORD": Kind.SECRET,
    "NORP": Kind.WORD, "NRP": Kind.WORD, "MEDICAL CONDITION": Kind.WORD, "DISEASE": Kind.WORD,
    "MEDICATION": Kind.WORD, "RELIGION": Kind.WORD,
}  # fmt: skip
IGNORED = frozenset(
    "CARDINAL,ORDINAL,QUANTITY,PERCENT,MONEY,TIME,LANGUAGE,WORK OF ART,PRODUCT,EVENT,LAW,MISC,O".split(",")  # noqa: SIM905
)

_WINDOW = 1200  # characters that a transformer of 512 tokens reads whole, at four tokens a word
_OVERLAP = 200  # longer than any name


class _Doc(Protocol):
    @property
    def ents(self) -> Iterable[Any]: ...


class _SpacyModel(Protocol):
    def __call__(self, text: str) -> _Doc: ...


class _Analyzer(Protocol):
    def analyze(self, text: str, language: str, *, score_threshold: float | None = None) -> Iterable[Any]: ...


class _GlinerModel(Protocol):
    def predict_entities(
        self, text: str, labels: list[str], *, threshold: float
    ) -> Iterable[Mapping[str, Any]]: ...


class _Pipeline(Protocol):
    def __call__(self, text: str, *, aggregation_strategy: str) -> Iterable[Mapping[str, Any]]: ...


class Spacy:
    """The entities of a spaCy model: what ``spacy.load`` gives."""

    def __init__(self, model: _SpacyModel, name: str = "spacy") -> None:
        self.name = name
        self._model = model

    def detect(self, text: str) -> list[Span]:
        return list(_spans(self.name, ((e.start_char, e.end_char, e.label_) for e in self._model(text).ents)))


class Presidio:
    """The recognisers of a Presidio ``AnalyzerEngine``."""

    def __init__(
        self, engine: _Analyzer, language: str = "en", threshold: float = 0.0, name: str = "presidio"
    ) -> None:
        """``threshold``: the least score that counts; 0 finds the most."""
        self.name = name
        self._engine = engine
        self._language = language
        self._threshold = threshold
        _keep_domain_lists_local()

    def detect(self, text: str) -> list[Span]:
        found = self._engine.analyze(text, self._language, score_threshold=self._threshold)
        return list(_spans(self.name, ((r.start, r.end, r.entity_type) for r in found)))


class Gliner:
    """A GLiNER model, asked for ``labels`` (its default ones are keys of :data:`KINDS`), window by window."""

    def __init__(
        self,
        model: _GlinerModel,
        labels: Sequence[str] = (
            "person",
            "organization",
            "location",
            "address",
            "date of birth",
            "medical condition",
        ),
        threshold: float = 0.3,
        name: str = "gliner",
    ) -> None:
        self.name = name
        self._model = model
        self._labels = list(labels)
        self._threshold = threshold

    def detect(self, text: str) -> list[Span]:
        spans: list[Span] = []
        for start, window in windows(text):
            found = self._model.predict_entities(window, self._labels, threshold=self._threshold)
            spans.extend(
                _spans(self.name, ((start + e["start"], start + e["end"], e["label"]) for e in found))
            )
        return spans


class TokenClassification:
    """A token-classification pipeline of transformers, window by window."""

    def __init__(self, pipeline: _Pipeline, name: str = "transformers") -> None:
        self.name = name
        self._pipeline = pipeline

    def detect(self, text: str) -> list[Span]:
        spans: list[Span] = []
        for start, window in windows(text):
            found = self._pipeline(window, aggregation_strategy="simple")
            spans.extend(
                _spans(self.name, ((start + e["start"], start + e["end"], e["entity_group"]) for e in found))
            )
        return spans


def windows(text: str, size: int = _WINDOW, overlap: int = _OVERLAP) -> Iterator[tuple[int, str]]:
    """``(start, text[start:end])`` of at most ``size`` characters with overlaps, cut at spaces where there are any:
    models silently drop the rest.
    """
    start = 0
    while start < len(text):
        end = min(len(text), start + size)
        if end < len(text):
            space = text.rfind(" ", start + size - overlap // 2, end)
            end = space if space > 0 else end
        yield start, text[start:end]
        if end == len(text):
            return
        space = text.find(" ", end - overlap, end)
        start = space + 1 if space >= 0 else end - overlap


def _spans(name: str, found: Iterable[tuple[int, int, str]]) -> Iterator[Span]:
    for start, end, label in found:
        plain = label.upper().replace("_", " ").replace("-", " ")
        if plain not in IGNORED and start < end:
            yield Span(start, end, KINDS.get(plain, Kind.PRIVATE), name)


def _keep_domain_lists_local() -> None:
    """tldextract, which Presidio uses, fetches the public suffix list unless its extractor is made without
    addresses.
    """
    module = sys.modules.get("tldextract")
    for holder in (module, sys.modules.get("tldextract.tldextract")):
        if module is not None and holder is not None and hasattr(holder, "TLD_EXTRACTOR"):
            local = module.TLDExtract(suffix_list_urls=())
            holder.TLD_EXTRACTOR = local  # type: ignore[attr-defined]
            holder.extract = local  # type: ignore[attr-defined]
