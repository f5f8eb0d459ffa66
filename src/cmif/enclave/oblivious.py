"""Row look-up whose page accesses do not depend on the ids: an option against a host that traces pages.

A Llama-3 row is 8 KiB, two pages, so whoever sees which pages a plain look-up touches reads the token ids. Touching
every page before a plain look-up does not help against a host that watches each access: the look-up still adds its own.
Here the table is stored transposed in tiles of 2048 rows: one 4 KiB page holds one column of one tile, and every tile
and column is read for every id, at ``id mod 2048``, the wanted value being kept by a mask.

Guarantee: for a given number of ids, the sequence of pages of the table and of the buffers that are read or written is
the same whatever the ids. Not hidden: the number of ids, and the position within a page (cache lines: 32 values each).
The table is kept once more, in tiles. Cost: measured by `lab/benchmarks/oblivious.py`, stated in docs/threat-model.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PAGE_BYTES = 4096
TILE_ROWS = PAGE_BYTES // 2
_SHIFT = TILE_ROWS.bit_length() - 1
_COLUMNS = 64  # transposed at once


class ObliviousRows:
    """A table of `uint16[vocab, hidden]` rows (bfloat16 bits), tiled for look-ups that touch every page."""

    def __init__(self, table: NDArray[np.uint16]) -> None:
        self.vocab, self.hidden = table.shape
        count = -(-self.vocab // TILE_ROWS)
        self._tiles = _page_aligned(count * self.hidden * TILE_ROWS).reshape(count, self.hidden, TILE_ROWS)
        for number in range(count):
            rows = table[number * TILE_ROWS : (number + 1) * TILE_ROWS]
            for first in range(0, self.hidden, _COLUMNS):
                columns = slice(first, first + _COLUMNS)
                # Through a small copy: rows are a power of two apart, so their cache lines evict one another.
                self._tiles[number, columns, : len(rows)] = np.ascontiguousarray(rows[:, columns]).T

    def gather(self, ids: NDArray[np.integer]) -> NDArray[np.uint16]:
        """Rows `uint16[n, hidden]` for ``ids`` (`[n]`, any integer type), bit for bit those of the table.

        Raises `IndexError` for an id outside the table, before anything is touched.
        """
        wanted = np.asarray(ids, dtype=np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= self.vocab):
            raise IndexError("an id is outside the embedding table")
        tile, place = wanted >> _SHIFT, wanted & (TILE_ROWS - 1)
        out = np.zeros((self.hidden, wanted.size), dtype=np.uint16)
        found = np.empty_like(out)
        for number, columns in enumerate(self._tiles):
            # No branch and no masked write: every value is read, multiplied by 0 or 1, and or-ed in.
            np.take(columns, place, axis=1, out=found, mode="wrap")
            np.multiply(found, (tile == number).astype(np.uint16), out=found)
            np.bitwise_or(out, found, out=out)
        return np.ascontiguousarray(out.T)


def gather(table: NDArray[np.uint16], ids: NDArray[np.integer]) -> NDArray[np.uint16]:
    """One look-up over a table that is not tiled yet: the same guarantee, at the price of tiling it each time."""
    return ObliviousRows(table).gather(ids)


def _page_aligned(size: int) -> NDArray[np.uint16]:
    """Zeros that begin on a page, so that no column shares one with its neighbour."""
    raw = np.zeros(size * 2 + PAGE_BYTES, dtype=np.uint8)
    start = -raw.ctypes.data % PAGE_BYTES
    return raw[start : start + size * 2].view(np.uint16)
