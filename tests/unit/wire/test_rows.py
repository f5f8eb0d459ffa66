from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cmif.bf16 import to_bf16, to_float
from cmif.errors import WireError
from cmif.wire.rows import Rows, pack, packed_size, unpack

PATTERNS = arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=17))
FINITE = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, max_side=17), elements=st.floats(-100, 100, width=32)
).map(to_bf16)


@given(PATTERNS)
def test_bf16_is_lossless_for_every_bit_pattern(rows: np.ndarray) -> None:
    packed = pack("bf16", rows)
    assert len(packed) == packed_size("bf16", *rows.shape)
    assert np.array_equal(unpack("bf16", memoryview(packed), *rows.shape), rows)


@given(FINITE)
def test_int8_is_within_half_a_step_of_the_row(rows: np.ndarray) -> None:
    out = to_float(unpack("int8", memoryview(pack("int8", rows)), *rows.shape))
    values = to_float(rows).astype(np.float64)
    peak = np.abs(values).max(axis=1, keepdims=True)
    step = np.maximum(peak / 127, np.sqrt(np.square(values).mean(axis=1, keepdims=True)) / 24)
    # Half a step, the step rounded up to bf16 (2^-7 at most), and bf16's own rounding of the result.
    assert (np.abs(out - values) <= step / 2 * (1 + 2**-7) * 1.001 + np.abs(values) * 2**-8 + 1e-38).all()


@given(FINITE)
def test_fp8_is_within_its_mantissa(rows: np.ndarray) -> None:
    out = to_float(unpack("fp8", memoryview(pack("fp8", rows)), *rows.shape))
    values = to_float(rows)
    peak = np.abs(values).max(axis=1, keepdims=True)
    assert (np.abs(out - values) <= np.abs(values) * (2**-4 + 2**-7) + peak / 448 * 2**-9 + 1e-38).all()


def test_fp8_codes_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).standard_normal((64, 256)).astype(np.float32)
    values[:, 0] = 448.0  # so that the row scale is 1 and the codes can be compared one by one
    values[:, 1:9] = np.array([0, 2**-9, 2**-10, 3 * 2**-10, 2**-6, 447, -0.0, 1e-6], np.float32)
    rows = to_bf16(values)
    codes = np.frombuffer(pack("fp8", rows)[2 * 64 :], np.uint8)
    expected = torch.from_numpy(to_float(rows)).to(torch.float8_e4m3fn).view(torch.uint8).numpy().reshape(-1)
    assert np.array_equal(codes, expected)


@pytest.mark.parametrize("codec", ["int8", "fp8"])
def test_a_row_of_zeros_stays_zero(codec: str) -> None:
    zeros = np.zeros((3, 5), np.uint16)
    assert np.array_equal(unpack(codec, memoryview(pack(codec, zeros)), 3, 5), zeros)


@pytest.mark.parametrize("codec", ["int8", "fp8"])
@pytest.mark.parametrize("pattern", [0x7FC0, 0x7F80, 0xFF80])
def test_a_row_that_is_not_finite_cannot_be_quantised(codec: str, pattern: int) -> None:
    rows = np.zeros((2, 4), np.uint16)
    rows[1, 2] = pattern
    with pytest.raises(WireError):
        pack(codec, rows)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40))
def test_gather_sends_each_row_once_in_order_of_appearance(ids: list[int]) -> None:
    table = np.arange(10 * 3, dtype=np.uint16).reshape(10, 3)
    rows = Rows.gather(table, np.array(ids))
    assert np.array_equal(rows.dense(), table[ids])
    assert [int(r[0]) // 3 for r in rows.unique] == list(dict.fromkeys(ids))
    assert rows.index.dtype == np.int32


@pytest.mark.parametrize("codec", ["bf16", "int8", "fp8"])
def test_unpack_refuses_a_section_of_another_size(codec: str) -> None:
    with pytest.raises(WireError):
        unpack(codec, memoryview(bytes(packed_size(codec, 2, 4) - 1)), 2, 4)
