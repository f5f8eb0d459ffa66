"""What an operator sees and does: metrics, logs, TLS, draining. None of it ever holds what a user sent."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cmif.gateway.selfsigned import self_signed
from tests.servers import engine, gateway

JSON = {"content-type": "application/json"}


def ask(url: str, method: str, path: str, body: bytes | None = None, **headers: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, body, {**JSON, **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def metrics(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


@contextmanager
def _collector() -> Iterator[tuple[str, list[bytes]]]:
    """An OpenTelemetry collector: its URL, and the bodies that it was sent."""
    bodies: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}", bodies
    finally:
        listening.shutdown()
        listening.server_close()


def test_no_canary_of_a_request_is_in_logs_metrics_or_files(
    tiny_split: Path,
    tiny_engine: dict[str, Any],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp", reason="needs the extra `otel`")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    planted: list[str] = []

    def canary() -> str:
        planted.append(f"zq{secrets.token_hex(6)}")
        return planted[-1]

    def chat() -> dict[str, Any]:
        tool = {"type": "function", "function": {"name": canary(), "description": canary(), "parameters": {}}}
        return {
            "messages": [
                {"role": "system", "content": canary()},
                {
                    "role": "user",
                    "name": canary(),
                    "content": f"Severe {canary()} of Mr {canary()}, {canary()}@x.org",
                },
            ],
            "tools": [tool],
            "user": canary(),
            "metadata": {canary(): canary()},
            "stop": [canary()],
            "max_tokens": 2,
        }

    options = ("--policy", "content", "--log-format", "json", "--log-level", "debug")
    with (
        _collector() as (collector, traced),
        gateway(
            tiny_split, tiny_engine["url"], tmp_path / "state", *options, "--otlp", collector
        ) as told,
    ):
        url = told["url"]
        for stream in (False, True) * 3:
            body = json.dumps({**chat(), "tools": None, "stream": stream}).encode()  # the tiny context has no room
            extra = {
                "x-cmif-conversation": canary(),
                "tracestate": f"x={canary()}",
                "traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
                "user-agent": canary(),
                "authorization": f"Bearer {canary()}",
            }
            assert ask(url, "POST", f"/v1/chat/completions?{canary()}={canary()}", body, **extra) == 200
        for broken in ({"temperature": canary()}, {canary(): canary()}, {"messages": [{"role": canary()}]}):
            ask(url, "POST", "/v1/chat/completions", json.dumps({**chat(), **broken}).encode())
        for name in ("", '"', "\\", "\n", "}", "é"):
            for path in (f"/v1/models/{canary()}", f"/{canary()}", f"/v1/{canary()}/x"):
                ask(url, "GET", path + quote(name), **{"x-request-id": canary()})
        ask(url, "POST", "/v1/chat/completions", canary().encode(), **{"content-type": f"text/{canary()}"})
        ask(url, canary().upper(), "/v1/models")
        ask(url, "GET", "/v1/models", host=f"{canary()}.example")
        with urllib.request.urlopen(f"{url}/metrics") as answer:
            seen = answer.read().decode()
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in err.splitlines() if line.startswith('{"time"')]
    requests = [line for line in lines if "request" in line]
    assert len(planted) > 100
    assert {line["tenant"] for line in requests} == {"default", ""}
    assert any(line["epsilon"] > 0 and line["prompt_tokens"] > 0 for line in requests)
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    spans = b"".join(traced)
    assert spans.count(b"cmif.epsilon") > 30  # as many as there were requests
    everything = (out + err + seen).encode().lower() + kept.lower() + spans.lower()
    assert [one for one in planted if one.encode() in everything] == []


def test_metrics_stay_whole_and_bounded_whatever_paths_are_asked_for(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path
) -> None:
    with gateway(tiny_split, tiny_engine["url"], tmp_path, "--policy", "off") as told:
        url = told["url"]
        ask(url, "POST", "/v1/completions", b'{"prompt": "The", "max_tokens": 3}')
        ask(url, "GET", "/v1/models/a")
        ask(url, "GET", "/nowhere")
        before = metrics(url)
        for i in range(200):
            path = quote(f'x{i}"}} 999 #\\\n' + secrets.token_urlsafe(i % 20))
            for prefix in ("/v1/models/", "/", "/v1/chat/"):
                ask(url, "GET", prefix + path)
        after = metrics(url)
    assert len(after) <= len(before) + 60  # no series a path; a histogram for a route seen first has some 20
    assert 999 not in after.values()

    def value(name: str, **labels: str) -> float:
        return after[name, frozenset(labels.items())]

    counted = {labels: n for (name, labels), n in after.items() if name == "cmif_requests_total"}
    assert sum(counted.values()) >= 603  # every one, under few labels
    assert len(counted) < 12
    assert value("cmif_requests_total", route="/v1/completions", status="200") == 1
    assert value("cmif_errors_total", code="model_not_found") > 0
    assert value("cmif_errors_total", code="ledger_unavailable") == 0
    assert value("cmif_tokens_total", side="completion") == 3
    assert value("cmif_engine_first_token_seconds_count") == 1
    assert value("cmif_request_duration_seconds_count", route="/v1/completions") == 1
    assert value("cmif_engine_up") == 1
    assert value("cmif_requests_in_flight") == 1  # the scrape itself
    assert value("cmif_engine_sent_bytes_total") > 100


def test_sigterm_first_says_not_ready_and_still_answers(
    tiny_split: Path, tiny_engine: dict[str, Any], tmp_path: Path
) -> None:
    with gateway(tiny_split, tiny_engine["url"], tmp_path, "--policy", "off") as told:
        url = told["url"]
        assert ask(url, "GET", "/readyz") == 200
        os.kill(told["pid"], signal.SIGTERM)
        deadline = time.monotonic() + 4
        while ask(url, "GET", "/readyz") != 503:
            assert time.monotonic() < deadline
        assert ask(url, "POST", "/v1/completions", b'{"prompt": "The", "max_tokens": 1}') == 200


class _Answered(urllib.request.HTTPErrorProcessor):
    """An answer of any status is an answer."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response


