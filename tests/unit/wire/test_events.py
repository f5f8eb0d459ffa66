from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.errors import WireError
from cmif.wire.events import (
    DoneEvent,
    ErrorEvent,
    Event,
    EventReader,
    TokenEvent,
    TokenLogprobs,
    encode_event,
)

token_ids = st.integers(0, (1 << 31) - 1)
finite = st.floats(-1e4, 0)
logprobs = st.builds(TokenLogprobs, finite, st.lists(st.tuples(token_ids, finite), max_size=3).map(tuple))
events = st.one_of(
    st.builds(TokenEvent, st.lists(token_ids, max_size=5).map(tuple)),
    st.builds(lambda pairs: TokenEvent(tuple(i for i, _ in pairs), tuple(lp for _, lp in pairs)),
              st.lists(st.tuples(token_ids, logprobs), max_size=4)),
    st.builds(DoneEvent, st.sampled_from(["stop", "length"]), token_ids, token_ids,
              st.floats(0, 1e9).map(lambda x: round(x, 3))),
    st.builds(ErrorEvent, st.text(), st.text()),
)  # fmt: skip


@given(st.lists(events, max_size=8), st.integers(1, 40))
def test_events_survive_any_chunking(sent: list[Event], size: int) -> None:
    stream = b"".join(map(encode_event, sent))
    reader = EventReader()
    got = [e for i in range(0, len(stream), size) for e in reader.feed(stream[i : i + size])]
    assert list(_apart(got)) == list(_apart(sent))


def _apart(events: list[Event]) -> Iterator[Event]:
    """Plain tokens one by one: how many come as one event is a matter of chunks."""
    for event in events:
        if isinstance(event, TokenEvent) and event.ids and not event.logprobs:
            yield from (TokenEvent((i,), of=event.of) for i in event.ids)
        else:
            yield event


def test_tokens_that_come_together_are_one_event() -> None:
    sent: list[Event] = [TokenEvent((1, 2)), TokenEvent((3,)), DoneEvent("stop", 1, 3), TokenEvent((4,))]
    stream = b"".join(map(encode_event, sent))
    assert EventReader().feed(stream) == [TokenEvent((1, 2, 3)), *sent[2:]]


@given(st.binary(max_size=80))
def test_noise_is_refused_or_ignored_with_one_error(noise: bytes) -> None:
    try:
        EventReader().feed(noise + b"\n\n")
    except WireError:
        return


@pytest.mark.parametrize(
    "message",
    [
        b"data: []", b"data: 5", b'data: {"ids":[-1]}', b'data: {"ids":[true]}', b'data: {"ids":["7"]}',
        b'data: {"ids":[4294967296]}', b'data: {"ids":[01]}', b'data: {"ids":[1,]}', b'data: {"ids":[1]} ,', b'data: {"ids":5}', b'data: {"ids":[1],"logprobs":[]x}',
        b'data: {"ids":[1,2],"logprobs":[{"logprob":-1,"top":[]}]}',
        b'data: {"ids":[1],"logprobs":[{"logprob":NaN,"top":[]}]}',
        b'data: {"ids":[1],"logprobs":[{"logprob":1' + b"0" * 400 + b',"top":[]}]}',
        b'data: {"done":"because","prompt_tokens":1,"completion_tokens":1}', b'data: {"done":"stop"}',
        b'data: {"error":"x"}', b"hello", b"data: " + b"[" * 100000,
    ],
)  # fmt: skip
def test_what_is_not_ours_is_refused(message: bytes) -> None:
    with pytest.raises(WireError):
        EventReader().feed(message + b"\n\n")


def test_an_endless_event_is_refused() -> None:
    reader = EventReader()
    for _ in range(4):
        reader.feed(b"x" * (1 << 16))
    with pytest.raises(WireError):
        reader.feed(b"x")


def test_an_event_that_comes_byte_by_byte_costs_no_more_than_its_length() -> None:
    """A quarter of a million bytes in single steps: a reader that looked at all of them each time would need minutes."""
    reader = EventReader()
    for _ in range(1 << 17):
        assert reader.feed(b"x") == []
    for _ in range(1 << 17):
        reader.feed(b"y")
    with pytest.raises(WireError):
        reader.feed(b"\n\n")


def test_comments_are_ignored() -> None:
    assert EventReader().feed(b': keep-alive\n\ndata: {"ids":[1]}\n\n') == [TokenEvent((1,))]
