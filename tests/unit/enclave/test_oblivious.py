from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmif.enclave.oblivious import PAGE_BYTES, TILE_ROWS, ObliviousRows, gather

VOCAB, HIDDEN = 2 * TILE_ROWS + 37, 24
TABLE = np.random.default_rng(7).integers(0, 1 << 16, size=(VOCAB, HIDDEN), dtype=np.uint16)
ROWS = ObliviousRows(TABLE)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, VOCAB - 1), max_size=40))
def test_rows_are_the_tables_bit_for_bit(ids: list[int]) -> None:
    assert np.array_equal(ROWS.gather(np.array(ids, dtype=np.int64)), TABLE[np.array(ids, dtype=np.int64)])


def test_every_row_can_be_fetched_at_once() -> None:
    ids = np.random.default_rng(8).permutation(VOCAB).astype(np.int32)
    assert np.array_equal(ROWS.gather(ids), TABLE[ids])


@pytest.mark.parametrize("vocab", [1, TILE_ROWS - 1, TILE_ROWS, TILE_ROWS + 1])
def test_tables_that_do_not_fill_their_last_tile(vocab: int) -> None:
    assert np.array_equal(gather(TABLE[:vocab], np.array([0, vocab - 1])), TABLE[[0, vocab - 1]])


def test_nan_and_negative_zero_patterns_survive() -> None:
    table = np.array([[0x7FC0, 0x8000, 0xFFFF], [0x7F80, 0xFF80, 0x0001]], dtype=np.uint16)
    assert np.array_equal(gather(table, np.array([1, 0])), table[[1, 0]])


@pytest.mark.parametrize("ids", [[-1], [VOCAB], [0, VOCAB]])
def test_ids_outside_the_table_are_refused(ids: list[int]) -> None:
    with pytest.raises(IndexError):
        ROWS.gather(np.array(ids))


def test_each_column_of_a_tile_is_exactly_one_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the look-up reads all of them in the same order whatever the ids: what np.take is given is recorded."""
    seen: list[list[tuple[int, tuple[int, ...]]]] = []
    take = np.take

    def recording(array: np.ndarray, *args: object, **kwargs: object) -> object:
        seen[-1].append((array.ctypes.data, array.strides))
        return take(array, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(np, "take", recording)
    for ids in ([0, 0, 0], [1, TILE_ROWS + 3, VOCAB - 1], [VOCAB - 1] * 3):
        seen.append([])
        ROWS.gather(np.array(ids))
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == 3
    for address, strides in seen[0]:
        assert address % PAGE_BYTES == 0
        assert strides == (PAGE_BYTES, 2)
