"""How the gateway speaks HTTP to what it does not trust: no cookies, nothing unpacked, bounded waits."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import SplitResult, urlsplit

import aiohttp

from cmif.gateway.limits import CONNECT_S, SILENCE_S
from cmif.gateway.metrics import Metrics


def base_url(url: str) -> SplitResult | None:
    """``url`` in parts, None if it is not http(s) with a host and a possible port."""
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if named else None


def open_session(tls: ssl.SSLContext | None, headers: dict[str, str] | None = None) -> aiohttp.ClientSession:
    """A session of the running event loop; connections are made when they are needed. ``tls`` None: the system's
    authorities. Who uses it follows no redirects."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
        connector=aiohttp.TCPConnector(limit=0, ssl=tls if tls is not None else True),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"accept-encoding": "identity"} | (headers or {}),
    )


def counted(answer: aiohttp.ClientResponse, metrics: Metrics) -> Callable[[], Awaitable[bytes]]:
    """Reads what has come of ``answer``, b"" at its end, and counts it."""

    async def read() -> bytes:
        data = await answer.content.readany()
        metrics.bytes_down.inc(len(data))
        return data

    return read
