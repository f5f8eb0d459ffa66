"""Proof, in rational arithmetic, that a table keeps what it claims: over every bucket and every pair of
words.

No float is compared: weights are integers, gamma is a fraction, epsilon is the dyadic rational that its
float is, and e^epsilon is replaced by a rational LOWER bound, so a table that passes satisfies the true
bound.

Why columns are enough. Inside a bucket every row has the same total, so P(y|x) <= e^eps P(y|x') for all x,
x' is weight[x, y] <= e^eps weight[x', y] for all x, x', which holds exactly when it holds for the largest
and the smallest weight of column y. That is one comparison a column in place of K^2, and it leaves no pair
out.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cmif.errors import TableError
from cmif.privacy.accounting import NANO, nano
from cmif.privacy.entries import Entries, parse
from cmif.privacy.integers import TOTAL, exceeds, exp_lower
from cmif.types import WordClass


@dataclass(frozen=True, slots=True)
class Certificate:
    """The outcome. ``reason`` says what is wrong where ``certified`` is False, and is empty otherwise.

    ``constant``: buckets all of whose words have the same law, so that nothing is spent on them (0 where not
    ``certified``).
    """

    certified: bool
    k: int
    eps_in: float
    eps_out: float
    gamma: Fraction
    law: str
    buckets: int
    constant: int
    words: int
    seconds: float
    reason: str = field(default="")

    def as_json(self) -> dict[str, Any]:
        """What `cmif certify --json` prints; gamma as a fraction, ``reason`` only on failure."""
        out: dict[str, Any] = {
            "certified": self.certified,
            "k": self.k,
            "eps_in": self.eps_in,
            "eps_out": self.eps_out,
            "gamma": str(self.gamma),
            "law": self.law,
            "buckets": self.buckets,
            "constant": self.constant,
            "words": self.words,
            "seconds": round(self.seconds, 3),
        }
        return out if self.certified else {**out, "reason": self.reason}


class HasEntries(Protocol):
    @property
    def entries(self) -> Entries: ...


def certify(source: str | os.PathLike[str] | Entries | HasEntries) -> Certificate:
    """Prove the table in ``source`` (a file, a Table or entries) from nothing but its bytes.

    Never raises for a table that fails: the certificate says why. TableError only where there is no table to
    speak of (no such file, not the format).
    """
    started = time.perf_counter()
    if isinstance(source, Entries):
        entries = source
    elif isinstance(source, str | os.PathLike):
        entries = parse(read(source))
    else:
        entries = source.entries
    reason = flaw(entries)
    return Certificate(
        certified=not reason,
        k=entries.k,
        eps_in=entries.eps_in,
        eps_out=entries.eps_out,
        gamma=entries.gamma,
        law=entries.law,
        buckets=max(len(entries.starts) - 1, 0),
        constant=0 if reason else int(constant(entries).sum()),
        words=len(entries.words),
        seconds=time.perf_counter() - started,
        reason=reason,
    )


def read(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a table's file; TableError when it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TableError(f"The privacy table cannot be read: {error.strerror}.") from None


def flaw(e: Entries) -> str:
    """Why these entries are no certified table, or "" when they are one."""
    return _claims(e) or _structure(e) or _rows(e) or _inside(e) or _paid(e) or _outside(e) or _digest(e)


def _claims(e: Entries) -> str:
    if e.k < 2:
        return f"k is {e.k}: a bucket of one word hides nothing"
    if not (math.isfinite(e.eps_in) and e.eps_in >= 0 and math.isfinite(e.eps_out) and e.eps_out > 0):
        return "eps_in is not a finite number from 0 or eps_out not one above 0"
    if not 0 < e.gamma < 1:
        return "gamma is not between 0 and 1"
    return ""


def _structure(e: Entries) -> str:
    n = len(e.words)
    if not n or e.classes.shape != (n,) or e.members.shape != (n,) or e.weights.shape[0] != n:
        return "the arrays do not agree on the number of words"
    if len(set(e.words)) != n or "" in e.words:
        return "words are empty or not unique"
    if not np.isin(e.classes, [int(c) for c in WordClass]).all():
        return "a word's class is unknown"
    if (np.sort(e.members) != np.arange(n)).any():
        return "the buckets do not hold every word exactly once"
    sizes = np.diff(e.starts)
    if len(e.starts) < 2 or e.starts[0] != 0 or e.starts[-1] != n or (sizes < 1).any():
        return "the buckets' borders are not increasing from 0 to the number of words"
    if (sizes < e.k).any():
        return f"bucket {int(np.argmax(sizes < e.k))} has fewer than k = {e.k} words"
    of_member = e.classes[e.members]
    if (np.repeat(of_member[e.starts[:-1]], sizes) != of_member).any():
        return "a bucket mixes classes"
    b = len(sizes)
    if e.columns.shape != (b, e.weights.shape[1]) or not e.columns.shape[1]:
        return "columns and weights do not agree on the number of outputs"
    used = e.columns >= 0
    if (e.columns >= n).any() or not used[:, 0].all() or (used[:, 1:] & ~used[:, :-1]).any():
        return "a bucket's columns are not word indices followed by padding"
    if (bucket_of(e)[e.columns][used] != np.nonzero(used)[0]).any():
        return "a bucket reports a word of another bucket"
    ordered = np.sort(np.where(used, e.columns, -1 - np.arange(e.columns.shape[1])), axis=1)
    if (ordered[:, 1:] == ordered[:, :-1]).any():
        return "a bucket lists an output twice"
    return ""


def _rows(e: Entries) -> str:
    if (e.weights > TOTAL).any() or e.weights.shape[1] >= 1 << 15:
        return "a weight is larger than the total"
    wrong = e.weights.sum(axis=1) != TOTAL  # exact: fewer than 2^15 numbers of at most 2^48
    if wrong.any():
        return f"the weights of word {int(np.argmax(wrong))} do not sum to 2^48"
    if e.weights[(e.columns < 0)[bucket_of(e)]].any():
        return "a weight stands on padding"
    return ""


def bucket_of(e: Entries) -> npt.NDArray[np.int64]:
    """int64 [n]: the bucket of each word."""
    out = np.empty(len(e.members), dtype=np.int64)
    out[e.members] = np.repeat(np.arange(len(e.starts) - 1), np.diff(e.starts))
    return out


def extremes(e: Entries) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Largest and smallest weight of every column of every bucket, uint64 [b, w] each."""
    ordered = e.weights[e.members]
    return np.maximum.reduceat(ordered, e.starts[:-1]), np.minimum.reduceat(ordered, e.starts[:-1])


