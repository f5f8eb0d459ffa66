"""What detectors find, miss and cost on labelled texts: the measurement behind `cmif detect eval`.

A labelled *unit* is one thing that is private in one text; it may be mentioned several times. A mention is *covered*
when every word of it that is no stopword lies in spans that the policy replaces. A unit *leaves whole* when some
mention of it has no covered character at all. Only the file's own labels count: a found span outside them is not
always wrong.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cmif.enclave.detect import Detector, detect_all
from cmif.enclave.policy import PrivacyPolicy
from cmif.enclave.words import is_stopword, words
from cmif.errors import InputError
from cmif.types import Kind, Span

# The kinds that are right for a label of presidio-research; a town inside an address is an address. Labels that are not
# here have no expected kind. A form of address is left on purpose, so TITLE counts neither way.
EXPECTED: dict[str, frozenset[Kind]] = {
    label: frozenset(kinds)
    for label, kinds in {
        "PERSON": [Kind.PERSON],
        "STREET_ADDRESS": [Kind.ADDRESS],
        "GPE": [Kind.PLACE, Kind.ADDRESS],
        "ORGANIZATION": [Kind.ORGANISATION],
        "CREDIT_CARD": [Kind.CARD],
        "DATE_TIME": [Kind.DATE],
        "PHONE_NUMBER": [Kind.PHONE],
        "EMAIL_ADDRESS": [Kind.EMAIL],
        "IBAN_CODE": [Kind.IBAN],
        "US_SSN": [Kind.NATIONAL_ID],
        "IP_ADDRESS": [Kind.IP],
        "DOMAIN_NAME": [Kind.URL],
        "ZIP_CODE": [Kind.ADDRESS],
        "US_DRIVER_LICENSE": [Kind.NATIONAL_ID, Kind.ID],
        "NRP": [Kind.WORD],
        "AGE": [Kind.WORD],
    }.items()
}
NOT_COUNTED = frozenset({"TITLE"})


# PUPA lists some marks of the anonymiser that its texts went through before; there is nothing left in them to hide.
_ALREADY_GONE = re.compile(r"PRESIDIO_ANONYMIZED_\w+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mention:
    """``text[start:end]`` is one mention of the unit number ``unit`` of its text."""

    start: int
    end: int
    label: str
    unit: int


@dataclass(frozen=True, slots=True)
class Sample:
    text: str
    mentions: tuple[Mention, ...]


@dataclass
class Score:
    """Of one label: its mentions, how many are covered, and the kinds of the spans that touch them."""

    mentions: int = 0
    covered: int = 0
    right: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.covered / self.mentions if self.mentions else 0.0


@dataclass
class Result:
    labels: dict[str, Score] = field(default_factory=dict)
    units: int = 0
    whole: int = 0  # units that leave whole
    found: int = 0
    outside: int = 0  # found spans that touch no mention
    outside_kinds: Counter[str] = field(default_factory=Counter)
    words: int = 0
    changed: int = 0  # words in found spans, stopwords not counted
    changed_inside: int = 0  # of these, inside mentions
    bytes: int = 0
    seconds: float = 0.0  # CPU time of detection alone

    @property
    def recall(self) -> float:
        counted = [score for label, score in self.labels.items() if label not in NOT_COUNTED]
        return sum(s.covered for s in counted) / max(1, sum(s.mentions for s in counted))

    def as_json(self) -> dict[str, Any]:
        """Shares are fractions of one; ``ms_per_kb`` is CPU time a KiB of UTF-8."""
        return {
            "labels": {
                label: {
                    "mentions": s.mentions,
                    "covered": s.covered,
                    "recall": round(s.recall, 4),
                    "right_kind": s.right if label in EXPECTED else None,
                    "kinds": dict(s.kinds.most_common()),
                }
                for label, s in sorted(self.labels.items(), key=lambda item: -item[1].mentions)
            },
            "recall": round(self.recall, 4),
            "precision": round(1 - self.outside / max(1, self.found), 4),
            "units": self.units,
            "units_leaving_whole": round(self.whole / max(1, self.units), 4),
            "found": self.found,
            "false_hits_per_100_words": round(100 * self.outside / max(1, self.words), 3),
            "false_hit_kinds": dict(self.outside_kinds.most_common()),
            "changed_words_inside_units": round(self.changed_inside / max(1, self.changed), 4),
            "words": self.words,
            "ms_per_kb": round(1e3 * self.seconds / max(1 / 1024, self.bytes / 1024), 2),
        }


def evaluate(samples: Iterable[Sample], detectors: Sequence[Detector], policy: PrivacyPolicy) -> Result:
    """Scores of ``detectors`` under ``policy``, which says whether WORD spans count as found."""
    detect_all("warm up: 020 7946 0958, Anna", detectors)
    result = Result()
    for sample in samples:
        began = time.process_time()
        spans = detect_all(sample.text, detectors, keep_public=policy.keeps_public)
        result.seconds += time.process_time() - began
        spans = tuple(s for s in spans if s.kind is not Kind.WORD or policy.special_words)
        _add(result, sample, spans)
    return result


def _add(result: Result, sample: Sample, spans: Sequence[Span]) -> None:
    text = sample.text
    hidden = [False] * len(text)
    for span in spans:
        hidden[span.start : span.end] = [True] * (span.end - span.start)
    labelled = [False] * len(text)
    left: set[int] = set()
    for mention in sample.mentions:
        labelled[mention.start : mention.end] = [True] * (mention.end - mention.start)
        _score(result.labels.setdefault(mention.label, Score()), text, mention, spans, hidden)
        if mention.label not in NOT_COUNTED and not any(hidden[mention.start : mention.end]):
            left.add(mention.unit)
    result.units += len({m.unit for m in sample.mentions if m.label not in NOT_COUNTED})
    result.whole += len(left)
    result.bytes += len(text.encode("utf-8", "replace"))
    result.found += len(spans)
    for span in spans:
        if not any(labelled[span.start : span.end]):
            result.outside += 1
            result.outside_kinds[span.kind.value] += 1
    for start, end in words(text):
        result.words += 1
        if any(hidden[start:end]) and not is_stopword(text[start:end]):
            result.changed += 1
            result.changed_inside += any(labelled[start:end])


def _score(score: Score, text: str, mention: Mention, spans: Sequence[Span], hidden: list[bool]) -> None:
    start, end = mention.start, mention.end
    told = [(start + a, start + b) for a, b in words(text[start:end])]
    told = [(a, b) for a, b in told if not is_stopword(text[a:b])]
    covered = any(hidden[start:end]) and all(all(hidden[a:b]) for a, b in told)
    kinds = {span.kind for span in spans if span.start < end and start < span.end}
    score.mentions += 1
    score.covered += covered
    score.right += bool(kinds & EXPECTED.get(mention.label, frozenset()))
    score.kinds.update(sorted(kind.value for kind in kinds) or ["nothing"])
    if not covered:
        around = text[max(0, start - 30) : start], text[start:end], text[end : end + 20]
        score.missed.append("{}[[{}]]{}".format(*around))


def read(path: Path) -> list[Sample]:
    """The samples of a file: presidio-research's JSON (``full_text`` and ``spans``), a CSV with ``text``, ``start``,
    ``end`` and ``label`` (one row a span; an empty start for a text without any), or PUPA's CSV (``user_query`` and
    ``pii_units`` between bars). :class:`InputError` names the row and never quotes it.
    """
    try:
        if path.suffix == ".json":
            rows = json.loads(path.read_text("utf-8"))
            return [_presidio(row) for row in _numbered(path, rows)]
        with path.open(encoding="utf-8", newline="") as file:
            csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
            reader = csv.DictReader(file)
            columns = set(reader.fieldnames or ())
            if {"user_query", "pii_units"} <= columns:
                return [_pupa(row) for row in _numbered(path, reader)]
            if {"text", "start", "end", "label"} <= columns:
                return _grouped(_numbered(path, reader))
    except OSError as error:
        raise InputError(f"{path.name} cannot be read ({error.strerror}).") from None
    except _BadRow as error:
        raise InputError(f"{path.name}, row {error.args[0]}: the labels do not fit the text.") from None
    except (ValueError, csv.Error):
        raise InputError(f"{path.name} is neither JSON nor CSV in UTF-8.") from None
    raise InputError(
        f"{path.name} has none of the known forms.",
        hint="JSON of presidio-research, or CSV with text,start,end,label or with user_query,pii_units.",
    )


class _BadRow(Exception):
    """Its argument is the row's number, from 1."""


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    values: dict[str, Any]

    def mention(self, start: Any, end: Any, label: Any, unit: int, text: str) -> Mention:
        try:
            first, last = int(start), int(end)
        except (TypeError, ValueError):
            raise _BadRow(self.number) from None
        if not (0 <= first < last <= len(text) and isinstance(label, str)):
            raise _BadRow(self.number)
        return Mention(first, last, label, unit)

    def string(self, key: str) -> str:
        value = self.values.get(key) if isinstance(self.values, dict) else None
        if not isinstance(value, str):
            raise _BadRow(self.number)
        return value


