"""Whether the ledger could be written when it last had to be: `/readyz` says so before more requests fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cmif.errors import LedgerError

_REMEMBERED_S = 30.0
"""A gateway that is not ready is sent no requests, so only time can end it: after this, the next request tries."""


class LedgerHealth:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: tuple[float, str] | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Around a request: a :class:`LedgerError` is remembered, and passes through."""
        try:
            yield
        except LedgerError as error:
            self._failed = self._clock(), str(error)
            raise

    def reasons(self) -> tuple[str, ...]:
        """The last failure while it is younger than 30 s, else none."""
        if self._failed is None or self._clock() - self._failed[0] > _REMEMBERED_S:
            return ()
        return (f"ledger: {self._failed[1]}",)
