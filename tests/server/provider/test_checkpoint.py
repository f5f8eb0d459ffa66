from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from cmif.errors import InputError
from cmif_server.provider.checkpoint import EMBEDDING, embedding_rows, to_bf16


@given(
    st.lists(
        st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**127), max_value=2.0**127),
        min_size=1,
    )
)
def test_rounding_to_bf16_is_torch_s(values: list[float]) -> None:
    array = np.array(values, dtype=np.float32)
    expected = torch.from_numpy(array).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    np.testing.assert_array_equal(to_bf16(array), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_rows_of_every_dtype_are_read_without_the_model(tmp_path: Path, dtype: torch.dtype) -> None:
    rows = torch.randn(7, 5).to(dtype)
    save_file(
        {"a.first": torch.zeros(3), EMBEDDING: rows, "z.last": torch.zeros(2)}, tmp_path / "model.safetensors"
    )
    expected = rows.to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    np.testing.assert_array_equal(embedding_rows(tmp_path), expected)


def test_a_directory_without_weights_or_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No safetensors"):
        embedding_rows(tmp_path)
    save_file({"other": torch.zeros(3)}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="no tensor"):
        embedding_rows(tmp_path)


def test_a_damaged_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes((50).to_bytes(8, "little") + b"{" * 50)
    with pytest.raises(InputError, match="malformed"):
        embedding_rows(tmp_path)