def _pem(folder: Path, name: str) -> tuple[str, str]:
    certificate, key = self_signed(("localhost", "127.0.0.1"))
    (folder / f"{name}.pem").write_bytes(certificate)
    (folder / f"{name}.key").write_bytes(key)
    return str(folder / f"{name}.pem"), str(folder / f"{name}.key")


@pytest.mark.slow
def test_tls_before_the_gateway_and_to_an_engine_of_a_private_authority(
    tiny_split: Path, tmp_path: Path
) -> None:
    ours, our_key = _pem(tmp_path, "gateway")
    theirs, their_key = _pem(tmp_path, "engine")
    with engine(tiny_split, "--port", "0", "--tls-certificate", theirs, "--tls-key", their_key) as served:
        arguments = ("--policy", "off", "--tls-certificate", ours, "--tls-key", our_key)
        body = b'{"prompt": "The", "max_tokens": 1}'
        for trusted, status in ((("--engine-ca", theirs), 200), ((), 502)):
            with gateway(tiny_split, served["url"], tmp_path / "state", *arguments, *trusted) as told:
                assert told["url"].startswith("https://")
                request = urllib.request.Request(f"{told['url']}/v1/completions", body, JSON)
                context = ssl.create_default_context(cafile=ours)
                opener = urllib.request.build_opener(
                    urllib.request.HTTPSHandler(context=context), _Answered()
                )
                with opener.open(request, timeout=60) as answer:
                    assert answer.status == status


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tls-name", "gw.local"],
        ["--engine-ca", "ca.pem"],
        ["--tls-certificate", "none.pem"],
        ["--engine", "https://127.0.0.1:1", "--engine-ca", "none.pem"],
        ["--engine", "https://127.0.0.1:1", "--engine-certificate", "none.pem"],
    ],
)
def test_a_tls_option_that_cannot_hold_is_refused_not_ignored(
    tiny_split: Path, tmp_path: Path, arguments: list[str]
) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "cmif", "gateway", "--bundle", str(tiny_split / "client"), "--port", "0",
            "--engine", "http://127.0.0.1:1", "--state", str(tmp_path), *arguments,
        ],
        capture_output=True, text=True, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
