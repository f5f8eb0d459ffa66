"""The OpenAI-compatible application: HTTP in, HTTP out. What a request goes through is `enclave/pipeline.py`."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from cmif.enclave.conversation import Who
from cmif.enclave.pipeline import Pipeline
from cmif.errors import CmifError, InputError, NotReadyError
from cmif.gateway.browsers import Browsers
from cmif.gateway.exchange import Delta, Exchange
from cmif.gateway.health import LedgerHealth
from cmif.gateway.http import error_response, json_body, until_disconnect
from cmif.gateway.limits import require_possible
from cmif.gateway.logs import current
from cmif.gateway.metrics import CONTENT_TYPE, Stopwatch
from cmif.gateway.observed import Observed
from cmif.gateway.openai import Envelope, Request, error_body, parse, usage
from cmif.gateway.tenants import Tenants
from cmif.gateway.upstream import Upstream

log = logging.getLogger("cmif.gateway")
Ready = Callable[[], tuple[str, ...]]
"""Reasons why the gateway may not serve now; none means ready."""


class Gateway:
    """The application's state: one pipeline, one engine, its tenants."""

    def __init__(
        self,
        pipeline: Pipeline,
        upstream: Upstream,
        tenants: Tenants,
        ready: Ready = lambda: (),
        routes: tuple[BaseRoute, ...] = (),
        label: str | None = None,
        admit: Callable[[], None] = lambda: None,
        browsers: Browsers = Browsers(),
    ) -> None:
        """``admit`` raises for an authenticated request that is one too many."""
        self.pipeline = pipeline
        self.upstream = upstream
        self.metrics = upstream.metrics
        self._tenants = tenants
        self._ready = ready
        self._routes = routes
        self._label = label
        self._admit = admit
        self._browsers = browsers
        self._ledger = LedgerHealth()

    def app(self) -> Starlette:
        @asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            await self.upstream.open()
            yield
            await self.upstream.close()

        routes = [
            Route("/v1/chat/completions", self._guarded(self._chat), methods=["POST"]),
            Route("/v1/completions", self._guarded(self._completions), methods=["POST"]),
            Route("/v1/models", self._guarded(self._models)),
            Route("/v1/models/{name:path}", self._guarded(self._model)),
            Route("/healthz", _alive),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics),
            *self._routes,
        ]
        labels = {"x-cmif-tee": self._label} if self._label else {}
        observed = Middleware(Observed, metrics=self.metrics, routes=routes, headers=labels)
        return Starlette(
            lifespan=lifespan, routes=routes, middleware=[observed, *self._browsers.middleware()]
        )

    def _guarded(
        self, handler: Callable[[HttpRequest, str], Awaitable[Response]]
    ) -> Callable[[HttpRequest], Awaitable[Response]]:
        """Identify the tenant before anything is read or counted; answer errors in the API's form."""

        async def guarded(request: HttpRequest) -> Response:
            note = current()
            try:
                reasons = self._ready()
                if reasons:
                    raise NotReadyError("This gateway is not ready.", hint="; ".join(reasons))
                note.tenant = self._tenants.identify(request.headers.get("authorization"))
                if request.method == "POST":
                    self._admit()
                with self._ledger.watched():
                    return await handler(request, note.tenant)
            except CmifError as error:
                return error_response(error)
            except ClientDisconnect:
                return Response(status_code=499)
            except Exception as error:  # its message could quote user text: only its type may leave
                log.error("%s internal error %s", note.request, type(error).__name__)
                return error_response(CmifError("Internal error; the request was not answered."))

        return guarded

    async def _chat(self, request: HttpRequest, tenant: str) -> Response:
        return await self._answer(request, tenant, "chat")

    async def _completions(self, request: HttpRequest, tenant: str) -> Response:
        return await self._answer(request, tenant, "completion")

    async def _answer(self, http: HttpRequest, tenant: str, kind: Literal["chat", "completion"]) -> Response:
        manifest = self.pipeline.bundle.manifest
        request = parse(await json_body(http), kind, manifest.name)
        require_possible(request.prompt, manifest.context)
        watch = Stopwatch()
        prepared = await asyncio.to_thread(
            self.pipeline.prepare,
            request.prompt,
            who=Who(tenant, request.user, http.headers.get("x-cmif-conversation") or request.conversation),
            max_tokens=request.max_tokens,
            step=watch,
        )
        note = current()
        note.prompt_tokens, note.epsilon = len(prepared.ids), prepared.epsilon
        self.metrics.epsilon.labels(tenant).inc(prepared.epsilon)
        exchange = Exchange(self.pipeline, self.upstream, request, prepared, watch)
        headers = {"x-cmif-epsilon": f"{prepared.epsilon:g}"}
        if request.dropped:
            headers["x-cmif-dropped"] = ", ".join(name for name in request.dropped if name.isidentifier())
        explain = http.headers.get("x-cmif-explain") == "1"
        envelope = Envelope.new(kind, manifest.name)
        if request.stream:
            return await self._stream(exchange, request, envelope, headers, watch, explain)
        await until_disconnect(http, _drain(exchange))
        self._measured(exchange, watch)
        headers["x-cmif-withheld"] = str(exchange.counts.withheld)
        return JSONResponse(self._body(exchange, request, envelope, watch, explain), headers=headers)

    def _measured(self, exchange: Exchange, watch: Stopwatch) -> None:
        self.metrics.steps(watch)
        self.metrics.restored.inc(exchange.counts.restored)
        self.metrics.withheld.inc(exchange.counts.withheld)

    def _body(
        self, exchange: Exchange, request: Request, envelope: Envelope, watch: Stopwatch, explain: bool
    ) -> dict[str, Any]:
        choices = [
            envelope.choice(i, answer.text, answer.finish, _logprobs(request, answer.logprobs))
            for i, answer in enumerate(exchange.answers)
        ]
        extra = {"cmif": _explanation(exchange, watch)} if explain else {}
        return envelope.body(choices, _usage(exchange), **extra)

    async def _stream(
        self,
        exchange: Exchange,
        request: Request,
        envelope: Envelope,
        headers: dict[str, str],
        watch: Stopwatch,
        explain: bool,
    ) -> Response:
        """The first delta is awaited before the status line is sent, so that a refusing engine is a 4xx or 5xx."""
        deltas = exchange.deltas()
        first = await anext(deltas)

        async def chunks() -> AsyncIterator[str]:
            async with aclosing(deltas):
                try:
                    if envelope.kind == "chat":
                        for i in range(request.n):
                            yield _sse(envelope.chunk([envelope.delta(i, "", role=True)]))
                    delta: Delta | None = first
                    while delta is not None:
                        if delta.text:
                            yield _sse(
                                envelope.chunk(
                                    [
                                        envelope.delta(
                                            delta.index,
                                            delta.text,
                                            logprobs=_logprobs(request, list(delta.logprobs)),
                                        )
                                    ]
                                )
                            )
                        if delta.finish:
                            yield _sse(
                                envelope.chunk([envelope.delta(delta.index, None, finish=delta.finish)])
                            )
                        delta = await anext(deltas, None)
                    extra = {"cmif": _explanation(exchange, watch)} if explain else {}
                    if request.include_usage or explain:
                        yield _sse(envelope.chunk([], usage=_usage(exchange), **extra))
                except CmifError as error:
                    yield _sse(error_body(error))
                self._measured(exchange, watch)
                yield "data: [DONE]\n\n"

        return StreamingResponse(
            chunks(), media_type="text/event-stream", headers={**headers, "cache-control": "no-cache"}
        )

    async def _models(self, _request: HttpRequest, _tenant: str) -> Response:
        return JSONResponse({"object": "list", "data": [self._model_card()]})

    async def _model(self, request: HttpRequest, _tenant: str) -> Response:
        if request.path_params["name"] != self.pipeline.bundle.manifest.name:
            error = InputError(
                "This gateway does not serve that model.", hint="GET /v1/models lists the one it serves."
            )
            return JSONResponse(error_body(error, "model"), status_code=404)
        return JSONResponse(self._model_card())

    def _model_card(self) -> dict[str, Any]:
        return {"id": self.pipeline.bundle.manifest.name, "object": "model", "created": 0, "owned_by": "cmif"}

    async def _readyz(self, _request: HttpRequest) -> Response:
        reasons = [*self._ready(), *self._ledger.reasons()]
        try:
            await self.upstream.describe()
        except CmifError as error:
            reasons.append(str(error))
        table = self.pipeline.bundle.table
        told = {
            "ready": not reasons,
            "reasons": reasons,
            "table": {"k": table.k, "eps_in": table.eps_in, "eps_out": table.eps_out},
        }
        return JSONResponse(told, status_code=503 if reasons else 200)

    async def _metrics(self, _request: HttpRequest) -> Response:
        return Response(self.metrics.render(), media_type=CONTENT_TYPE)


