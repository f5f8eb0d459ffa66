"""What web pages may do here. A page of any site can send requests to a gateway on its reader's own machine.

Three doors: JSON bodies must say that they are JSON, which no page can send across sites without asking first (Fetch
Standard, "CORS-preflight fetch"); a gateway without keys answers no foreign ``Origin``; and if it listens on loopback
only, no foreign ``Host``, which is how a page whose name was rebound to 127.0.0.1 arrives.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from cmif.errors import CmifError, CrossSiteError, InputError
from cmif.gateway.http import error_response


@dataclass(frozen=True, slots=True)
class Browsers:
    """Whose pages may ask: ``origins`` (``https://app.example``), none by default.

    ``keyless``: there are no tenants, so a request proves nothing by itself. ``loopback``: only this machine connects.
    """

    origins: tuple[str, ...] = ()
    keyless: bool = False
    loopback: bool = False

    def middleware(self) -> list[Middleware]:
        """CORS for ``origins`` only, then the three doors."""
        allowed = Middleware(
            CORSMiddleware, allow_origins=list(self.origins), allow_methods=["GET", "POST"], allow_headers=["*"],
            expose_headers=["*"],  # no cookies are used, so that browsers take it for every name
        )  # fmt: skip
        return [*([allowed] if self.origins else []), Middleware(_Doors, browsers=self)]

    def refusal(self, method: str, headers: Headers) -> CmifError | None:
        """Why a request with these headers is not answered, or None."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.keyless and self.loopback and not is_loopback(_name(host)):
            return CrossSiteError(
                "This gateway answers only as localhost.",
                hint="Give --tenants, so that every request needs a key, to serve other names.",
            )
        if self.keyless and origin is not None and origin not in self.origins and _authority(origin) != host:
            return CrossSiteError(
                "Pages of that origin may not use this gateway.", hint="Allow them with --cors-origin."
            )
        if method == "POST" and _media_type(headers) != "application/json":
            return InputError("The content type must be application/json.")
        return None


class _Doors:
    def __init__(self, app: ASGIApp, browsers: Browsers) -> None:
        self._app = app
        self._browsers = browsers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self._browsers.refusal(scope["method"], Headers(scope=scope))
            if refusal is not None:
                await error_response(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_loopback(name: str) -> bool:
    """Whether a host name or address is this machine's own, by its text alone."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()
