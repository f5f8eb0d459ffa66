"""What is replaced although it is not private: PUPA's prompts, NQ-open's questions, code.

    python lab/benchmarks/over_replacement.py --pupa PUPA_TNB.csv --nq dev.jsonl --code src FURTHER_FOLDERS

PUPA (labelled prompts): `cmif detect eval` prints the same figures; here `--list` shows what was changed outside
units.

NQ-open is in lower case, and names in lower case are mostly not looked for, so the questions get capitals: at the
beginning, for every word that is in neither packaged list of words in lower case (books, SCOWL; all capitals for
its abbreviations), and for every run of words that
some answer of the set writes with capitals. No list of public names is used for this, so the casing does not favour
what the
detector keeps. A question is changed when any word of it is.

Code: every file with a known ending below the folders, or five of each ending with `--sample 5` (those whose path
has the lowest
SHA-256). `false hits` counts spans a hundred words; all of them count as false, so real names of authors in
comments do too.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from cmif.enclave.detect import default_detectors, detect_all
from cmif.enclave.detect.data import entries
from cmif.enclave.policy import PrivacyPolicy
from cmif.enclave.words import is_stopword, words
from cmif.types import Kind, Span
from cmif_lab.detection import evaluate, read

ENDINGS = frozenset("py js ts go rs c h cpp java rb php sql pl sh cs kt swift lua".split())  # noqa: SIM905
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def found(text: str, policy: PrivacyPolicy) -> tuple[Span, ...]:
    spans = detect_all(text, default_detectors(), keep_public=policy.keeps_public)
    return tuple(s for s in spans if s.kind is not Kind.WORD or policy.special_words)


def pupa(path: Path, policy: PrivacyPolicy, listed: int) -> None:
    samples = read(path)
    result = evaluate(samples, default_detectors(), policy).as_json()
    keys = ("units_leaving_whole", "changed_words_inside_units", "false_hits_per_100_words", "ms_per_kb")
    print(f"pupa {policy.level}: " + ", ".join(f"{key} {result[key]}" for key in keys))
    outside: Counter[str] = Counter()
    for sample in samples:
        private = [(m.start, m.end) for m in sample.mentions]
        for span in found(sample.text, policy):
            if not any(a < span.end and span.start < b for a, b in private):
                outside[f"{span.kind.value} {sample.text[span.start : span.end]!r}"] += 1
    show(outside, listed)


def nq(path: Path, policy: PrivacyPolicy, listed: int) -> None:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    questions = list(cased(rows))
    changed, hits = 0, Counter[str]()
    for question in questions:
        spans = found(question, policy)
        changed += bool(spans)
        hits.update(f"{s.kind.value} {question[s.start : s.end]!r}  <- {question}" for s in spans)
    print(
        f"nq {policy.level}: {changed} of {len(questions)} questions changed ({changed / len(questions):.1%})"
    )
    show(hits, listed)


def cased(rows: Iterable[dict[str, object]]) -> Iterator[str]:
    """The questions with capitals, by the rule above."""
    rows = list(rows)
    lower = entries("common_words.txt") | entries("common_words_modern.txt")
    upper = entries("common_words_upper.txt")
    capitals: dict[str, str] = {}
    for row in rows:
        answers = row["answer"]
        assert isinstance(answers, list)
        for answer in answers:
            if isinstance(answer, str) and 1 < len(answer.split()) < 5 and answer.istitle():
                capitals[answer.lower()] = answer
    for row in rows:
        question = _WORD.sub(
            lambda m: (
                m[0]
                if is_stopword(m[0]) or m[0].partition("'")[0] in lower
                else m[0].upper()
                if m[0].upper() in upper
                else m[0][0].upper() + m[0][1:]
            ),
            str(row["question"]),
        )
        tokens = question.split(" ")
        for n in (4, 3, 2):
            for i in range(len(tokens) - n + 1):
                if whole := capitals.get(" ".join(tokens[i : i + n]).lower()):
                    tokens[i : i + n] = whole.split(" ")
        question = " ".join(tokens)
        yield question[:1].upper() + question[1:] + "?"


def code(folders: list[Path], policy: PrivacyPolicy, sample: int, listed: int) -> None:
    spans = lines = changed = count = 0
    seconds = size = 0.0
    hits: Counter[str] = Counter()
    for path in files(folders, sample):
        text = path.read_text("utf-8", "replace")
        began = time.process_time()
        there = found(text, policy)
        seconds += time.process_time() - began
        size += len(text.encode()) / 1024
        spans += len(there)
        count += len(words(text))
        touched = {n for s in there for n in (text.count("\n", 0, s.start), text.count("\n", 0, s.end))}
        changed += len(touched)
        lines += text.count("\n") + 1
        rows = text.split("\n")
        for span in there:
            line = rows[text.count("\n", 0, span.start)].strip()[:90]
            hits[f"{span.detector}/{span.kind.value} {text[span.start : span.end]!r}  <- {line}"] += 1
    print(
        f"code {policy.level}: {spans} hits in {count} words ({100 * spans / max(1, count):.2f} per 100), "
        f"{changed} of {lines} lines changed ({changed / max(1, lines):.1%}), "
        f"{1e3 * seconds / max(1e-9, size):.1f} ms a KB"
    )
    show(hits, listed)


def files(folders: list[Path], sample: int) -> list[Path]:
    every = sorted(
        p for folder in folders for p in folder.rglob("*") if p.suffix[1:] in ENDINGS and p.is_file()
    )
    if not sample:
        return every
    chosen: dict[str, list[Path]] = {}
    for path in sorted(every, key=lambda p: hashlib.sha256(str(p.name).encode()).digest()):
        if 1000 < path.stat().st_size < 60_000:
            chosen.setdefault(path.suffix, []).append(path)
    return [path for ending in sorted(chosen) for path in chosen[ending][:sample]]


def show(hits: Counter[str], listed: int) -> None:
    for hit, times in hits.most_common(listed):
        print(f"  {times:4d} {hit}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pupa", type=Path)
    parser.add_argument("--nq", type=Path)
    parser.add_argument("--code", type=Path, nargs="*", default=[])
    parser.add_argument("--sample", type=int, default=0, help="that many code files of each ending")
    parser.add_argument("--policy", default="entities")
    parser.add_argument("--list", type=int, default=0, help="show that many of the most frequent hits")
    args = parser.parse_args()
    csv.field_size_limit(sys.maxsize)
    policy = PrivacyPolicy.named(args.policy)
    if args.pupa:
        pupa(args.pupa, policy, args.list)
    if args.nq:
        nq(args.nq, policy, args.list)
    if args.code:
        code(args.code, policy, args.sample, args.list)


if __name__ == "__main__":
    main()
