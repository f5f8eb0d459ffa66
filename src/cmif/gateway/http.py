"""What every route does the same way: read a bounded body, notice a client that left, answer an error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from cmif.errors import (
    BudgetExhaustedError,
    CmifError,
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    InputError,
    LedgerError,
    PrivacyError,
    RequestTooLargeError,
    UnauthorisedError,
)
from cmif.gateway.openai import error_body

MAX_BODY = 8 << 20


async def json_body(request: Request) -> Any:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise RequestTooLargeError(f"The request body is larger than {MAX_BODY} bytes.")
        chunks.append(chunk)
    try:
        return json.loads(b"".join(chunks))
    except (ValueError, RecursionError):
        raise InputError("The request body is not JSON.") from None


async def until_disconnect(request: Request, work: Coroutine[Any, Any, None]) -> None:
    """Run ``work``; if the client goes away first, cancel it, which closes the engine's stream."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        await task
    finally:
        for waiting in (task, gone):
            waiting.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def error_response(error: CmifError) -> JSONResponse:
    headers = {}
    match error:
        case UnauthorisedError():
            status = 401
        case RequestTooLargeError():
            status = 413
        case InputError():
            status = 400
        case BudgetExhaustedError():
            status, headers = 403, {"x-should-retry": "false"}
        case PrivacyError():
            status, headers = 500, {"x-should-retry": "false"}
        case LedgerError():
            status, headers = 503, {"retry-after": "5"}
        case EngineBusyError():
            status, headers = 429, {"retry-after": str(error.retry_after_s)}
        case EngineUnavailableError():
            status, headers = 502, {"retry-after": "5"}
        case EngineError():
            status = 502
        case _:
            status = 500
    return JSONResponse(error_body(error), status_code=status, headers=headers)
