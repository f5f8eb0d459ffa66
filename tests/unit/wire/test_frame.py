from __future__ import annotations

import struct
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from cmif.errors import FrameTooLargeError, RowsRefusedError, WireError
from cmif.types import Sampling
from cmif.wire.frame import CODECS, Frame, IdsFrame, Limits, decode, encode, parse
from cmif.wire.rows import Rows

from .conftest import HIDDEN, MODEL, frames, ids_frames, make_frame

LIMITS = Limits(hidden=HIDDEN, context=4096, max_bytes=1 << 20)
HEADER = 124  # bytes before the stop ids
N, HIDDEN_AT, U, R = 40, 44, 48, 52


@given(frames, st.sampled_from([c for c in CODECS if c.startswith("bf16")]))
def test_a_bf16_frame_comes_back_exactly(frame: Frame, codec: str) -> None:
    out = decode(encode(frame, codec), LIMITS)
    assert (out.model, out.sampling, out.salt) == (frame.model, frame.sampling, frame.salt)
    assert np.array_equal(out.rows.unique, frame.rows.unique)
    assert np.array_equal(out.rows.index, frame.rows.index)


@given(frames, st.sampled_from([c for c in CODECS if not c.startswith("bf16")]))
def test_a_quantised_frame_keeps_everything_but_precision(frame: Frame, codec: str) -> None:
    out = decode(encode(frame, codec), LIMITS)
    assert (out.model, out.sampling, out.salt) == (frame.model, frame.sampling, frame.salt)
    assert out.rows.unique.shape == frame.rows.unique.shape
    assert np.array_equal(out.rows.index, frame.rows.index)


@given(ids_frames)
def test_a_frame_of_ids_comes_back_exactly(frame: IdsFrame) -> None:
    out = parse(encode(frame), LIMITS).frame
    assert isinstance(out, IdsFrame)
    assert np.array_equal(out.ids, frame.ids)
    assert (out.sampling, out.salt) == (frame.sampling, frame.salt)


def test_the_header_is_where_the_documentation_says() -> None:
    data = encode(make_frame())
    assert data[:8] == b"CMIF\x01\x00\x00\x06"
    assert data[8:40] == bytes.fromhex(MODEL)
    assert struct.unpack_from("<4I", data, N) == (20, HIDDEN, 7, 0)
    assert len(data) == HEADER + len("tenant") + 20 * 2 + 7 * HIDDEN * 2


@given(st.binary(max_size=600))
def test_noise_is_refused_with_one_error(data: bytes) -> None:
    with pytest.raises(WireError):
        parse(data, LIMITS)


@settings(max_examples=400)
@given(
    st.one_of(frames, ids_frames), st.sampled_from(CODECS), st.data(),
)  # fmt: skip
def test_a_damaged_frame_is_refused_or_decodes_within_its_limits(
    frame: Frame | IdsFrame, codec: str, data: st.DataObject
) -> None:
    raw = bytearray(encode(frame, codec if isinstance(frame, Frame) else "bf16"))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for candidate in (bytes(raw), bytes(raw[:cut]), bytes(raw) + b"\0"):
        try:
            out = parse(candidate, LIMITS).frame
        except (WireError, RowsRefusedError):
            continue
        if isinstance(out, Frame):
            assert out.rows.unique.shape[1] == HIDDEN
            assert 0 < len(out.rows.index) <= LIMITS.context
        else:
            assert 0 < len(out.ids) <= LIMITS.context


