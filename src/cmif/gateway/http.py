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
    CoverError,
    CrossSiteError,
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    GrantLimitError,
    InputError,
    LaneError,
    LedgerError,
    NotFoundError,
    NotReadyError,
    OverloadedError,
    PrivacyError,
    RequestTooLargeError,
    SlowUploadError,
    UnauthorisedError,
)
from cmif.gateway.api.errors import error_body
from cmif.gateway.limits import MAX_BODY, UPLOAD_S, UPLOADING
from cmif.gateway.logs import current

_THREAD = (
    1 << 16
)  # a body of this size takes a millisecond to parse: from here on it is done beside the event loop


_DISCARDED = 4 * MAX_BODY


class Uploads:
    """Bodies that are arriving, each within :data:`UPLOAD_S` and all of them within :data:`UPLOADING` bytes."""

    def __init__(self) -> None:
        self._bytes = 0

    async def json(self, request: Request) -> Any:
        """The body as JSON. Raises :class:`RequestTooLargeError`, :class:`SlowUploadError`,
        :class:`OverloadedError`, or :class:`InputError` for what is not JSON.
        """
        data = await self._read(request)
        try:
            return await asyncio.to_thread(json.loads, data) if len(data) > _THREAD else json.loads(data)
        except (ValueError, RecursionError):
            raise InputError("The request body is not JSON.") from None

    async def _read(self, request: Request) -> bytes:
        chunks: list[bytes] = []
        size = held = 0
        try:
            async with asyncio.timeout(UPLOAD_S):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > MAX_BODY:
                        # What a client still sends is thrown away for a while: one that is cut off mid-sentence sees
                        # a broken connection instead of the refusal.
                        chunks.clear()
                        self._bytes, held = self._bytes - held, 0
                        if size > _DISCARDED:
                            break
                        continue
                    held += len(chunk)
                    self._bytes += len(chunk)
                    if self._bytes > UPLOADING:
                        raise OverloadedError("Too many requests are arriving at once.", hint="Try again.")
                    chunks.append(chunk)
        except TimeoutError:
            raise SlowUploadError(f"The request body did not arrive within {UPLOAD_S:g} s.") from None
        finally:
            self._bytes -= held
        if size > MAX_BODY:
            raise RequestTooLargeError(f"The request body is larger than {MAX_BODY} bytes.")
        return b"".join(chunks)


_UPLOADS = Uploads()


async def json_body(request: Request) -> Any:
    """As :meth:`Uploads.json`, over all requests of this process."""
    return await _UPLOADS.json(request)


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
    """The error in the API's form, and its code in what is noted of the request."""
    current().error = error.code
    headers = {}
    match error:
        case UnauthorisedError():
            status = 401
        case RequestTooLargeError():
            status = 413
        case SlowUploadError():
            status, headers = 408, {"connection": "close"}
        case CrossSiteError():
            status, headers = 403, {"x-should-retry": "false"}
        case NotFoundError():
            status = 404
        case InputError():
            status = 400
        case BudgetExhaustedError() | CoverError() | LaneError():
            status, headers = 403, {"x-should-retry": "false"}
        case NotReadyError() | LedgerError():
            status, headers = 503, {"retry-after": "5"}
        case PrivacyError():
            status, headers = 500, {"x-should-retry": "false"}
        case OverloadedError():
            status, headers = 503, {"retry-after": "1"}
        case GrantLimitError():
            status, headers = 429, {"retry-after": "60"}
        case EngineBusyError():
            status, headers = 429, {"retry-after": str(error.retry_after_s)}
        case EngineUnavailableError():
            status, headers = 502, {"retry-after": "5"}
        case EngineError():
            status = 502
        case _:
            status = 500
    return JSONResponse(error_body(error), status_code=status, headers=headers)
