"""What the default detectors find, miss and cost, on presidio-research's synthetic sentences.

    python lab/benchmarks/detection.py [--data FILE] [--misses KIND] [--json]

For each gold type: how many spans are covered (every word of theirs that is not a stopword lies in some
found span), overlapped (at least one character), and how often the kind is the expected one. Then what is
found outside every gold span, and the CPU time a KB of text takes. Only the data's own labels count as
gold: a found span outside them is not always wrong (the set leaves many names, years and streets
unlabelled).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cmif.enclave.detect import Detector, default_detectors, detect_all
from cmif.enclave.words import is_stopword, words
from cmif.types import Kind, Span

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "pii" / "synth_dataset_v2.json"

EXPECTED: dict[str, set[Kind]] = {
    "PERSON": {Kind.PERSON},
    "STREET_ADDRESS": {Kind.ADDRESS},
    "GPE": {Kind.PLACE},
    "ORGANIZATION": {Kind.ORGANISATION},
    "CREDIT_CARD": {Kind.CARD},
    "DATE_TIME": {Kind.DATE},
    "PHONE_NUMBER": {Kind.PHONE},
    "EMAIL_ADDRESS": {Kind.EMAIL},
    "IBAN_CODE": {Kind.IBAN},
    "US_SSN": {Kind.NATIONAL_ID},
    "IP_ADDRESS": {Kind.IP},
    "DOMAIN_NAME": {Kind.URL},
    "ZIP_CODE": {Kind.ADDRESS},
    "US_DRIVER_LICENSE": {Kind.NATIONAL_ID, Kind.ID},
    "NRP": {Kind.WORD},
    "AGE": {Kind.WORD},
    "TITLE": set(),  # a form of address is no part of a name here, by design
}


@dataclass
class Score:
    gold: int = 0
    covered: int = 0
    overlapped: int = 0
    kind: int = 0
    missed: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.covered / self.gold if self.gold else 0.0


@dataclass
class Result:
    types: dict[str, Score]
    found: int
    outside: int  # found spans that touch no gold span
    outside_kinds: Counter[str]
    outside_texts: Counter[str]
    characters: int
    seconds: float

    @property
    def ms_per_kb(self) -> float:
        return 1e3 * self.seconds / (self.characters / 1024)


def evaluate(rows: Sequence[dict[str, Any]], detectors: Sequence[Detector]) -> Result:
    """Scores of ``detectors`` on rows with `full_text` and `spans` (presidio-research's form)."""
    detect_all("warm up: 020 7946 0958", detectors)
    result = Result({}, 0, 0, Counter(), Counter(), 0, 0.0)
    for row in rows:
        text = row["full_text"]
        began = time.process_time()
        spans = detect_all(text, detectors)
        result.seconds += time.process_time() - began
        result.characters += len(text)
        result.found += len(spans)
        gold = [(s["start_position"], s["end_position"], s["entity_type"]) for s in row["spans"]]
        for start, end, kind in gold:
            _score(result.types.setdefault(kind, Score()), text, start, end, kind, spans)
        for span in spans:
            if not any(span.start < end and start < span.end for start, end, _ in gold):
                result.outside += 1
                result.outside_kinds[span.kind] += 1
                result.outside_texts[f"{span.kind.value}: {text[span.start : span.end]}"] += 1
    return result


def _score(score: Score, text: str, start: int, end: int, kind: str, spans: Sequence[Span]) -> None:
    touching = [s for s in spans if s.start < end and start < s.end]
    tokens = [
        (start + a, start + b)
        for a, b in words(text[start:end])
        if not is_stopword(text[start + a : start + b])
    ]
    covered = all(any(s.start <= a and b <= s.end for s in touching) for a, b in tokens)
    score.gold += 1
    score.overlapped += bool(touching)
    score.covered += covered and bool(touching)
    score.kind += any(s.kind in EXPECTED.get(kind, set()) for s in touching)
    if not (covered and touching):
        score.missed.append(
            text[max(0, start - 30) : start] + "[[" + text[start:end] + "]]" + text[end : end + 20]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--misses", metavar="TYPE", help="show what of this gold type was missed, or OUTSIDE")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = evaluate(json.loads(options.data.read_text("utf-8")), default_detectors())
    if options.misses == "OUTSIDE":
        for text, count in result.outside_texts.most_common(200):
            print(count, repr(text))
        return
    if options.misses:
        print("\n".join(repr(text) for text in result.types[options.misses].missed))
        return
    rows = [
        {"type": kind, "gold": s.gold, "covered": s.covered, "overlapped": s.overlapped, "kind": s.kind}
        for kind, s in sorted(result.types.items(), key=lambda item: -item[1].gold)
    ]
    entities = [s for kind, s in result.types.items() if EXPECTED.get(kind)]
    summary = {
        "recall": round(sum(s.covered for s in entities) / sum(s.gold for s in entities), 4),
        "found": result.found,
        "outside_gold": result.outside,
        "outside_gold_kinds": dict(result.outside_kinds.most_common()),
        "ms_per_kb": round(result.ms_per_kb, 2),
    }
    if options.json:
        print(json.dumps({"types": rows, **summary}))
        return
    print(f"{'type':20}{'gold':>6}{'covered':>9}{'overlapped':>12}{'kind':>6}")
    for row in rows:
        print(f"{row['type']:20}{row['gold']:>6}{row['covered']:>9}{row['overlapped']:>12}{row['kind']:>6}")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
