from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from cmif.bf16 import to_bf16
from cmif.types import Sampling
from cmif.wire.frame import Frame, IdsFrame
from cmif.wire.rows import Rows

MODEL = "ab" * 32
HIDDEN = 8


def random_rows(n: int, distinct: int, seed: int = 0, hidden: int = HIDDEN) -> Rows:
    rng = np.random.default_rng(seed)
    table = to_bf16(rng.standard_normal((distinct, hidden)).astype(np.float32))
    return Rows.gather(table, rng.integers(0, distinct, n))


def make_frame(n: int = 20, distinct: int = 7, seed: int = 0, **sampling: object) -> Frame:
    return Frame(MODEL, random_rows(n, distinct, seed), Sampling(**sampling), "tenant")  # type: ignore[arg-type]


samplings = st.builds(
    Sampling,
    max_tokens=st.integers(1, 1 << 20),
    temperature=st.floats(0, 2),
    top_p=st.floats(0, 1, exclude_min=True),
    seed=st.none() | st.integers(-(1 << 63), (1 << 63) - 1),
    stop_ids=st.lists(st.integers(0, 200000), max_size=64).map(tuple),
    frequency_penalty=st.floats(-2, 2),
    presence_penalty=st.floats(-2, 2),
    logprobs=st.integers(0, 20),
    schema=st.just("") | st.text(max_size=40),
)
salts = st.text(max_size=40)
frames = st.builds(
    lambda n, d, seed, sampling, salt: Frame(MODEL, random_rows(n, d, seed), sampling, salt),
    st.integers(1, 60), st.integers(1, 20), st.integers(0, 99), samplings, salts,
)  # fmt: skip
ids_frames = st.builds(
    lambda ids, sampling, salt: IdsFrame(MODEL, np.array(ids, np.int32), sampling, salt),
    st.lists(st.integers(0, (1 << 31) - 1), min_size=1, max_size=60), samplings, salts,
)  # fmt: skip