def patched(offset: int, value: int, codec: str = "bf16") -> bytes:
    raw = bytearray(encode(make_frame(), codec))
    struct.pack_into("<I", raw, offset, value)
    return bytes(raw)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    ("offset", "value"), [(N, 4096), (N, 1 << 31), (U, 4000), (U, 1 << 31), (R, 1 << 31)]
)
def test_a_lying_count_allocates_nothing(codec: str, offset: int, value: int) -> None:
    data = patched(offset, value, codec)
    parse(encode(make_frame(), codec), LIMITS)
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            parse(data, LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 1 << 16
    finally:
        tracemalloc.stop()


def test_a_zstd_bomb_is_refused_before_it_expands() -> None:
    frame = make_frame()
    head = encode(frame, "bf16+zstd")[: HEADER + len("tenant")]
    bomb = zstandard.ZstdCompressor().compress(bytes(256 << 20))
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(256 << 20))
    right = 20 * 2 + 7 * HIDDEN * 2
    # A stream whose own header states the right size and whose blocks hold far more.
    lying = zstandard.ZstdCompressor().compress(bytes(right))
    lying = lying[:6] + bomb[10:]
    tracemalloc.start()
    try:
        for payload in (bomb, unsized, lying):
            with pytest.raises(WireError):
                parse(head + payload, LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_too_long_and_too_large_are_told_apart_from_malformed() -> None:
    data = encode(make_frame())
    with pytest.raises(FrameTooLargeError):
        decode(data, Limits(HIDDEN, context=19))
    with pytest.raises(FrameTooLargeError):
        decode(data, Limits(HIDDEN, context=4096, max_bytes=len(data) - 1))
    rows = Rows(np.zeros((64, HIDDEN), np.uint16), np.arange(64, dtype=np.int32))
    compressed = encode(Frame(MODEL, rows, Sampling()), "bf16+zstd")
    with pytest.raises(FrameTooLargeError):  # small on the wire, large when expanded
        decode(compressed, Limits(HIDDEN, context=4096, max_bytes=512))


def test_rows_of_another_hidden_size_are_refused() -> None:
    with pytest.raises(RowsRefusedError):
        decode(encode(make_frame()), Limits(HIDDEN + 1, 4096))


def test_an_index_past_the_rows_is_refused() -> None:
    frame = make_frame()
    rows = Rows(frame.rows.unique, np.where(frame.rows.index == 0, 7, frame.rows.index).astype(np.int32))
    with pytest.raises(WireError):
        decode(encode(Frame(MODEL, rows, Sampling())), LIMITS)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(max_tokens=0),
        Sampling(temperature=float("nan")),
        Sampling(temperature=-0.1),
        Sampling(top_p=0.0),
        Sampling(frequency_penalty=2.5),
        Sampling(logprobs=21),
        Sampling(stop_ids=(1,) * 65),
        Sampling(stop_ids=(-1,)),
        Sampling(seed=1 << 63),
    ],
)
def test_sampling_out_of_range_never_becomes_a_frame(sampling: Sampling) -> None:
    with pytest.raises(WireError):
        encode(Frame(MODEL, make_frame().rows, sampling))


@pytest.mark.parametrize("model", ["", "ab", "zz" * 32])
def test_a_model_is_named_by_a_digest(model: str) -> None:
    with pytest.raises(WireError):
        encode(Frame(model, make_frame().rows, Sampling()))


def test_decode_takes_neither_ids_nor_sessions() -> None:
    with pytest.raises(WireError):
        decode(encode(IdsFrame(MODEL, np.array([1, 2], np.int32), Sampling())), LIMITS)


@given(st.lists(st.integers(1, 30), min_size=2, max_size=64), st.sampled_from(CODECS[:1] + CODECS[3:4]))
def test_variants_of_a_prompt_come_back_each_with_its_tokens(lengths: list[int], codec: str) -> None:
    n = sum(lengths)
    unique = np.arange(min(n, 9) * HIDDEN, dtype=np.uint16).reshape(-1, HIDDEN)
    rows = Rows(unique, (np.arange(n) % len(unique)).astype(np.int32))
    frame = Frame(MODEL, rows, Sampling(), "tenant", tuple(lengths))
    out = decode(encode(frame, codec), LIMITS)
    assert out.lengths == tuple(lengths)
    assert out.longest == max(lengths)
    apart = out.variants()
    assert [len(one.rows.index) for one in apart] == lengths
    assert np.array_equal(np.concatenate([one.rows.dense() for one in apart]), rows.dense())
    assert all(one.rows.unique is out.rows.unique for one in apart)


@pytest.mark.parametrize("lengths", [(20,), (10, 11), (0, 20), (1,) * 65], ids=["one", "too long", "empty", "too many"])
def test_lengths_that_do_not_go_together_are_not_sent(lengths: tuple[int, ...]) -> None:
    frame = make_frame()
    with pytest.raises(WireError, match="variants"):
        encode(replace(frame, lengths=lengths))


@given(st.integers(HEADER, HEADER + 14), st.integers(0, 255))
def test_a_changed_byte_among_the_lengths_is_refused_or_read_whole(at: int, value: int) -> None:
    data = bytearray(encode(replace(make_frame(), salt="", lengths=(8, 12))))
    data[at] = value
    try:
        out = decode(bytes(data), LIMITS)
    except (WireError, FrameTooLargeError):
        return
    assert sum(out.lengths) == len(out.rows.index)


def test_a_variant_longer_than_the_context_is_refused_before_it_is_read() -> None:
    data = encode(replace(make_frame(), lengths=(1, 19)))
    with pytest.raises(FrameTooLargeError, match="19 tokens"):
        decode(data, Limits(HIDDEN, 18, 1 << 20))
