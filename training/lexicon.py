"""The public word list of the mechanism: ``word<TAB>class<TAB>count``, made from public text only.

Classes: ``word`` (lowercase), ``name`` (capitalised mid-sentence in most of its uses), ``number`` (as written). The
list is what users' words are mapped within, so nothing private may ever enter it: it reads the sources
marked T and the public surrogate lists.

    python -m training.lexicon [--data DIR] [--out words.tsv.gz]
"""

from __future__ import annotations

import argparse
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from cmif.enclave.surrogates import lists
from training.sources import DATA, paragraphs

OUT = Path(__file__).resolve().parents[1] / "src/cmif/provider/data/words.tsv.gz"
WORDS = 26_000
NAMES = 3_000
BOOKS = 120
_TOKEN = re.compile(r"[A-Za-z]+(?:'[a-z]+)?(?:-[a-z]+)*|\d+(?:[.,]\d+)*|[.!?:;\"“”]")
_ROMAN = re.compile(r"[ivxlcdm]{2,}")


def count(texts: Iterable[str]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Uses by lowercase word: (lowercase and numbers, capitalised in mid-sentence, capitalised at a start)."""
    lower: Counter[str] = Counter()
    middle: Counter[str] = Counter()
    start: Counter[str] = Counter()
    for text in texts:
        previous = "."
        for token in _TOKEN.findall(text):
            if token[0].isalpha():
                key = token.lower()
                if token.islower():
                    lower[key] += 1
                elif token[0].isupper() and token[1:].islower():
                    (start if previous in '.!?:;"“”' else middle)[key] += 1
                elif token.isupper() and len(token) > 1:
                    lower[key] += 0  # an acronym or shouting says nothing about the class
            elif token[0].isdigit():
                lower[token] += 1
            previous = token
    return lower, middle, start


def lexicon(lower: Counter[str], middle: Counter[str], start: Counter[str]) -> list[tuple[str, str, int]]:
    """Rows (word, class, count): most frequent words and names, every listed surrogate name, common numbers."""
    words: dict[str, int] = {}
    names: dict[str, int] = {}
    for key in lower.keys() | middle.keys() | start.keys():
        if not key[0].isalpha() or len(key) > 24 or key.count("-") > 1 or key.endswith("'s"):
            continue
        if (len(key) == 1 and key not in ("a", "i")) or (_ROMAN.fullmatch(key) and lower[key] < 40):
            continue
        small, capital = lower[key], middle[key]
        if "'" not in key and "-" not in key and capital > 3 * small and capital >= 6:
            names[key.capitalize()] = capital + start[key]
        elif key.startswith("i'"):
            words[key] = capital + start[key]
        elif small >= 3:
            words[key] = small + start[key] + capital
    for group in ("given", "surname", "place"):
        for name in lists()[group]:
            names[name] = max(names.get(name, 0), 50)
    numbers = {str(n): max(lower[str(n)], 1) for n in [*range(1000), *range(1900, 2100)]}
    numbers |= {
        f"{n:,}": max(lower[f"{n:,}"], 1) for n in [*range(1000, 10_000, 500), *range(10_000, 100_001, 5_000)]
    }
    rows = [(w, "word", c) for w, c in _top(words, WORDS)]
    listed = {n for group in ("given", "surname", "place") for n in lists()[group]}
    rows += [(w, "name", c) for w, c in _top(names, NAMES, listed)]
    return rows + [(w, "number", c) for w, c in numbers.items()]


def _top(counts: dict[str, int], n: int, always: Iterable[str] = ()) -> list[tuple[str, int]]:
    keep = set(always)
    ranked = sorted(counts.items(), key=lambda item: (item[0] not in keep, -item[1], item[0]))[:n]
    return sorted(ranked, key=lambda item: (-item[1], item[0]))


def compress(text: str) -> bytes:
    """Gzip without a time stamp or name: the same text gives the same bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=9, mtime=0) as file:
        file.write(text.encode())
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    texts = (text for _, _, text in paragraphs(args.data, books=BOOKS))
    rows = lexicon(*count(texts))
    args.out.write_bytes(compress("".join(f"{word}\t{cls}\t{uses}\n" for word, cls, uses in rows)))
    print(
        {cls: sum(row[1] == cls for row in rows) for cls in ("word", "name", "number")},
        args.out.stat().st_size,
        "bytes",
    )


if __name__ == "__main__":
    main()
