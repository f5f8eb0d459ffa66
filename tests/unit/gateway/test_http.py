from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request

from cmif.errors import InputError, OverloadedError, RequestTooLargeError, SlowUploadError
from cmif.gateway import http
from cmif.gateway.http import Uploads, error_response
from cmif.gateway.limits import MAX_BODY

Receive = Callable[[], Awaitable[dict[str, Any]]]


def arriving(*chunks: bytes, pause: float = 0.0, ends: bool = True) -> Request:
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        if not left and not ends:
            await asyncio.sleep(3600)
        return {
            "type": "http.request",
            "body": left.pop(0) if left else b"",
            "more_body": bool(left) or not ends,
        }

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


@pytest.mark.parametrize("trickle", [False, True], ids=["stops", "trickles"])
async def test_a_body_that_does_not_arrive_in_time_is_refused_and_its_room_given_back(
    monkeypatch: pytest.MonkeyPatch, trickle: bool
) -> None:
    monkeypatch.setattr(http, "UPLOAD_S", 0.3)
    uploads = Uploads()
    slow = arriving(*[b'"a', *[b"a"] * 200], pause=0.05) if trickle else arriving(b'"a', ends=False)
    with pytest.raises(SlowUploadError) as refused:
        await asyncio.wait_for(uploads.json(slow), 5)
    answer = error_response(refused.value)
    assert (answer.status_code, answer.headers["connection"]) == (408, "close")
    assert uploads._bytes == 0


async def test_a_body_in_time_is_read_whole_whatever_its_size() -> None:
    for size in (1, 1 << 17):
        body = json.dumps({"text": "x" * size}).encode()
        assert (await Uploads().json(arriving(body[:5], body[5:])))["text"] == "x" * size


async def test_a_body_beyond_the_bound_is_refused_and_not_kept() -> None:
    uploads = Uploads()
    chunk = bytes(1 << 20)
    with pytest.raises(RequestTooLargeError):
        await uploads.json(arriving(*[chunk] * (MAX_BODY // len(chunk) + 3)))
    assert uploads._bytes == 0


async def test_all_bodies_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "UPLOADING", 1000)
    uploads = Uploads()
    first = asyncio.create_task(uploads.json(arriving(b"x" * 900, ends=False)))
    await asyncio.sleep(0.05)
    with pytest.raises(OverloadedError):
        await uploads.json(arriving(b"x" * 900))
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert await uploads.json(arriving(b"5" * 900)) == int("5" * 900)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"nul"])
async def test_what_is_no_json_is_said_so(body: bytes) -> None:
    with pytest.raises(InputError, match="not JSON"):
        await Uploads().json(arriving(body))
