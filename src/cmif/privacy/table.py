"""The certified privacy table: Report-Noisy-Max compiled to integers, with a background over each class.

M(y|x) = (1 - gamma) Q(y|x) + gamma / |C|, Q inside x's bucket, C the words of x's class. Guarantees, all
proven from the integers when a table is made or loaded (`cmif.privacy.certify`):

- x, x' in one bucket: M(y|x) <= e^eps_in M(y|x') for every y (pure eps_in-LDP over the bucket), and with the
  bucket's own loss in place of eps_in, which is 0 where the bucket's law does not depend on the word;
- x, x' of one class: M(y|x) <= e^eps_out M(y|x') for every y (pure eps_out-LDP over the class; eps_out is
  large);
- independent draws for several words add up (basic composition).

Not hidden: the class of a word, and that a word was replaced at all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cmif.errors import InputError, TableError
from cmif.privacy.certify import Certificate, bucket_of, certify, losses, read
from cmif.privacy.entries import Entries, dump, parse
from cmif.privacy.sample import Sampler
from cmif.types import WordClass

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Only ever exists certified: making one proves every bucket and pair and raises TableError otherwise."""

    entries: Entries
    certificate: Certificate = field(init=False)
    _sampler: Sampler = field(init=False, repr=False)
    _index: dict[str, int] = field(init=False, repr=False)
    _bucket: I64 = field(init=False, repr=False)
    _losses: npt.NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        certificate = certify(self.entries)
        if not certificate.certified:
            raise TableError(
                f"The privacy table is not certified: {certificate.reason}.",
                hint="It was altered or made by another version: make the bundle again with `cmif split`.",
            )
        object.__setattr__(self, "certificate", certificate)
        object.__setattr__(self, "_sampler", Sampler(self.entries))
        object.__setattr__(self, "_index", {word: i for i, word in enumerate(self.entries.words)})
        object.__setattr__(self, "_bucket", bucket_of(self.entries))
        object.__setattr__(self, "_losses", losses(self.entries))

    def __len__(self) -> int:
        return len(self.entries.words)

    @property
    def words(self) -> tuple[str, ...]:
        return self.entries.words

    @property
    def classes(self) -> npt.NDArray[np.uint8]:
        return self.entries.classes

    @property
    def k(self) -> int:
        return self.entries.k

    @property
    def eps_in(self) -> float:
        return self.entries.eps_in

    @property
    def eps_out(self) -> float:
        return self.entries.eps_out

    @property
    def gamma(self) -> Fraction:
        return self.entries.gamma

    @property
    def law(self) -> str:
        return self.entries.law

    @property
    def digest(self) -> str:
        return self.entries.digest

    @property
    def bundle(self) -> str:
        return self.entries.bundle

    def index(self, word: str, cls: WordClass) -> int | None:
        """The word's index, or None when the lexicon does not hold it in this class."""
        i = self._index.get(word)
        return i if i is not None and self.entries.classes[i] == cls else None

    def epsilon_of(self, index: int) -> float:
        """What one draw for this word spends: the exact loss of its bucket's law, in [0, eps_in].

        For x, x' of the word's bucket: M(y|x) <= e^epsilon_of M(y|x') for every y. It is the same for all words of a
        bucket, so a charge tells no more of the word than the bucket does. 0 where the law does not depend on the word.
        """
        return float(self._losses[self._bucket[index]])

    def sample(self, indices: npt.NDArray[np.integer]) -> I64:
        """One independent draw from M(.|x) for each x, int [m] -> int64 [m] of word indices.

        Exact integers, the operating system's generator; eps_in a word inside its bucket, eps_out in its
        class. Never call it twice for the same word of a conversation: remember the draw. InputError for an
        index out of range.
        """
        x = np.asarray(indices)
        if x.ndim != 1 or not np.issubdtype(x.dtype, np.integer):
            raise InputError("sample takes one dimension of integer word indices.")
        if len(x) and (x.min() < 0 or x.max() >= len(self)):
            raise InputError(f"A word index is not in [0, {len(self)}).")
        return self._sampler.draw(x.astype(np.int64))

    def sample_class(self, cls: WordClass, n: int) -> I64:
        """``n`` independent uniform words of a class, int64 [n]: for words outside the lexicon. Epsilon 0
        for the value, because nothing of it is used. InputError when the table has no word of the class."""
        if not (self.entries.classes == cls).any():
            raise InputError(f"The privacy table has no word of class {WordClass(cls).name}.")
        return self._sampler.uniform(int(cls), n)

    def candidates(self, index: int) -> I64:
        """The members of a word's bucket, int64, the word among them."""
        bucket = int(self._bucket[index])
        start, end = (int(i) for i in self.entries.starts[bucket : bucket + 2])
        return self.entries.members[start:end].astype(np.int64)

    def probability(self, y: int, x: int) -> Fraction:
        """M(y|x), exactly. For attackers, audits and decoding; the guarantee needs no secrecy of it."""
        e = self.entries
        if e.classes[x] != e.classes[y]:
            return Fraction(0)
        out = e.gamma / int((e.classes == e.classes[x]).sum())
        column = np.flatnonzero(e.columns[self._bucket[x]] == y)
        if len(column):
            out += (1 - e.gamma) * Fraction(int(e.weights[x, column[0]]), 1 << 48)
        return out

    def to_bytes(self) -> bytes:
        """The table's file: deterministic, no pickle."""
        return dump(self.entries)

    def save(self, path: str | os.PathLike[str]) -> None:
        Path(path).write_bytes(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes, *, bundle: str | None = None) -> Table:
        """A table from its file's bytes. TableError when it is malformed, altered, does not prove what it
        claims, or was made for another model than ``bundle`` (the model digest; None skips that check
        only).
        """
        entries = parse(data)
        if bundle is not None and entries.bundle != bundle:
            raise TableError(
                "The privacy table was made for another bundle.",
                hint="Use the table that `cmif split` wrote beside this bundle's rows.",
            )
        return cls(entries)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, bundle: str | None = None) -> Table:
        """As `from_bytes`, from a file."""
        return cls.from_bytes(read(path), bundle=bundle)
