"""Many strings, and which of them begin at a place of a text: found by order, not by trying each."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefixes(Generic[T]):
    """``values`` by their spelling. ``keys`` hold a beginning of each, as long as ``key`` at most (``lengths``,
    falling): what lies at a place is asked for only where one of them does.
    """

    def __init__(self, values: Mapping[str, T], key: int) -> None:
        self.values = values
        self.keys = frozenset(spelled[:key] for spelled in values)
        self.lengths = sorted({len(begun) for begun in self.keys}, reverse=True)
        self.longest = max(map(len, values), default=0)
        self._sorted = sorted(values)
        self._shorter: list[int] = []  # the longest other that each begins with
        within: list[int] = []
        for i, spelled in enumerate(self._sorted):
            while within and not spelled.startswith(self._sorted[within[-1]]):
                within.pop()
            self._shorter.append(within[-1] if within else -1)
            within.append(i)

    def at(self, text: str, start: int, stop: int) -> Iterator[tuple[str, T]]:
        """Those that begin at ``start`` of ``text`` and end by ``stop``, the longest first."""
        i = bisect_right(self._sorted, text[start : min(stop, start + self.longest)]) - 1
        while i >= 0:
            spelled = self._sorted[i]
            if text.startswith(spelled, start, stop):
                yield spelled, self.values[spelled]
            i = self._shorter[i]

    def begun(self, text: str) -> bool:
        """Whether ``text`` is one of them, or one begins with it."""
        i = bisect_left(self._sorted, text)
        return i < len(self._sorted) and self._sorted[i].startswith(text)
