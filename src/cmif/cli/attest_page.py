"""`cmif attest page`: what `cmif attest verify` says of a gateway, as a page of this machine.

It runs where the person is who asks, beside no gateway: what a gateway in a TEE says of itself proves nothing, and a
page on loopback beside it could be read by the host that the TEE is there to keep out. Each visit is a check with a
nonce of its own. Nothing here is anybody's text, so nothing needs a token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from cmif.attest.simulated import LABEL
from cmif.gateway.browsers import Browsers
from cmif.gateway.ui.locked import Locked, file


@dataclass(frozen=True, slots=True)
class Seen:
    """One check: ``record`` as `verify --json` prints it. ``waits``: why an accepted gateway answers no requests now,
    by its own `/readyz` over the checked channel; None where that was not asked.
    """

    record: dict[str, Any]
    waits: tuple[str, ...] | None


def attest_page(url: str, policy: str, look: Callable[[], Seen]) -> Starlette:
    """The page of the gateway at ``url`` under the appraisal policy of that name. ``look`` checks it, each time."""
    source = (files(__package__) / "attest_page.html").read_text("utf-8")
    template = jinja2.Environment(autoescape=True).from_string(source)
    busy = asyncio.Lock()

    async def page(_request: Request) -> Response:
        async with busy:
            seen = await asyncio.to_thread(look)
        simulated = LABEL in (seen.record.get("platform"), seen.record.get("tcb_status"))
        return HTMLResponse(template.render(url=url, policy=policy, seen=seen, label=LABEL if simulated else None))

    doors = Browsers(keyless=True, loopback=True).middleware()
    return Starlette(routes=[Route("/", page), file("page.css", "text/css")], middleware=[Middleware(Locked), *doors])
