"""The attackers' language model: bigram counts of public text and of the task's own training text, backing
off in that order.

Interpolated Witten-Bell: p(b|a) = (1 - l) q(b) + l c(a,b)/c(a), l = c(a) / (c(a) + types after a + 1), where
q is the next lower level: training bigrams -> public bigrams -> mixed unigrams. Works on lowercase words;
knows nothing about mechanisms.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from cmif_lab.eval import cache
from cmif_lab.eval.text import TOKEN

PUBLIC = (("books", "books.jsonl.xz", ("text",)), ("medquad", "medquad.jsonl.xz", ("question", "answer")))
UNIGRAM_WEIGHT = 10_000.0


@dataclass(frozen=True)
class Counts:
    """Bigram counts as CSR float32 [v, v] and the row sums and numbers of types after each word."""

    matrix: sparse.csr_array
    total: np.ndarray
    keep: np.ndarray  # l above, per first word

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray, size: int) -> Counts:
        ones = np.ones(len(first), np.float32)
        matrix = sparse.csr_array((ones, (first, second)), shape=(size, size))
        matrix.sum_duplicates()
        total: np.ndarray = np.asarray(matrix.sum(1)).ravel()
        return cls(matrix, total, total / (total + np.diff(matrix.indptr) + 1.0))


@dataclass(frozen=True)
class Language:
    """``ids`` maps a lowercase word to its number; 0 stands for unknown words and document borders."""

    ids: dict[str, int]
    unigram: np.ndarray  # float64 [v], sums to 1
    levels: tuple[Counts, ...]  # lowest first: public, then training

    def numbers(self, words: Iterable[str]) -> np.ndarray:
        """int64: the number of each word."""
        get = self.ids.get
        return np.array([get(word, 0) for word in words], np.int64)

    def transitions(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """float64 [len(first), len(second)]: p(second | first)."""
        p = np.broadcast_to(self.unigram[second], (len(first), len(second)))
        for level in self.levels:
            block = level.matrix[first][:, second].toarray()
            keep = level.keep[first][:, None]
            p = (1 - keep) * p + keep * block / np.maximum(level.total[first], 1.0)[:, None]
        return np.asarray(p)

    def pairs(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """float64 [n]: p(second[i] | first[i]), for many unrelated pairs at once."""
        p = self.unigram[second]
        for level in self.levels:
            found = np.asarray(level.matrix[first, second]).ravel()
            keep = level.keep[first]
            p = (1 - keep) * p + keep * found / np.maximum(level.total[first], 1.0)
        return np.asarray(p)


def _split(text: str) -> list[str]:
    return [match.group(2) for match in TOKEN.finditer(text.lower())]


def public_text(data: Path, characters: int) -> Iterator[str]:
    """Documents of the public corpora under ``data``, at most ``characters`` of each corpus; nothing where a
    file is missing.
    """
    for folder, name, fields in PUBLIC:
        path = data / folder / name
        if not path.is_file():
            continue
        seen = 0
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                text = " ".join(str(row[field]) for field in fields)
                seen += len(text)
                yield text
                if seen > characters:
                    break


def _number(documents: Iterable[Sequence[str]], ids: dict[str, int]) -> np.ndarray:
    flat: list[int] = [0]
    for words in documents:
        flat += [ids.setdefault(word, len(ids) + 1) for word in words]
        flat.append(0)
    return np.array(flat, np.int32)


def build(train: Sequence[str], data: Path | None, characters: int = 30_000_000) -> Language:
    """The model from the task's training texts and the public corpora of ``data`` (none: the training texts
    alone).
    """

    def count() -> dict[str, np.ndarray]:
        ids: dict[str, int] = {}
        stream = (
            _number((_split(text) for text in public_text(data, characters)), ids)
            if data
            else np.zeros(1, np.int32)
        )
        return {"stream": stream, "words": np.array(list(ids), dtype=np.str_)}

    sizes = [str((data / a / b).stat().st_size) for a, b, _ in PUBLIC if data and (data / a / b).is_file()]
    stored = cache.arrays("public", ["v1", str(characters), *sizes], count)
    ids = {str(word): i + 1 for i, word in enumerate(stored["words"])}
    field = _number((_split(text) for text in train), ids)
    size = len(ids) + 1
    public = stored["stream"]
    uni = [np.bincount(stream, minlength=size).astype(float) for stream in (public, field)]
    for counts in uni:
        counts[0] = 0
    smooth = (uni[0] + 0.5) / (uni[0] + 0.5).sum()
    unigram = (uni[1] + UNIGRAM_WEIGHT * smooth + 0.01) / (uni[1] + UNIGRAM_WEIGHT * smooth + 0.01).sum()
    levels = tuple(Counts.of(s[:-1], s[1:], size) for s in (public, field) if len(s) > 1)
    return Language(ids, unigram, levels)
