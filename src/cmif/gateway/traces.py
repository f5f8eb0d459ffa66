"""A span for each request, to an OpenTelemetry collector: what its line in the log says, and nothing else.

Spans are roots. A caller's `traceparent` and `tracestate` are its own text and go nowhere.
"""

from __future__ import annotations

import time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode

from cmif import __version__
from cmif.gateway.logs import Note

_TIMEOUT_S = 5
"""A stopping gateway waits no longer than this for its collector."""


class Spans:
    """Sent in batches by a thread of their own; dropped, not waited for, when the collector is away."""

    def __init__(self, exporter: SpanExporter) -> None:
        resource = Resource.create({"service.name": "cmif-gateway", "service.version": __version__})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("cmif")

    @classmethod
    def to(cls, collector: str) -> Spans:
        """``collector`` is the base of its URL, as in ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
        return cls(OTLPSpanExporter(f"{collector.rstrip('/')}/v1/traces", timeout=_TIMEOUT_S))

    def add(self, note: Note) -> None:
        """A span of the request that ends now. Durations in its times, tokens and epsilon as attributes."""
        ended = time.time_ns()
        span = self._tracer.start_span(
            note.route,
            kind=SpanKind.SERVER,
            start_time=ended - int(note.ms * 1e6),
            attributes={
                "http.route": note.route,
                "http.response.status_code": note.status,
                "gen_ai.usage.input_tokens": note.prompt_tokens,
                "gen_ai.usage.output_tokens": note.completion_tokens,
                "cmif.tenant": note.tenant,
                "cmif.request": note.request,
                "cmif.epsilon": note.epsilon,
                **({"error.type": note.error} if note.error else {}),
            },
        )
        if note.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()