def _numbered(path: Path, rows: Any) -> Iterator[_Row]:
    if isinstance(rows, dict):
        raise InputError(f"{path.name} must hold a list of texts.")
    for number, values in enumerate(rows, 1):
        yield _Row(number, values)


def _presidio(row: _Row) -> Sample:
    text = row.string("full_text")
    spans = row.values.get("spans")
    if not isinstance(spans, list) or not all(isinstance(span, dict) for span in spans):
        raise _BadRow(row.number)
    return Sample(
        text,
        tuple(
            row.mention(s.get("start_position"), s.get("end_position"), s.get("entity_type"), i, text)
            for i, s in enumerate(spans)
        ),
    )


def _pupa(row: _Row) -> Sample:
    text = row.string("user_query")
    mentions: list[Mention] = []
    listed = dict.fromkeys(row.string("pii_units").split("||"))
    units = [unit for unit in listed if unit.strip() and not _ALREADY_GONE.search(unit)]
    for i, unit in enumerate(units):
        whole = re.compile(rf"(?<!\w){re.escape(unit.strip())}(?!\w)", re.IGNORECASE)
        mentions += [Mention(*match.span(), "UNIT", i) for match in whole.finditer(text)]
    return Sample(text, tuple(mentions))


def _grouped(rows: Iterable[_Row]) -> list[Sample]:
    """Rows of one text form one sample, wherever they stand."""
    texts: dict[str, list[Mention]] = {}
    for row in rows:
        text = row.string("text")
        mentions = texts.setdefault(text, [])
        if row.string("start").strip():
            mentions.append(
                row.mention(row.values["start"], row.values["end"], row.values["label"], len(mentions), text)
            )
    return [Sample(text, tuple(mentions)) for text, mentions in texts.items()]
