"""What the gateway itself costs: over an engine that answers at once, beside a pass-through proxy in the same run.

    python lab/benchmarks/gateway_throughput.py SPLIT [--streams 1000] [--tokens 64] [--requests 300] [--policy off]

Engine, proxy and gateway are processes of their own; the proxy is the same server (uvicorn) and the same client
(aiohttp) forwarding bytes. Latencies are of a 1 KB prompt and one token, one request at a time on a kept connection;
streams are of ``--tokens`` tokens in as many events, all at once. One JSON line a row, times in milliseconds;
``cpu_ms`` is the server's own CPU time a request, ``stream_cpu_us`` the same in microseconds a token of the streams.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from aiohttp import web
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from cmif.gateway.bundles import open_bundle
from cmif.listen import bind, run
from cmif.wire.events import DoneEvent, TokenEvent, encode_event
from cmif_server.cli.processes import server

WORDS = "The report was written on a quiet day and read by all of them. "


def engine(model: str, context: int) -> None:
    """Answers `/v1/generate` with token 300s and `/v1/chat/completions` with as many bytes of chunks."""

    async def describe(_: web.Request) -> web.Response:
        return web.json_response({"model": model, "context": context})

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        plain = request.path != "/v1/generate"
        count = json.loads(body)["max_tokens"] if plain else int.from_bytes(body[76:80], "little")
        event = encode_event(TokenEvent((300,)))
        if plain:
            chunk = {"choices": [{"index": 0, "delta": {"content": "word"}, "finish_reason": None}]}
            event = b"data: " + json.dumps(chunk).encode() + b"\n\n"
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(count):
            await response.write(event)
        await response.write_eof(
            b"data: [DONE]\n\n" if plain else encode_event(DoneEvent("length", 1, count))
        )
        return response

    app = web.Application(client_max_size=1 << 30)
    app.router.add_get("/v1/engine", describe)
    app.router.add_post("/{path:.*}", answer)
    with bind("127.0.0.1", 0) as bound:
        bound.listen(1024)
        print(json.dumps({"url": f"http://127.0.0.1:{bound.getsockname()[1]}"}), flush=True)
        web.run_app(app, sock=bound, print=None)


def proxy(target: str) -> None:
    """Bytes up, bytes down."""
    kept: list[aiohttp.ClientSession] = []

    async def forward(request: Request) -> StreamingResponse:
        if not kept:
            kept.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        answer = await kept[0].post(target + request.url.path, data=await request.body())

        async def chunks() -> AsyncIterator[bytes]:
            async for chunk in answer.content.iter_any():
                yield chunk

        return StreamingResponse(chunks(), media_type="text/event-stream")

    run(Starlette(routes=[Route("/{path:path}", forward, methods=["POST"])]), bind("127.0.0.1", 0), {})


def body(tokens: int, i: int = 0) -> dict[str, Any]:
    content = f"Note {i}. " + WORDS * (1024 // len(WORDS))
    return {"messages": [{"role": "user", "content": content}], "max_tokens": tokens, "stream": True}


async def one(session: aiohttp.ClientSession, url: str, tokens: int, i: int) -> tuple[float, float]:
    """Milliseconds to the first event with content, and to the end."""
    began = time.perf_counter()
    first = 0.0
    async with session.post(f"{url}/v1/chat/completions", json=body(tokens, i)) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            if not first and b'"content":"' in line.replace(b": ", b":") and b'"content":""' not in line:
                first = (time.perf_counter() - began) * 1e3
    return first, (time.perf_counter() - began) * 1e3


def _spent(process: psutil.Process) -> float:
    """Seconds of CPU that a process has taken, those of all its threads, in the kernel too."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def load(name: str, url: str, pid: int, asked: argparse.Namespace) -> None:
    requests, streams, tokens = asked.requests, asked.streams, asked.tokens
    timeout, process = aiohttp.ClientTimeout(total=600), psutil.Process(pid)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        for i in range(20):
            await one(session, url, 1, i)
        began, spent = time.perf_counter(), _spent(process)
        times = [await one(session, url, 1, 100 + i) for i in range(requests)]
        rate, each = requests / (time.perf_counter() - began), (_spent(process) - spent) / requests
        ends = sorted(end for _, end in times)
        began, spent = time.perf_counter(), _spent(process)
        many = await asyncio.gather(*(one(session, url, tokens, 10_000 + i) for i in range(streams)))
        took, spent = time.perf_counter() - began, _spent(process) - spent
    row = {
        "what": name,
        "p50_ms": round(statistics.median(ends), 2),
        "p99_ms": round(ends[int(len(ends) * 0.99)], 2),
        "first_token_p50_ms": round(statistics.median(first for first, _ in times), 2),
        "requests_s": round(rate, 1),
        "cpu_ms": round(each * 1e3, 2),
        "streams": streams,
        "tokens": tokens,
        "stream_tokens_s": round(streams * tokens / took),
        "stream_cpu_us": round(spent / (streams * tokens) * 1e6, 1),
        "streams_first_p50_ms": round(statistics.median(first for first, _ in many)),
        "rss_mib": round(process.memory_info().rss / 2**20),
    }
    print(json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("split", type=Path)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--policy", default="off")
    asked = parser.parse_args()
    manifest = open_bundle(asked.split / "client").manifest
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> tuple[str, int]:
        process = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return json.loads(process.stdout.readline())["url"], process.pid

    try:
        engine_url, engine_pid = start("engine", manifest.model, str(manifest.context))
        asyncio.run(load("engine itself", engine_url, engine_pid, asked))
        proxy_url, proxy_pid = start("proxy", engine_url)
        asyncio.run(load("pass-through", proxy_url, proxy_pid, asked))
        with tempfile.TemporaryDirectory() as state:
            fixed = ("--bundle", str(asked.split / "client"), "--engine", engine_url, "--port", "0")
            with server("gateway", *fixed, "--state", state, "--policy", asked.policy) as told:
                asyncio.run(load("gateway", told["url"], told["pid"], asked))
    finally:
        for process in started:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    if sys.argv[1] == "engine":
        engine(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1] == "proxy":
        proxy(sys.argv[2])
    else:
        main()
