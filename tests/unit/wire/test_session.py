from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cmif.wire.session as session_module
from cmif.bf16 import to_bf16
from cmif.errors import CmifError, UnknownRowsError, WireError
from cmif.types import Sampling
from cmif.wire.frame import Frame, IdsFrame, Limits, Section, decode, encode
from cmif.wire.rows import Rows
from cmif.wire.session import SessionEncoder, SessionStore

from .conftest import HIDDEN, MODEL

TABLE = to_bf16(np.random.default_rng(1).standard_normal((64, HIDDEN)).astype(np.float32))
LIMITS = Limits(HIDDEN, 4096)


def frame_of(ids: list[int], salt: str = "tenant") -> Frame:
    return Frame(MODEL, Rows.gather(TABLE, np.array(ids)), Sampling(), salt)


def send(encoder: SessionEncoder, store: SessionStore, frame: Frame) -> int:
    """One request as client and engine do it; returns the bytes of the frame that was accepted."""
    pending = encoder.encode(frame)
    try:
        received = store.receive(pending.data, LIMITS)
    except UnknownRowsError:
        encoder.reset()
        pending = encoder.encode(frame)
        received = store.receive(pending.data, LIMITS)
    assert isinstance(received.frame, Frame)
    assert np.array_equal(received.frame.rows.dense(), frame.rows.dense())
    store.accept(received)
    encoder.commit(pending)
    return len(pending.data)


prompts = st.lists(st.lists(st.integers(0, 63), min_size=1, max_size=30), min_size=1, max_size=12)


@settings(max_examples=150)
@given(prompts, st.integers(1, 40), st.data())
def test_every_frame_arrives_whole_whatever_is_evicted_lost_or_restarted(
    turns: list[list[int]], capacity: int, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_module, "CAPACITY", capacity)
        encoder, store = SessionEncoder("bf16"), SessionStore(max_bytes=1 << 20)
        for ids in turns:
            match data.draw(st.sampled_from(["send", "send", "restart", "lost", "refused"])):
                case "restart":
                    store = SessionStore(max_bytes=1 << 20)
                case "lost":  # accepted, but the client never heard of it
                    store.accept(store.receive(SessionEncoder("bf16").encode(frame_of(ids)).data, LIMITS))
                    pending = encoder.encode(frame_of(ids))
                    with suppress(UnknownRowsError):
                        store.accept(store.receive(pending.data, LIMITS))
                case "refused":  # read by the engine and then not accepted
                    with suppress(UnknownRowsError):
                        store.receive(encoder.encode(frame_of(ids)).data, LIMITS)
            send(encoder, store, frame_of(ids))


def test_a_row_crosses_once() -> None:
    encoder, store = SessionEncoder("bf16"), SessionStore()
    first = send(encoder, store, frame_of(list(range(32))))
    again = send(encoder, store, frame_of(list(range(32))))
    assert first - again == 32 * HIDDEN * 2 - 32 * 4  # rows became slots


def test_a_session_of_another_tenant_is_unknown() -> None:
    encoder, store = SessionEncoder("bf16"), SessionStore()
    send(encoder, store, frame_of([1, 2, 3]))
    stolen = encoder.encode(frame_of([1, 2, 3], salt="other"))
    with pytest.raises(UnknownRowsError):
        store.receive(stolen.data, LIMITS)


def test_frames_that_cross_are_refused_and_change_nothing() -> None:
    encoder, store = SessionEncoder("bf16"), SessionStore()
    send(encoder, store, frame_of([1, 2, 3]))
    a, b = encoder.encode(frame_of([1, 4])), encoder.encode(frame_of([2, 5]))
    ra, rb = store.receive(a.data, LIMITS), store.receive(b.data, LIMITS)
    store.accept(ra)
    held = store.held_bytes
    with pytest.raises(UnknownRowsError):
        store.accept(rb)
    assert store.held_bytes == held
    encoder.commit(a)
    send(encoder, store, frame_of([1, 2, 3, 4, 5]))


def test_a_late_commit_resets_the_client() -> None:
    encoder, store = SessionEncoder("bf16"), SessionStore()
    late = encoder.encode(frame_of([1]))
    send(encoder, store, frame_of([2]))
    encoder.commit(late)
    assert encoder.encode(frame_of([2])).sequence == 0


def test_memory_is_bounded_over_sessions_and_rows() -> None:
    bound = 100_000  # several sessions of 32 rows, with what Python keeps beside them
    store = SessionStore(max_bytes=bound)
    for _ in range(40):
        encoder = SessionEncoder("bf16")
        send(encoder, store, frame_of(list(range(16))))
        send(encoder, store, frame_of(list(range(32))))
        assert 0 < store.held_bytes <= bound
    assert store.held_bytes == sum(d.held_bytes for d in store._sessions.values())
    assert 1 < len(store._sessions) < 40


def test_a_million_tiny_sessions_are_bounded_too() -> None:
    store = SessionStore(max_bytes=1 << 20)
    for _ in range(1000):
        send(SessionEncoder("bf16"), store, frame_of([1]))
    assert len(store._sessions) < 300


def test_recalling_a_slot_twice_or_one_that_is_not_there_is_refused() -> None:
    encoder, store = SessionEncoder("bf16"), SessionStore()
    send(encoder, store, frame_of([1, 2, 3]))
    pending = encoder.encode(frame_of([1, 2, 3]))
    frame = Frame(
        MODEL, Rows(np.empty((0, HIDDEN), np.uint16), np.array([0, 1], np.int32)), Sampling(), "tenant"
    )
    for slots, error in (([0, 0], WireError), ([0, 3], UnknownRowsError)):
        section = Section(pending.session, pending.sequence, np.array(slots, np.int32))
        with pytest.raises(error):
            store.receive(encode(frame, "bf16", section), LIMITS)


def test_frames_without_a_session_pass_through() -> None:
    store = SessionStore()
    for frame in (frame_of([1, 2]), IdsFrame(MODEL, np.array([5], np.int32), Sampling())):
        received = store.receive(encode(frame), LIMITS)
        store.accept(received)
        assert type(received.frame) is type(frame)
    assert store.held_bytes == 0


def test_decode_refuses_a_session_frame() -> None:
    with pytest.raises(CmifError):
        decode(SessionEncoder("bf16").encode(frame_of([1])).data, LIMITS)


@pytest.mark.parametrize("codec", ["int8", "fp8+zstd"])
def test_quantised_sessions_recall_what_the_engine_first_read(codec: str) -> None:
    encoder, store = SessionEncoder(codec), SessionStore()
    pending = encoder.encode(frame_of([3, 4]))
    first = store.receive(pending.data, LIMITS)
    store.accept(first)
    encoder.commit(pending)
    second = store.receive(encoder.encode(frame_of([4, 3])).data, LIMITS)
    assert isinstance(first.frame, Frame)
    assert isinstance(second.frame, Frame)
    assert np.array_equal(second.frame.rows.dense(), first.frame.rows.dense()[::-1])
