"""Exact draws from integers with the operating system's generator. No seed, no float, no replay.

Every draw is `os.urandom`, which in a TEE is the kernel's generator fed by the CPU's. Uniform integers are
rejected, not reduced, so they are unbiased; a row is searched in as many steps for every word. Which cache
lines are touched does depend on the word, as in any table: side channels of the TEE are out of scope here.
"""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from cmif.privacy.certify import bucket_of
from cmif.privacy.entries import Entries
from cmif.privacy.integers import BITS

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]

CHUNK = 1 << 16  # words at once: the working set stays in the cache


def words64(count: int) -> U64:
    """``count`` independent uniform 64-bit integers."""
    return np.frombuffer(os.urandom(8 * count), dtype="<u8")


def below(bound: int, count: int) -> I64:
    """``count`` uniform integers in [0, bound), 1 <= bound < 2^63, exactly: draws past the last multiple are
    redrawn.
    """
    limit = (1 << 64) - (1 << 64) % bound
    drawn = words64(count)
    if limit < 1 << 64:
        late = np.flatnonzero(drawn >= np.uint64(limit))
        if len(late):
            drawn = drawn.copy()
            while len(late):
                drawn[late] = words64(len(late))
                late = late[drawn[late] >= np.uint64(limit)]
    return (drawn % np.uint64(bound)).astype(np.int64)


class Sampler:
    """Draws from M(y|x) = (1 - gamma) Q(y|x) + gamma / |C|, with Q's integer rows."""

    def __init__(self, entries: Entries) -> None:
        n, width = entries.weights.shape
        self._width = 1 << max(width - 1, 1).bit_length()
        padded = np.zeros((n, self._width), dtype=np.uint64)
        padded[:, :width] = entries.weights
        # inclusive sums; padding repeats 2^48, which no draw reaches
        self._sums = np.ascontiguousarray(np.cumsum(padded, axis=1, dtype=np.uint64)).reshape(-1)
        self._reports = np.full((len(entries.columns), self._width), -1, dtype=np.int32)
        self._reports[:, :width] = entries.columns
        self._reports = self._reports.reshape(-1)
        self._bucket = bucket_of(entries)
        self._class = entries.classes
        self._gamma: Fraction = entries.gamma
        self._of_class = {int(c): np.flatnonzero(entries.classes == c) for c in np.unique(entries.classes)}

    def draw(self, indices: I64) -> I64:
        """One independent draw for each word index, int64 [m] -> int64 [m]."""
        out = np.empty(len(indices), dtype=np.int64)
        for start in range(0, len(indices), CHUNK):
            out[start : start + CHUNK] = self._draw(indices[start : start + CHUNK])
        return out

    def uniform(self, cls: int, count: int) -> I64:
        """``count`` independent uniform words of a class, int64 [count]; KeyError when the class is empty."""
        members = self._of_class[cls]
        out: I64 = members[below(len(members), count)]
        return out

    def _draw(self, indices: I64) -> I64:
        threshold = words64(len(indices)) >> np.uint64(64 - BITS)  # uniform in [0, 2^48)
        base = indices * self._width
        position = np.zeros(len(indices), dtype=np.int64)
        step = self._width >> 1
        while step:  # the number of sums that are <= threshold
            passed = self._sums[base + (position + (step - 1))] <= threshold
            position += step * passed
            step >>= 1
        out: I64 = self._reports[self._bucket[indices] * self._width + position].astype(np.int64)
        background = below(self._gamma.denominator, len(indices)) < self._gamma.numerator
        chosen = np.flatnonzero(background)
        classes = self._class[indices[chosen]]
        for cls in np.unique(classes):
            here = chosen[classes == cls]
            out[here] = self.uniform(int(cls), len(here))
        return out
