from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.embed import embed, oblivious

TABLE = np.random.default_rng(0).integers(0, 1 << 16, size=(37, 5), dtype=np.uint16)


@pytest.mark.parametrize("look_up", [embed, oblivious(TABLE)])
@given(ids=st.lists(st.integers(0, 36), min_size=1, max_size=50))
def test_rows_are_the_table_s_and_each_crosses_once(look_up, ids: list[int]) -> None:  # type: ignore[no-untyped-def]
    rows = look_up(TABLE, ids)
    np.testing.assert_array_equal(rows.dense(), TABLE[ids])
    assert len(rows.unique) == len(set(ids))


@pytest.mark.parametrize("look_up", [embed, oblivious(TABLE)])
def test_an_id_outside_the_table_is_a_defect(look_up) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(IndexError):
        look_up(TABLE, [37])
