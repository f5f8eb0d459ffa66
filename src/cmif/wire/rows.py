"""Embedding rows and how they are packed: bf16, int8 or fp8. Knows nothing about frames, sessions or sockets.

Rows are bf16 bit patterns (uint16) everywhere outside a codec, so that a row is exactly the checkpoint's row and numpy,
which has no bf16, can carry it.

- bf16 packs as two planes: the exponents, then sign and mantissa. Exponents of trained rows take few values and
  compress well when they lie together; mantissas do not compress and cost a compressor nothing when they lie apart.
- int8 gives each row a bf16 step: its peak / 127, but not finer than its root mean square / 24, where a finer one costs
  bits on the wire and gains little. On trained rows (all-MiniLM-L6-v2) 1 - cosine is 7e-5.
- fp8 (E4M3) gives each row a bf16 scale so that its peak becomes 448. On the same rows 1 - cosine is 3e-4.

What comes out of int8 and fp8 is bf16 again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmif.bf16 import F32, U16, to_bf16, to_float
from cmif.errors import WireError

I32 = NDArray[np.int32]
U8 = NDArray[np.uint8]

FP8_MAX = (
    448.0  # largest finite E4M3 value (Micikevicius et al. 2022, "FP8 formats for deep learning", table 1)
)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A prompt as embedding rows: ``unique`` uint16 [u, hidden] bf16 bit patterns, ``index`` int32 [n] into
    them."""

    unique: U16
    index: I32

    def dense(self) -> U16:
        """uint16 [n, hidden]: one row a token."""
        return self.unique[self.index]

    @staticmethod
    def gather(table: U16, ids: NDArray[np.integer]) -> Rows:
        """The rows of ``ids`` (int [n]) from ``table`` uint16 [vocab, hidden], each row once, in order of
        appearance."""
        _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        return Rows(np.ascontiguousarray(table[ids[first[order]]]), rank[inverse.reshape(-1)])


def packed_size(codec: str, rows: int, hidden: int) -> int:
    """Bytes that :func:`pack` makes of ``rows`` rows. Plain integers, so a hostile count costs nothing."""
    return rows * hidden * 2 if codec == "bf16" else rows * (hidden + 2)


def pack(codec: str, rows: U16) -> bytes:
    """uint16 [u, hidden] -> bytes. :class:`WireError` when int8 or fp8 must scale a non-finite row."""
    if codec == "bf16":
        exponent = (rows >> np.uint16(7)).astype(np.uint8)
        rest = ((rows & np.uint16(0x7F)) | ((rows >> np.uint16(8)) & np.uint16(0x80))).astype(np.uint8)
        return b"".join((exponent.tobytes(), rest.tobytes()))
    values = to_float(rows)
    peak = np.abs(values).max(axis=1, initial=0.0)
    if not np.isfinite(peak).all():
        raise WireError("rows that are not finite cannot be quantised")
    step = _up_to_bf16(
        peak / np.float32(FP8_MAX) if codec == "fp8" else np.maximum(peak / np.float32(127), _noise(values))
    )
    scale = to_float(step)
    scaled: F32 = (values / np.where(scale > 0, scale, np.float32(1))[:, None]).astype(np.float32)
    codes = _to_int8(scaled) if codec == "int8" else _to_e4m3(scaled)
    return b"".join((step.astype("<u2").tobytes(), codes.tobytes()))


def unpack(codec: str, data: memoryview, rows: int, hidden: int) -> U16:
    """Inverse of :func:`pack`: uint16 [rows, hidden]. ``data`` must be exactly :func:`packed_size` bytes.

    The values are whatever the sender wrote, non-finite ones included: the engine's validation refuses those.
    """
    if len(data) != packed_size(codec, rows, hidden):
        raise WireError("the rows section has the wrong size")
    if codec == "bf16":
        exponent, rest = np.frombuffer(data, np.uint8).reshape(2, rows, hidden).astype(np.uint16)
        patterns: U16 = exponent << np.uint16(7)
        patterns |= (rest & np.uint16(0x7F)) | ((rest & np.uint16(0x80)) << np.uint16(8))
        return patterns
    scale = to_float(np.frombuffer(data[: 2 * rows], "<u2"))
    codes = np.frombuffer(data[2 * rows :], np.uint8).reshape(rows, hidden)
    # A row has 256 values at most: round those, then look the elements up.
    with np.errstate(over="ignore", invalid="ignore"):
        values = to_bf16((_INT8 if codec == "int8" else _E4M3) * scale[:, None])
    looked_up: U16 = np.take_along_axis(values, codes.astype(np.intp), axis=1)
    return looked_up


def _noise(values: F32) -> F32:
    """A twenty-fourth of each row's root mean square; in float64, since squares of bf16 values overflow float32."""
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", values, values, dtype=np.float64)
    step: F32 = (np.sqrt(squares / max(values.shape[1], 1)) / 24).astype(np.float32)
    return step


def _up_to_bf16(values: F32) -> U16:
    """Non-negative float32 -> the nearest bf16 that is not smaller, so that a peak never has to be clipped."""
    nearest = to_bf16(values)
    return nearest + (to_float(nearest) < values).astype(np.uint16)


def _to_int8(values: F32) -> U8:
    rounded = np.rint(values)
    return rounded.clip(-127, 127, out=rounded).astype(np.int8).view(np.uint8)


def _to_e4m3(values: F32) -> U8:
    """float32 of at most 448 in size -> E4M3 codes, to nearest even."""
    bits = values.view(np.uint32)
    sign = ((bits >> np.uint32(24)) & np.uint32(0x80)).astype(np.uint8)
    size = bits & np.uint32(0x7FFFFFFF)
    # Drop 20 mantissa bits to nearest even, then move the exponent's bias from 127 to 7.
    rounded = (size + np.uint32(0x7FFFF) + ((size >> np.uint32(20)) & np.uint32(1))) >> np.uint32(20)
    subnormal = np.rint(np.abs(values) * np.float32(512.0)).astype(np.int64)
    code = np.where(np.abs(values) < 2.0**-6, subnormal, rounded.astype(np.int64) - (120 << 3))
    return sign | code.clip(0, 0x7E).astype(np.uint8)


def _e4m3_values() -> F32:
    codes = np.arange(256)
    exponent, mantissa = (codes >> 3) & 15, codes & 7
    size = np.where(exponent == 0, mantissa * 2.0**-9, (1 + mantissa / 8) * 2.0 ** (exponent - 7.0))
    size = np.where((codes & 0x7F) == 0x7F, np.nan, size)
    return np.where(codes & 0x80, -size, size).astype(np.float32)


_E4M3 = _e4m3_values()
_INT8 = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float32)
