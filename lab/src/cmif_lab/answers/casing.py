"""Upper and lower case for questions that come without it.

NQ-open is lower case, and people who type a name to an assistant mostly write it as one. Each word gets the form
in which it stands most often inside the sentences of public books (a unigram truecaser); a word that the books do
not have is taken for a name. So "ben stone" becomes "Ben stone": a detector sees what a careless typist writes.
"""

from __future__ import annotations

import json
import lzma
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from cmif.errors import InputError

CHARACTERS = 12_000_000
_INSIDE = re.compile(r"(?<=[a-z,;] )[A-Za-z][A-Za-z'-]*")  # never the first word of a sentence
_WORD = re.compile(r"[^\W\d_][\w'-]*")


def forms(texts: Iterable[str]) -> dict[str, str]:
    """Lower-case word -> the form in which ``texts`` write it most often inside a sentence."""
    counts: dict[str, Counter[str]] = {}
    for text in texts:
        for word in _INSIDE.findall(text):
            counts.setdefault(word.lower(), Counter())[word] += 1
    return {word: seen.most_common(1)[0][0] for word, seen in counts.items()}


@cache
def from_books(data: Path) -> dict[str, str]:
    """:func:`forms` of the first 12 million characters of ``data``/books/books.jsonl.xz (rows with a `text`).
    Raises InputError."""
    path = data / "books" / "books.jsonl.xz"
    if not path.is_file():
        raise InputError("The data folder has no books/books.jsonl.xz.", hint="NQ-open is cased by it.")
    texts, size = [], 0
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            texts.append(json.loads(line)["text"])
            size += len(texts[-1])
            if size > CHARACTERS:
                break
    return forms(texts)


def cased(question: str, known: dict[str, str]) -> str:
    """``question`` with a capital at its start, names in capitals as far as ``known`` tells, and a question mark."""
    text = _WORD.sub(lambda match: known.get(match[0], match[0].capitalize()), question.strip())
    return text[:1].upper() + text[1:].rstrip("?") + "?"
