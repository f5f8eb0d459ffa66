"""The page's own small application: itself, its two files, and what its script asks for.

Whoever holds the one-time token of the start gets the key of this page, once; without the key nothing but the empty
page is answered. The key lives in the tab (`sessionStorage`, which belongs to one port, as cookies do not) and goes
with each request in a header that no other site's page can set. Texts reach the browser as JSON and become text nodes:
neither an answer of the engine nor a prompt can become markup or script.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from cmif.enclave.detect import Detector
from cmif.enclave.inspect import inspect
from cmif.enclave.policy import Level, PrivacyPolicy, detectors_for
from cmif.enclave.reasons import told
from cmif.enclave.segment import segments
from cmif.errors import CmifError, InputError, UnauthorisedError
from cmif.gateway.api import chat
from cmif.gateway.app import Gateway
from cmif.gateway.browsers import Browsers
from cmif.gateway.exchange import EngineExchange
from cmif.gateway.http import error_response, json_body
from cmif.gateway.ledger import Ledger
from cmif.gateway.metrics import Stopwatch
from cmif.gateway.ui.frontier import Frontier
from cmif.gateway.ui.locked import Locked, file

KEY = "x-cmif-page"
_LONGEST = 20_000
"""Characters of a text whose policies are compared: each of them reads all of it."""
Spent = Callable[[str], float]
"""Epsilon that a tenant has spent so far."""
_OPEN = {
    Level.OFF: ("Everything: this policy protects nothing.",),
    Level.ENTITIES: ("Words of illness, belief, politics and the like: only the sensitive policy replaces them.",),
}
_ALWAYS = (
    "What no detector found. Look through the text before you trust it.",
    "Which kind of thing was replaced, how long the text is, when it was sent, and which mentions are the same.",
    "Names and words that everybody knows and nothing ties to a person, where the policy keeps them.",
    "The answer itself: an engine can be wrong, or lie.",
)


class Page:
    """``token`` opens it once. ``keyed``: requests need a tenant's API key."""

    def __init__(self, gateway: Gateway, spent: Spent, token: str, *, keyed: bool) -> None:
        self._gateway = gateway
        self._spent = spent
        self._token: str | None = token
        self._key = secrets.token_urlsafe(32)
        self._keyed = keyed
        own = gateway.pipeline.policy
        named = {level: PrivacyPolicy.named(level) for level in Level}
        self._policies: dict[str, tuple[PrivacyPolicy, tuple[Detector, ...]]] = {
            level.value: (policy, detectors_for(policy)) for level, policy in {**named, own.level: own}.items()
        }
        source = (files(__package__) / "page.html").read_text("utf-8")
        self._html = jinja2.Environment(autoescape=True).from_string(source).render(**self._facts())

    def app(self) -> Starlette:
        routes = [
            Route("/", self._page),
            file("page.css", "text/css"),
            file("page.js", "text/javascript"),
            Route("/open", self._open, methods=["POST"]),
            Route("/look", self._behind(self._look), methods=["POST"]),
            Route("/chat", self._behind(self._gateway.guarded(self._chat)), methods=["POST"]),
        ]
        doors = Browsers(keyless=True, loopback=True).middleware()
        return Starlette(routes=routes, middleware=[Middleware(Locked), *doors])

    def _facts(self) -> dict[str, Any]:
        """What the page says of this gateway: nothing of it is of anybody's text."""
        gateway = self._gateway
        policy, table = gateway.pipeline.policy, gateway.pipeline.bundle.table
        return {
            "model": gateway.names[0],
            "lane": gateway.upstream.lane,
            "policy": policy.level.value,
            "levels": [level.value for level in Level],
            "certificate": table.certificate,
            "frontier": Frontier.of(table.certificate.law, table.k, table.eps_in),
            "digest": table.digest,
            "open": [*_OPEN.get(policy.level, ()), *_ALWAYS],
            "tee": gateway.label,
            "keyed": self._keyed,
            "budget": policy.tenant_budget,
        }

    async def _page(self, _request: HttpRequest) -> Response:
        return HTMLResponse(self._html)

    async def _open(self, request: HttpRequest) -> Response:
        """The key of this page, for its token, once."""
        try:
            given = await json_body(request)
            token = given.get("token") if isinstance(given, dict) else None
            if self._token is None or not isinstance(token, str) or not _same(token, self._token):
                raise UnauthorisedError(
                    "This page was opened already, or the address is not the one that was printed.",
                    hint="Use the tab that has it, or start the gateway again.",
                )
            self._token = None
            return JSONResponse({"key": self._key})
        except CmifError as error:
            return error_response(error)

    def _behind(
        self, handler: Callable[[HttpRequest], Awaitable[Response]]
    ) -> Callable[[HttpRequest], Awaitable[Response]]:
        async def behind(request: HttpRequest) -> Response:
            try:
                if not _same(request.headers.get(KEY, ""), self._key):
                    raise UnauthorisedError("This page has not been opened with its token.")
                return await handler(request)
            except CmifError as error:
                return error_response(error)

        return behind

    async def _look(self, request: HttpRequest) -> Response:
        """One text under every policy. Nothing is sent, remembered or charged."""
        body = await json_body(request)
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str) or not 0 < len(text) <= _LONGEST:
            raise InputError(f"Give a text of 1 to {_LONGEST} characters.")
        return JSONResponse(await asyncio.to_thread(self._compared, text))

    def _compared(self, text: str) -> list[dict[str, Any]]:
        table, out = self._gateway.pipeline.bundle.table, []
        for name, (policy, detectors) in self._policies.items():
            seen = inspect({"prompt": text}, policy, detectors, table)
            pieces = told(seen.pieces, table, detectors, policy)
            out.append({"policy": name, "pieces": pieces, "epsilon": seen.epsilon})
        return out

    async def _chat(self, http: HttpRequest, tenant: str) -> Response:
        """One turn, as lines of JSON: what is sent, then what the engine writes beside what is read, then the end."""
        body = await json_body(http)
        gateway, watch = self._gateway, Stopwatch()
        request = replace(chat.parse(body, gateway.names), n=1)
        (prompt,) = request.prompts
        prepared = await gateway.prepare(http, tenant, request, prompt, watch)
        exchange = EngineExchange(gateway.pipeline, gateway.upstream, request, prepared, watch)
        level = gateway.pipeline.policy.level.value
        policy, detectors = self._policies[level]
        table = gateway.pipeline.bundle.table
        rows = await asyncio.to_thread(lambda: [told(row, table, detectors, policy) for row in prepared.pieces])
        spent = await asyncio.to_thread(self._spent, tenant)
        roles = [segment.role for segment in segments(prompt)]

        async def lines() -> AsyncIterator[str]:
            sent = [{"role": role, "pieces": row} for role, row in zip(roles, rows, strict=True)]
            engine = gateway.upstream.tee
            yield _line({"sent": sent, "epsilon": prepared.epsilon, "spent": spent, "engine": engine})
            (answer,) = exchange.answers
            shown = 0
            try:
                async with aclosing(exchange.deltas()) as deltas:
                    async for delta in deltas:
                        yield _line({"read": delta.text, "wrote": answer.raw[shown:]})
                        shown = len(answer.raw)
                counts = exchange.counts
                yield _line({"finish": answer.finish, "restored": counts.restored, "withheld": counts.withheld})
            except CmifError as error:
                yield _line({"error": str(error)})
            gateway.measured(exchange.counts, watch)

        return StreamingResponse(lines(), media_type="application/x-ndjson")


def add_page(app: Starlette, gateway: Gateway, store: Ledger, bound: socket.socket, *, keyed: bool) -> str:
    """Serve the page of ``gateway`` on ``bound``, a further socket of its server; the address that opens it, once."""
    token, port = secrets.token_urlsafe(32), bound.getsockname()[1]

    def spent(tenant: str) -> float:
        return sum(account.epsilon for account in store.accounts("tenant") if account.tenant == tenant)

    app.add_middleware(_OnPort, port=port, page=Page(gateway, spent, token, keyed=keyed).app())
    return f"http://127.0.0.1:{port}/#{token}"


class _OnPort:
    """Requests that came in on ``port`` go to ``page`` and to nothing else; all others never reach it."""

    def __init__(self, app: ASGIApp, port: int, page: ASGIApp) -> None:
        self._app, self._port, self._page = app, port, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        here = scope["type"] == "http" and scope["server"][1] == self._port
        await (self._page if here else self._app)(scope, receive, send)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"
