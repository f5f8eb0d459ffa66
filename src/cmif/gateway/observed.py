"""Around every request: its id, its line in the log, its counts. Sees the route's template and the status, no more."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cmif.errors import OverloadedError
from cmif.gateway.http import error_response
from cmif.gateway.limits import IN_FLIGHT
from cmif.gateway.logs import begin
from cmif.gateway.metrics import Metrics

log = logging.getLogger("cmif.gateway")

_QUIET = ("/healthz", "/readyz", "/metrics")
_OTHER = "other"


class Observed:
    """ASGI middleware. ``headers`` are added to every answer; beyond :data:`IN_FLIGHT` requests none is begun."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, routes: Iterable[BaseRoute], headers: dict[str, str]
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._templates: dict[object, str] = {r.endpoint: r.path for r in routes if isinstance(r, Route)}
        self._headers = headers
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        note, started = begin(), time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                note.status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in {"x-request-id": note.request, **self._headers}.items():
                    headers[name] = value
            await send(message)

        app = (
            self._app
            if self._running < IN_FLIGHT
            else error_response(OverloadedError("Too many requests at once."))
        )
        self._running += 1
        self._metrics.in_flight.inc()
        try:
            await app(scope, receive, sending)
        finally:
            self._running -= 1
            self._metrics.in_flight.dec()
            note.route = self._templates.get(scope.get("endpoint"), _OTHER)
            note.status = note.status or 499  # it left before there was anything to answer
            note.ms = round((time.perf_counter() - started) * 1e3, 1)
            self._metrics.request(note)
            log.log(logging.DEBUG if note.route in _QUIET else logging.INFO, "%s", note)
