from __future__ import annotations

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cmif.gateway.browsers import Browsers, is_loopback


async def asked(browsers: Browsers, method: str = "POST", **headers: str) -> httpx.Response:
    async def ok(_request: Request) -> Response:
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/", ok, methods=["GET", "POST"])], middleware=browsers.middleware())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://localhost:8000"
    ) as client:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.request(method, "/", headers=sent)


async def status(browsers: Browsers, method: str = "POST", **headers: str) -> int:
    return (await asked(browsers, method, **headers)).status_code


LOCAL = Browsers(keyless=True, loopback=True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"host": "127.0.0.1:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "rebound.example:8000"}, 403),
        ({"host": "localhost.rebound.example"}, 403),
        ({"host": ""}, 403),
        ({"host": "[::1"}, 403),
        ({"origin": "http://localhost:8000"}, 200),
        ({"origin": "http://localhost:9999"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_a_keyless_gateway_on_loopback_answers_its_own_machine_only(
    headers: dict[str, str], expected: int
) -> None:
    assert await status(LOCAL, content_type="application/json", **headers) == expected


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        ("application/json", 200), ("Application/JSON; charset=utf-8", 200), ("text/plain", 400),
        ("application/x-www-form-urlencoded", 400), ("text/plain; application/json", 400), ("", 400),
    ],
)  # fmt: skip
async def test_a_body_that_a_page_could_send_without_asking_is_refused(media: str, expected: int) -> None:
    assert await status(Browsers(), content_type=media) == expected
    assert await status(Browsers(), "GET", content_type=media) == 200


async def test_with_keys_any_name_is_served() -> None:
    for browsers in (Browsers(loopback=True), Browsers()):
        assert await status(browsers, host="api.example", origin="https://a.example", **JSON_HEADERS) == 200


JSON_HEADERS = {"content_type": "application/json"}


async def test_cors_is_for_the_listed_origins_only() -> None:
    browsers = Browsers(("https://app.example",), keyless=True, loopback=True)
    preflight = {"access_control_request_method": "POST", "access_control_request_headers": "content-type"}
    assert await status(browsers, "OPTIONS", origin="https://app.example", **preflight) == 200
    assert await status(browsers, "OPTIONS", origin="https://evil.example", **preflight) == 400
    answer = await asked(browsers, origin="https://app.example", **JSON_HEADERS)
    assert answer.status_code == 200
    assert answer.headers["access-control-expose-headers"] == "*", "a page may read lane, mode and epsilon"
    assert "access-control-allow-credentials" not in answer.headers, "with which a star would mean nothing"
    assert await status(browsers, origin="https://evil.example", **JSON_HEADERS) == 403


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "app.localhost"])
def test_loopback_by_its_text(name: str) -> None:
    assert is_loopback(name)
    assert not is_loopback(f"{name}.example")
