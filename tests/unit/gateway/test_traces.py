from __future__ import annotations

import pytest

from cmif.gateway.logs import Note
from cmif.gateway.metrics import Metrics

pytest.importorskip("opentelemetry.sdk", reason="needs the extra `otel`")


def test_a_request_is_one_span_with_what_its_line_in_the_log_says() -> None:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from cmif.gateway.traces import Spans

    kept = InMemorySpanExporter()
    spans, metrics = Spans(kept), Metrics()
    metrics.tell(spans)
    metrics.request(Note("req_1", "/v1/completions", 200, 12.5, "ward", 7, 3, 1.5))
    metrics.request(Note("req_2", "other", 503, 1.0, error="ledger_unavailable"))
    spans.close()
    first, second = kept.get_finished_spans()
    assert first.attributes == {
        "http.route": "/v1/completions",
        "http.response.status_code": 200,
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "cmif.tenant": "ward",
        "cmif.request": "req_1",
        "cmif.epsilon": 1.5,
    }
    assert second.attributes is not None
    assert second.attributes["error.type"] == "ledger_unavailable"
    assert (first.name, first.parent, first.events) == ("/v1/completions", None, ())
    assert first.start_time is not None
    assert first.end_time is not None
    assert first.end_time - first.start_time == 12_500_000
    assert (first.status.is_ok, second.status.is_ok) == (True, False)
