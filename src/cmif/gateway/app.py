"""The OpenAI-compatible application: HTTP in, HTTP out. What a request goes through is `enclave/pipeline.py`."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from cmif.enclave.conversation import Who
from cmif.enclave.cover import Guarantee
from cmif.enclave.pipeline import Pipeline, Prepared
from cmif.errors import CmifError, NotReadyError, SchemaError
from cmif.gateway.answer import Counts
from cmif.gateway.api import messages
from cmif.gateway.api.request import Request, wrong_model
from cmif.gateway.api.surfaces import SURFACES, Surface, authorisation, unknown
from cmif.gateway.api.writer import Usage, Writer
from cmif.gateway.browsers import Browsers
from cmif.gateway.exchange import Delta, EngineExchange
from cmif.gateway.health import LedgerHealth
from cmif.gateway.http import error_response, json_body, until_disconnect
from cmif.gateway.limits import require_possible
from cmif.gateway.logs import current
from cmif.gateway.metrics import CONTENT_TYPE, Stopwatch
from cmif.gateway.observed import Observed
from cmif.gateway.several import Several
from cmif.gateway.tenants import Tenants
from cmif.gateway.text_api import TextApi
from cmif.gateway.upstream import Upstream

log = logging.getLogger("cmif.gateway")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
Ready = Callable[[], tuple[str, ...]]
"""Reasons why the gateway may not serve now; none means ready."""


class Gateway:
    """The application's state: one pipeline, one engine, its tenants."""

    def __init__(
        self,
        pipeline: Pipeline,
        upstream: Upstream | TextApi,
        tenants: Tenants,
        ready: Ready = lambda: (),
        routes: tuple[BaseRoute, ...] = (),
        label: str | None = None,
        admit: Callable[[], None] = lambda: None,
        browsers: Browsers = Browsers(),
        names: tuple[str, ...] = (),
    ) -> None:
        """``admit`` raises for an authenticated request that is one too many. ``names``: what clients may call the
        model, the first of them its own; none is its bundle's.
        """
        self.pipeline = pipeline
        self.names = names or (pipeline.bundle.manifest.name,)
        self.upstream = upstream
        self.metrics = upstream.metrics
        self._tenants = tenants
        self._ready = ready
        self._routes = routes
        self.label = label
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
            *(
                Route(path, self.guarded(self._answers(surface)), methods=["POST"])
                for path, surface in SURFACES.items()
            ),
            Route("/v1/messages/count_tokens", self.guarded(self._count), methods=["POST"]),
            Route("/v1/models", self.guarded(self._models)),
            Route("/v1/models/{name:path}", self.guarded(self._model)),
            Route("/healthz", _alive),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics),
            *self._routes,
        ]
        labels = {"x-cmif-lane": self.upstream.lane} | ({"x-cmif-tee": self.label} if self.label else {})
        observed = Middleware(Observed, metrics=self.metrics, routes=routes, headers=labels)
        app = Starlette(
            lifespan=lifespan,
            routes=routes,
            middleware=[observed, *self._browsers.middleware()],
            exception_handlers={404: unknown, 405: unknown},
        )
        app.router.redirect_slashes = False
        return app

    def guarded(
        self, handler: Callable[[HttpRequest, str], Awaitable[Response]]
    ) -> Callable[[HttpRequest], Awaitable[Response]]:
        """Identify the tenant before anything is read or counted; answer errors in the API's form."""

        async def guarded(request: HttpRequest) -> Response:
            note = current()
            try:
                reasons = (*self._ready(), *self.upstream.reasons())
                if reasons:
                    raise NotReadyError("This gateway is not ready.", hint="; ".join(reasons))
                with self._ledger.watched():
                    note.tenant = await self._tenants.identify(authorisation(request.headers))
                if request.method == "POST":
                    self._admit()
                return await handler(request, note.tenant)
            except CmifError as error:
                return error_response(error)
            except ClientDisconnect:
                return Response(status_code=499)
            except Exception as error:  # its message could quote user text: only its type may leave
                log.error("%s internal error %s", note.request, type(error).__name__)
                return error_response(CmifError("Internal error; the request was not answered."))

        return guarded

    def _answers(self, route: Surface) -> Callable[[HttpRequest, str], Awaitable[Response]]:
        async def answer(http: HttpRequest, tenant: str) -> Response:
            try:
                with self._ledger.watched():
                    return await self._answer(http, tenant, route)
            except CmifError as error:
                return route.refusal(error)

        return answer

    async def _answer(self, http: HttpRequest, tenant: str, route: Surface) -> Response:
        request = route.parse(await json_body(http), self.names)
        if (request.forced or request.json) and not (await self.upstream.describe()).get("schemas"):
            raise SchemaError(
                "This engine cannot hold an answer to a schema.",
                hint="Leave out response_format, or set tool_choice to 'auto'.",
            )
        watch = Stopwatch()
        prepared = [await self.prepare(http, tenant, request, prompt, watch) for prompt in request.prompts]
        exchange = Several([EngineExchange(self.pipeline, self.upstream, request, p, watch) for p in prepared])
        note = current()
        note.prompt_tokens, note.epsilon = exchange.sent_tokens, sum(p.epsilon for p in prepared)
        headers = {"x-cmif-epsilon": f"{note.epsilon:g}", **self._guarantee(prepared)}
        if self.upstream.tee:
            headers["x-cmif-engine-tee"] = self.upstream.tee
        if request.dropped:
            headers["x-cmif-dropped"] = ", ".join(name for name in request.dropped if _NAME.fullmatch(name))
        explain = http.headers.get("x-cmif-explain") == "1"
        writer = route.writer(request, self.names[0])
        if request.stream:
            return await self._stream(exchange, writer, headers, watch, explain)
        await until_disconnect(http, _drain(exchange))
        self.measured(exchange.counts, watch)
        headers["x-cmif-withheld"] = str(exchange.counts.withheld)
        extra = {"cmif": _explanation(exchange, watch)} if explain else {}
        return JSONResponse(writer.body(exchange.answers, _usage(exchange), extra), headers=headers)

    async def prepare(
        self, http: HttpRequest, tenant: str, request: Request, prompt: Mapping[str, Any], watch: Stopwatch
    ) -> Prepared:
        """``prompt`` as it may leave; what it draws is remembered and charged to ``tenant``."""
        require_possible(prompt, self.pipeline.bundle.manifest.context)
        who = Who(tenant, request.user, http.headers.get("x-cmif-conversation") or request.conversation)
        must_fit = None if request.fitted else request.max_tokens
        prepared = await asyncio.to_thread(
            self.pipeline.prepare,
            prompt,
            who=who,
            max_tokens=must_fit,
            step=watch,
            coverable=request.coverable and self.upstream.covers,
        )
        self.metrics.epsilon.labels(tenant).inc(prepared.epsilon)
        return prepared

    def _guarantee(self, prepared: Sequence[Prepared]) -> dict[str, str]:
        """What words of this request hide behind: mode, K, and the loss inside and outside a group or bucket."""
        policy, table = self.pipeline.policy, self.pipeline.bundle.table
        given = Guarantee.of(policy, table, covered=any(p.variants for p in prepared))
        told = {"mode": given.mode, "k": str(given.k), "eps-in": f"{given.eps_in:g}", "eps-out": f"{given.eps_out:g}"}
        return {f"x-cmif-{name}": value for name, value in told.items()}

    def measured(self, counts: Counts, watch: Stopwatch) -> None:
        """Into the metrics, once an answer has ended."""
        self.metrics.steps(watch)
        self.metrics.restored.inc(counts.restored)
        self.metrics.withheld.inc(counts.withheld)

    async def _stream(
        self, exchange: Several, writer: Writer, headers: dict[str, str], watch: Stopwatch, explain: bool
    ) -> Response:
        """The first delta is awaited before the status line is sent, so that a refusing engine is a 4xx or 5xx."""
        deltas = exchange.deltas()
        first = await anext(deltas)

        async def chunks() -> AsyncIterator[str]:
            async with aclosing(deltas):
                text = "".join(writer.begin(exchange.prompt_tokens))
                unfinished = len(exchange.answers)
                delta: Delta | None = first
                try:
                    while delta is not None:
                        text += "".join(writer.delta(delta))
                        unfinished -= delta.finish is not None
                        if text and unfinished:  # what comes last goes out with the end
                            yield text
                            text = ""
                        delta = await anext(deltas, None)
                    extra = {"cmif": _explanation(exchange, watch)} if explain else {}
                    text += "".join(writer.end(exchange.answers, _usage(exchange), extra))
                except CmifError as error:
                    current().error = error.code
                    text += "".join(writer.failed(error))
                yield text
                self.measured(exchange.counts, watch)

        return StreamingResponse(
            chunks(), media_type="text/event-stream", headers={**headers, "cache-control": "no-cache"}
        )

    async def _count(self, http: HttpRequest, _tenant: str) -> Response:
        """Anthropic's count of a prompt's tokens: as it was typed, for nothing of it leaves."""
        try:
            prompt = messages.parse_count(await json_body(http), self.names)
            require_possible(prompt, self.pipeline.bundle.manifest.context)
            return JSONResponse({"input_tokens": await asyncio.to_thread(self.pipeline.count, prompt)})
        except CmifError as error:
            return messages.refusal(error)

    async def _models(self, _request: HttpRequest, _tenant: str) -> Response:
        return JSONResponse({"object": "list", "data": [self._model_card(name) for name in self.names]})

    async def _model(self, request: HttpRequest, _tenant: str) -> Response:
        if request.path_params["name"] not in self.names:
            raise wrong_model()
        return JSONResponse(self._model_card(request.path_params["name"]))

    def _model_card(self, name: str) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": "cmif",
            "max_model_len": self.pipeline.bundle.manifest.context,
            "lane": self.upstream.lane,
        }

    async def _readyz(self, _request: HttpRequest) -> Response:
        closed = self.upstream.reasons()
        reasons = [*self._ready(), *closed, *self._ledger.reasons()]
        try:
            if not closed:
                await self.upstream.describe()
        except CmifError as error:
            reasons.append(str(error))
        table = self.pipeline.bundle.table
        told = {
            "ready": not reasons,
            "reasons": reasons,
            "lane": self.upstream.lane,
            **({"engine_tee": self.upstream.tee} if self.upstream.tee else {}),
            "table": {"k": table.k, "eps_in": table.eps_in, "eps_out": table.eps_out},
        }
        return JSONResponse(told, status_code=503 if reasons else 200)

    async def _metrics(self, _request: HttpRequest) -> Response:
        return Response(await asyncio.to_thread(self.metrics.render), media_type=CONTENT_TYPE)


async def _alive(_request: HttpRequest) -> Response:
    return PlainTextResponse("ok")


async def _drain(exchange: Several) -> None:
    async with aclosing(exchange.deltas()) as deltas:
        async for _ in deltas:
            pass


def _usage(exchange: Several) -> Usage:
    """The counts, and beside them what restoring did (an extension)."""
    tokens = sum(answer.completion_tokens for answer in exchange.answers)
    counts = exchange.counts
    told = {"restored": counts.restored, "withheld": counts.withheld, "ambiguous": counts.ambiguous}
    return Usage(exchange.prompt_tokens, tokens, {"cmif": told})


def _explanation(exchange: Several, watch: Stopwatch) -> dict[str, Any]:
    """What `cmif demo` shows: for the caller's eyes, who typed the text and owns it."""
    prepared = [one.prepared for one in exchange.exchanges]
    return {
        "engine_saw": "\n".join(p.sent_text for p in prepared),
        "answer_raw": exchange.answers[0].raw,
        "epsilon": sum(p.epsilon for p in prepared),
        "steps_ms": {name: round(ms, 3) for name, ms in watch.steps_ms.items()},
    }
