"""Counters in the Prometheus text format (0.0.4). Labels hold routes, statuses and step names: never content."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Metrics:
    """Process-wide sums. ``add`` is cheap and thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = defaultdict(float)

    def add(self, name: str, value: float = 1.0, **labels: str) -> None:
        with self._lock:
            self._sums[name, tuple(sorted(labels.items()))] += value

    def render(self) -> str:
        with self._lock:
            sums = sorted(self._sums.items())
        lines = []
        for (name, labels), value in sums:
            inside = ",".join(f'{key}="{text}"' for key, text in labels)
            lines.append(f"cmif_{name}{{{inside}}} {value:g}" if inside else f"cmif_{name} {value:g}")
        return "\n".join(lines) + "\n"


class Stopwatch:
    """Milliseconds by step, in the order the steps began."""

    def __init__(self) -> None:
        self.steps_ms: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self.steps_ms.setdefault(name, 0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.steps_ms[name] += (time.perf_counter() - start) * 1e3