def _inside(e: Entries) -> str:
    high, low = extremes(e)
    wrong = exceeds(
        high, low, exp_lower(Fraction(e.eps_in))
    )  # a column of zeros is no output: 0 > 0 is false
    if wrong.any():
        bucket, column = (int(i[0]) for i in np.nonzero(wrong))
        return f"bucket {bucket}, output {column}: two words differ by more than e^eps_in"
    return ""


def constant(e: Entries) -> npt.NDArray[np.bool_]:
    """bool [b]: the buckets whose words all have the same law."""
    high, low = extremes(e)
    return np.asarray((high == low).all(axis=1))


def _paid(e: Entries) -> str:
    if e.eps_in > 0 and constant(e).all():
        return f"eps_in is {e.eps_in:g} but no law depends on its word: there is nothing to charge"
    return ""


def losses(e: Entries) -> npt.NDArray[np.float64]:
    """float64 [b]: the loss of each bucket's law, exact up to being rounded up to whole nano-epsilons (the ledger's
    unit), 0 where the law is constant.

    For entries that are certified: no larger than eps_in.
    """
    high, low = extremes(e)
    out = np.zeros(len(high))
    known: dict[Fraction, float] = {}
    for b in np.flatnonzero((high > low).any(axis=1)):
        used = high[b] > 0
        # 48-bit integers are exact as floats and division rounds monotonically: the largest quotient is among the ties
        quotient = high[b][used] / low[b][used]
        ties = np.flatnonzero(quotient == quotient.max())
        ratio = max(Fraction(int(high[b][used][i]), int(low[b][used][i])) for i in ties)
        if ratio not in known:
            known[ratio] = min(nano(smallest_epsilon(ratio)) / NANO, e.eps_in)
        out[b] = known[ratio]
    return out


def spread(e: Entries) -> Fraction:
    """The exact largest ratio M(y|x) / M(y|x') over all words x, x' of one class and all outputs y.

    M(y|x) = (1 - gamma) weight / 2^48 + gamma / |C|. For x' in another bucket than y the first term is 0, so
    with two buckets or more in a class the ratio is 1 + (1 - gamma) q_max |C| / gamma; with one, the
    extremes of its columns. Words outside the lexicon count as inputs too: they are replaced uniformly over
    the class, 1 / |C| for every y. With two buckets that is already covered, since q_max |C| >= 1.
    """
    high, low = extremes(e)
    of_bucket = e.classes[e.members[e.starts[:-1]]]
    keep = (1 - e.gamma) / TOTAL
    worst = Fraction(1)
    for cls in np.unique(of_bucket):
        mine = of_bucket == cls
        uniform = Fraction(1, int((e.classes == cls).sum()))
        background = e.gamma * uniform
        if mine.sum() > 1:
            worst = max(worst, 1 + keep * int(high[mine].max()) / background)
            continue
        for h, l in zip(high[mine][0].tolist(), low[mine][0].tolist(), strict=True):
            outputs = keep * h + background, keep * l + background, uniform
            worst = max(worst, max(outputs) / min(outputs))
        if (e.columns[mine][0] >= 0).sum() * uniform < 1:  # some word is reported by the background alone
            worst = max(worst, 1 / e.gamma)
    return worst


def smallest_epsilon(ratio: Fraction) -> float:
    """The smallest float (within a few units in the last place) whose e^epsilon is provably >= ratio."""
    epsilon = math.log(ratio)
    while epsilon <= 0 or exp_lower(Fraction(epsilon)) < ratio:
        epsilon = math.nextafter(epsilon, math.inf) if epsilon > 0 else 2.0**-60
    return epsilon


def _outside(e: Entries) -> str:
    if exp_lower(Fraction(e.eps_out)) < spread(e):
        return "two words of one class differ by more than e^eps_out"
    return ""


def _digest(e: Entries) -> str:
    return "" if e.compute_digest() == e.digest else "the digest is not that of the content: altered"
