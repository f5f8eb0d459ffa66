"""The door before every engine: shape, finiteness, size and length of a request, whatever backend runs
behind it.

Tenants share an engine. Under vLLM one row with a NaN poisons cache blocks that other tenants then reuse
(PRs #39283 and #50283), so a row is judged here, on the CPU, before any model sees it.
"""

from __future__ import annotations

import numpy as np

from cmif.bf16 import to_float
from cmif.errors import ContextLengthError, InputError, RowsRefusedError, SchemaError
from cmif.wire.frame import Frame, IdsFrame
from cmif_server.engine.engine import EngineInfo

NORM_SLACK = 1.07
"""How far above the table's largest row a row may lie: fp8 moves an element by at most 1/16 of itself, int8
by less."""


def validate(request: Frame | IdsFrame, info: EngineInfo) -> None:
    """Returns if ``request`` may run. Raises :class:`InputError` for another model or a token id out of
    range, :class:`SchemaError` for a schema where none can be followed, :class:`ContextLengthError` if prompt
    and answer do not fit, :class:`RowsRefusedError` for rows that are of another size, not finite, or larger
    than any row of the model's own table."""
    if request.model != info.model:
        raise InputError(
            "The frame is for another model.", hint="Client bundle and server body must be of one split."
        )
    length = len(request.ids) if isinstance(request, IdsFrame) else request.longest
    if length + request.sampling.max_tokens > info.context:
        raise ContextLengthError(
            f"A prompt of {length} tokens and an answer of up to {request.sampling.max_tokens} do not fit "
            f"the context of {info.context}."
        )
    if any(i >= info.vocab for i in request.sampling.stop_ids):
        raise InputError("A stop id is outside the vocabulary.")
    if request.sampling.schema and not info.schemas:
        raise SchemaError("This engine cannot hold an answer to a schema.")
    if isinstance(request, IdsFrame):
        if length == 0 or request.ids.min() < 0 or request.ids.max() >= info.vocab:
            raise InputError("A token id is outside the vocabulary.")
        return
    _validate_rows(request, info)


def _validate_rows(request: Frame, info: EngineInfo) -> None:
    unique, index = request.rows.unique, request.rows.index
    if unique.ndim != 2 or unique.dtype != np.uint16 or unique.shape[1] != info.hidden:
        raise RowsRefusedError(f"Rows must be bf16 patterns of hidden size {info.hidden}.")
    if index.ndim != 1 or len(index) == 0 or index.min() < 0 or index.max() >= len(unique):
        raise RowsRefusedError("An index points past the rows.")
    values = to_float(unique)
    if not np.isfinite(values).all():
        raise RowsRefusedError("A row holds NaN or infinity.")
    # Elements first: squares of bf16 values overflow float32, and an overflow must not look like a pass.
    cap = info.max_norm * NORM_SLACK
    if np.abs(values).max() > cap or np.linalg.norm(values, axis=1).max() > cap:
        raise RowsRefusedError("A row is larger than any row of this model's table.")
