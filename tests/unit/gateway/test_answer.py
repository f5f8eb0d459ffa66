from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cmif.gateway.answer import StopFilter


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=3), max_size=3), st.data())
def test_any_chunking_stops_at_the_same_place(text: str, stops: list[str], data: st.DataObject) -> None:
    """Fed one character at a time or in any chunks, a stop string cuts before the place where it is first complete."""
    one_by_one = StopFilter(stops)
    expected = "".join(one_by_one.feed(c) for c in text) + ("" if one_by_one.hit else one_by_one.finish())
    ends = [(text.find(stop) + len(stop), stop) for stop in stops if stop in text]
    if not ends:
        assert expected == text
    else:
        first = min(end for end, _ in ends)
        assert expected == text[: min(end - len(s) for end, s in ends if end == first)]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = StopFilter(stops)
    got = "".join(whole.feed(chunk) for chunk in chunks) + ("" if whole.hit else whole.finish())
    assert got == expected


def test_nothing_is_held_back_without_need() -> None:
    stop = StopFilter(["\n\n"])
    assert stop.feed("Hello\n") == "Hello"
    assert stop.feed("there") == "\nthere"
    assert stop.feed("\n\nmore") == ""
    assert stop.hit
