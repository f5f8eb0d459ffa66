"""Token ids to embedding rows: the model's first layer, run in the enclave.

Rows hide nothing: nearest-neighbour look-up in a public table recovers every id. They are sent because the table is
the provider's to protect and because no id and no text has to leave; the sanitised text is the privacy boundary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cmif.wire.rows import Rows


def embed(table: NDArray[np.uint16], ids: Sequence[int]) -> Rows:
    """Rows of ``table`` (`uint16[vocab, hidden]`, bfloat16 bits) for ``ids``: each distinct row once, and an index.

    Ids come from our own tokenizer, so one outside the table is a defect and raises `IndexError`.
    """
    return Rows.gather(table, np.asarray(ids, dtype=np.int64))
