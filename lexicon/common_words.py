"""Make `enclave/data/common_words.txt`: English words that are usually written in lower case.

    python lexicon/common_words.py DATA OUT

Counts words in public text whose licence allows it (rows marked T of DATA/SOURCES.md: public-domain books, MedQuAD,
MTS-Dialog, PubMedQA, OpenStax nursing, self-instruct seeds). A word is common if it stands in lower case at least 10
times, in 3 texts or more, and at 70 % of its places inside a sentence (30 % for words seen 1,000 times, such as
"street"). It tells a name from the first word of a sentence; the detectors read it.
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_WORD = re.compile(r"[^\W\d_]+")
_INSIDE = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]+")  # a capital that no beginning of a sentence explains
_NO_WORDS = frozenset({"donna", "elle", "stan", "serge"})  # foreign words in these books, names in a prompt

HEADER = """\
# English words that are usually written in lower case, one a line. Counted by lexicon/common_words.py on public text
# (public-domain books, MedQuAD, MTS-Dialog, PubMedQA, OpenStax nursing, self-instruct seeds).
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.write_text(HEADER + "\n".join(common_words(texts(options.data))) + "\n", "utf-8")


def common_words(groups: Iterator[list[str]]) -> list[str]:
    lower: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    groups_with: Counter[str] = Counter()
    for group in groups:
        seen = set()
        for text in group:
            for word in _WORD.findall(text):
                if word.islower():
                    lower[word] += 1
                    seen.add(word)
            capital.update(match.group().lower() for match in _INSIDE.finditer(text))
        groups_with.update(seen)

    def common(word: str) -> bool:
        share = lower[word] / (lower[word] + capital[word])
        return (
            lower[word] >= 10
            and groups_with[word] >= 3
            and len(word) > 1
            and word.isascii()
            and (share >= 0.7 or (lower[word] >= 1000 and share >= 0.3))
        )

    return sorted(word for word in lower if common(word) and word not in _NO_WORDS)


def texts(data: Path) -> Iterator[list[str]]:
    """One list of texts a book or row."""
    for name in ("books/books", "medquad/medquad", "openstax_nursing/openstax_nursing"):
        with lzma.open(data / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
            for line in lines:
                yield list(_strings(json.loads(line)))
    for row in json.loads((data / "pubmedqa" / "ori_pqal.json").read_text("utf-8")).values():
        yield list(_strings(row))
    yield [(data / "mts-dialog" / "MTS-Dialog-TrainingSet.csv").read_text("utf-8")]
    for path in sorted((data / "instructions").glob("*.jsonl")):
        yield [text for line in path.read_text("utf-8").splitlines() for text in _strings(json.loads(line))]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _strings(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _strings(entry)


if __name__ == "__main__":
    main()
