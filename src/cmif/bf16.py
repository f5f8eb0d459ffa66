"""bfloat16 as bit patterns (uint16): a float32's upper half. numpy has no such type."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

U16 = NDArray[np.uint16]
F32 = NDArray[np.float32]


def to_float(rows: U16) -> F32:
    """bf16 bit patterns -> float32, exact."""
    return (rows.astype(np.uint32) << 16).view(np.float32)


def to_bf16(values: F32) -> U16:
    """float32 -> bf16 bit patterns, to nearest even. A NaN stays a NaN."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(
        np.uint16
    )
    nan = (bits & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)
    return np.where(nan, np.uint16(0x7FC0), rounded.astype(np.uint16))
