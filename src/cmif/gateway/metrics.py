"""What `GET /metrics` tells, and the stopwatch of a request's steps. Labels come from fixed lists: never content.

`prometheus-client` writes the format. Routes are the templates of the route table, codes those of `cmif.errors`,
tenants the names in the operator's own file; nothing of a request becomes a label.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cmif.errors import LedgerError, NotReadyError
from cmif.gateway.ledger import Ledger, budgets_left
from cmif.gateway.logs import Note

if TYPE_CHECKING:  # OpenTelemetry is an extra
    from cmif.gateway.traces import Spans

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_STEP_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 300)


class Metrics:
    """One gateway's instruments, in a registry of their own. Thread-safe."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._spans: Spans | None = None
        self.requests = Counter(
            "cmif_requests_total",
            "Requests answered, by route and status.",
            ["route", "status"],
            registry=registry,
        )
        self.errors = Counter(
            "cmif_errors_total",
            "Requests that ended with an error, by its code, streams that broke off included.",
            ["code"],
            registry=registry,
        )
        for code in (LedgerError.code, NotReadyError.code):
            self.errors.labels(code)  # alerts ask for their rate, which the first error has only after a 0
        self.duration = Histogram(
            "cmif_request_duration_seconds", "From the request's headers to the end of its answer.", ["route"],
            buckets=_REQUEST_S, registry=registry,
        )  # fmt: skip
        self.in_flight = Gauge("cmif_requests_in_flight", "Requests being answered now.", registry=registry)
        self.step = Histogram(
            "cmif_step_duration_seconds",
            "Time of one request in one step.",
            ["step"],
            buckets=_STEP_S,
            registry=registry,
        )
        self.first_token = Histogram(
            "cmif_engine_first_token_seconds", "From a sent frame to the engine's first token.",
            buckets=_REQUEST_S, registry=registry,
        )  # fmt: skip
        self.tokens = Counter(
            "cmif_tokens_total", "Tokens, by side of the engine.", ["side"], registry=registry
        )
        self.epsilon = Counter(
            "cmif_epsilon_spent_total", "Privacy loss charged.", ["tenant"], registry=registry
        )
        self.restored = Counter(
            "cmif_values_restored_total", "Surrogates turned into originals in answers.", registry=registry
        )
        self.withheld = Counter(
            "cmif_values_withheld_total",
            "Surrogates left as they were where an original could leave.",
            registry=registry,
        )
        self.engine_up = Gauge(
            "cmif_engine_up", "1 if the engine answered when last asked, else 0.", registry=registry
        )
        self.bytes_up = Counter(
            "cmif_engine_sent_bytes_total", "Bytes of frames sent to the engine.", registry=registry
        )
        self.bytes_down = Counter(
            "cmif_engine_received_bytes_total", "Bytes of answers from the engine.", registry=registry
        )

    def watch(self, ledger: Ledger) -> None:
        """Tell what is left of the budgets in ``ledger``, as of each scrape: other gateways may spend of them too."""
        self.registry.register(_BudgetsLeft(ledger))

    def tell(self, spans: Spans) -> None:
        """Make a span of each request as well."""
        self._spans = spans

    def request(self, note: Note) -> None:
        """One request that has ended."""
        self.requests.labels(note.route, str(note.status)).inc()
        if note.error:
            self.errors.labels(note.error).inc()
        self.duration.labels(note.route).observe(note.ms / 1e3)
        self.tokens.labels("prompt").inc(note.prompt_tokens)
        self.tokens.labels("completion").inc(note.completion_tokens)
        if self._spans is not None:
            self._spans.add(note)

    def steps(self, watch: Stopwatch) -> None:
        """One request's steps into their histogram."""
        for name, ms in watch.steps_ms.items():
            self.step.labels(name).observe(ms / 1e3)

    def render(self) -> bytes:
        """May wait for the ledger. The text format 0.0.4 (:data:`CONTENT_TYPE`)."""
        return generate_latest(self.registry)


class _BudgetsLeft(Collector):
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        left = GaugeMetricFamily("cmif_epsilon_budget_left", "What may still be spent.", labels=["tenant"])
        with suppress(LedgerError):  # the other metrics are told all the same
            for tenant, epsilon in budgets_left(self._ledger).items():
                left.add_metric([tenant], epsilon)
        yield left


class Stopwatch:
    """Milliseconds by step, in the order the steps began."""

    def __init__(self) -> None:
        self.steps_ms: dict[str, float] = {}

    def __call__(self, name: str) -> _Step:
        return _Step(self.steps_ms, name)


class _Step:
    """Adds the time between entering and leaving it; twice a token, hence no generator."""

    def __init__(self, steps_ms: dict[str, float], name: str) -> None:
        steps_ms.setdefault(name, 0.0)
        self._steps_ms = steps_ms
        self._name = name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._steps_ms[self._name] += (time.perf_counter() - self._start) * 1e3