async def _alive(_request: HttpRequest) -> Response:
    return PlainTextResponse("ok")


async def _drain(exchange: Exchange) -> None:
    async with aclosing(exchange.deltas()) as deltas:
        async for _ in deltas:
            pass


def _logprobs(request: Request, entries: list[dict[str, Any]]) -> Any:
    if not request.sampling.logprobs:
        return None
    if request.kind == "chat":
        return {"content": entries, "refusal": None}
    return {
        "tokens": [e["token"] for e in entries],
        "token_logprobs": [e["logprob"] for e in entries],
        "top_logprobs": [{t["token"]: t["logprob"] for t in e["top_logprobs"]} for e in entries],
    }


def _usage(exchange: Exchange) -> dict[str, Any]:
    """The API's counts, and beside them what restoring did (an extension)."""
    tokens = sum(answer.completion_tokens for answer in exchange.answers)
    return {**usage(len(exchange.prepared.ids), tokens), "cmif": asdict(exchange.counts)}


def _explanation(exchange: Exchange, watch: Stopwatch) -> dict[str, Any]:
    """What `cmif demo` shows: for the caller's eyes, who typed the text and owns it."""
    return {
        "engine_saw": exchange.prepared.sent_text,
        "answer_raw": exchange.answers[0].raw,
        "epsilon": exchange.prepared.epsilon,
        "steps_ms": {name: round(ms, 3) for name, ms in watch.steps_ms.items()},
    }


def _sse(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"
