"""Token ids to embedding rows: the model's first layer, run in the enclave.

Rows hide nothing: nearest-neighbour look-up in a public table recovers every id. They are sent because the table is
the provider's to protect and because no id and no text has to leave; the sanitised text is the privacy boundary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cmif.enclave.oblivious import ObliviousRows
from cmif.wire.rows import Rows

Embed = Callable[[NDArray[np.uint16], Sequence[int]], Rows]
"""The embedding step: table `uint16[vocab, hidden]` and ids to rows."""


def embed(table: NDArray[np.uint16], ids: Sequence[int]) -> Rows:
    """Rows of ``table`` (`uint16[vocab, hidden]`, bfloat16 bits) for ``ids``: each distinct row once, and an index.

    Ids come from our own tokenizer, so one outside the table is a defect and raises `IndexError`.
    """
    return Rows.gather(table, np.asarray(ids, dtype=np.int64))


def oblivious(table: NDArray[np.uint16]) -> Embed:
    """:func:`embed` for one ``table``, with page accesses that do not depend on the ids (`enclave/oblivious.py`)."""
    rows = ObliviousRows(table)

    def look_up(_table: NDArray[np.uint16], ids: Sequence[int]) -> Rows:
        distinct, index = np.unique(np.asarray(ids, dtype=np.int64), return_inverse=True)
        return Rows(rows.gather(distinct), index.astype(np.int32))

    return look_up
