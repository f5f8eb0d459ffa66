from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.bf16 import to_bf16, to_float
from cmif.errors import ContextLengthError, InputError, RowsRefusedError
from cmif.types import Sampling
from cmif.wire.frame import CODECS, Frame, IdsFrame, Limits, decode, encode
from cmif.wire.rows import Rows
from cmif_server.engine.engine import EngineInfo
from cmif_server.engine.validate import validate

HIDDEN = 32
TABLE = to_bf16(np.random.default_rng(0).standard_normal((50, HIDDEN)).astype(np.float32))
MAX_NORM = float(np.linalg.norm(to_float(TABLE), axis=1).max())
INFO = EngineInfo("ab" * 32, HIDDEN, 64, 50, MAX_NORM)


def frame(
    unique: np.ndarray = TABLE[:3], index: object = (0, 1, 2), model: str = INFO.model, **sampling: object
) -> Frame:
    settings = {"max_tokens": 4, **sampling}
    return Frame(model, Rows(unique, np.array(index, np.int32)), Sampling(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", CODECS)
def test_every_row_of_the_table_passes_under_every_codec(codec: str) -> None:
    whole = Frame(INFO.model, Rows.gather(TABLE, np.arange(50)), Sampling(max_tokens=4))
    validate(decode(encode(whole, codec), Limits(HIDDEN, 64)), INFO)


@pytest.mark.parametrize("pattern", [0x7FC0, 0xFFC0, 0x7F80, 0xFF80, 0x7F81])
@given(row=st.integers(0, 2), column=st.integers(0, HIDDEN - 1))
def test_one_element_that_is_not_finite_refuses_the_frame(pattern: int, row: int, column: int) -> None:
    unique = TABLE[:3].copy()
    unique[row, column] = pattern
    with pytest.raises(RowsRefusedError, match="NaN"):
        validate(frame(unique), INFO)


@given(st.floats(1.1, 1e38))
def test_a_row_above_the_largest_of_the_table_is_refused(factor: float) -> None:
    row = np.zeros((1, HIDDEN), np.float32)
    row[0, 5] = min(factor * MAX_NORM, 3e38)
    with pytest.raises(RowsRefusedError, match="larger"):
        validate(frame(to_bf16(row), (0,)), INFO)


def test_many_small_elements_add_up() -> None:
    row = np.full((1, HIDDEN), 1.1 * MAX_NORM / np.sqrt(HIDDEN), np.float32)
    with pytest.raises(RowsRefusedError, match="larger"):
        validate(frame(to_bf16(row), (0,)), INFO)


@pytest.mark.parametrize(
    ("unique", "index"),
    [
        (TABLE[:3, :-1], (0,)),
        (TABLE[:3].astype(np.float32), (0,)),
        (TABLE[0], (0,)),
        (TABLE[:3], (0, 3)),
        (TABLE[:3], (0, -1)),
        (TABLE[:3], ()),
    ],
)
def test_rows_of_another_shape_are_refused(unique: np.ndarray, index: tuple[int, ...]) -> None:
    with pytest.raises(RowsRefusedError):
        validate(frame(unique, index), INFO)


def test_prompt_and_answer_must_fit_the_context() -> None:
    validate(frame(index=(0,) * 60, max_tokens=4), INFO)
    for request in (
        frame(index=(0,) * 60, max_tokens=5),
        IdsFrame(INFO.model, np.ones(60, np.int32), Sampling(max_tokens=5)),
    ):
        with pytest.raises(ContextLengthError):
            validate(request, INFO)


def test_another_model_and_ids_outside_the_vocabulary_are_refused() -> None:
    short = Sampling(max_tokens=1)
    refused = [
        frame(model="cd" * 32),
        frame(stop_ids=(50,)),
        IdsFrame(INFO.model, np.array([50], np.int32), short),
        IdsFrame(INFO.model, np.array([-1], np.int32), short),
        IdsFrame(INFO.model, np.array([], np.int32), short),
    ]
    for request in refused:
        with pytest.raises(InputError):
            validate(request, INFO)
