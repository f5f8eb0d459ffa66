from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cmif.bf16 import to_bf16, to_float


@given(arrays(np.float32, 50, elements=st.floats(width=32)))
def test_bf16_rounding_is_that_of_torch(values: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    expected = torch.from_numpy(values.copy()).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    finite = ~np.isnan(values)
    assert np.array_equal(to_bf16(values)[finite], expected[finite])
    assert np.isnan(to_float(to_bf16(values))[~finite]).all()


def test_every_bit_pattern_that_is_a_number_comes_back() -> None:
    patterns = np.arange(1 << 16, dtype=np.uint16)
    numbers = patterns[~np.isnan(to_float(patterns))]
    assert np.array_equal(to_bf16(to_float(numbers)), numbers)
