"""The engine's HTTP face: a frame in, server-sent events out. Knows nothing about how a backend runs the model.

Its log lines hold counts and times, never content: no rows, ids, salts or addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from cmif.errors import (
    CmifError,
    EngineBusyError,
    EngineError,
    FrameTooLargeError,
    InputError,
    RowsRefusedError,
    UnknownRowsError,
    WireError,
)
from cmif.listen import bind, run
from cmif.wire.events import CONTENT_TYPE as EVENTS_TYPE
from cmif.wire.events import DoneEvent, ErrorEvent, encode_event
from cmif.wire.frame import CODECS, CONTENT_TYPE, Limits
from cmif.wire.session import CAPACITY, Received, SessionStore
from cmif_server.engine.attested import EngineTee
from cmif_server.engine.engine import Engine, EventStream
from cmif_server.engine.validate import validate
from cmif_server.engine.variants import generate

log = logging.getLogger("cmif.engine")

_UPLOAD_S = 60.0  # a frame that takes longer to arrive is given up
_UPLOADING = 512 << 20  # bytes of frames that may be arriving at once, over all clients


def limits_of(engine: Engine) -> Limits:
    """What a frame for ``engine`` may weigh: its context in dense bf16 rows, and never more than 256 MiB."""
    info = engine.info
    return Limits(info.hidden, info.context, min(info.context * (2 * info.hidden + 8) + (1 << 16), 256 << 20))


def make_app(
    engine: Engine, *, sessions: SessionStore | None = None, tee: EngineTee | None = None
) -> Starlette:
    """`POST /v1/generate`, `GET /v1/engine` and `GET /healthz` over ``engine``, which is closed with the app; in a TEE
    also `GET /attestation`."""
    front = _Front(engine, SessionStore() if sessions is None else sessions)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await engine.close()

    routes = [
        Route("/v1/generate", front.generate, methods=["POST"]),
        Route("/v1/engine", front.describe, methods=["GET"]),
        Route("/healthz", front.health, methods=["GET"]),
        *([tee.route(engine.info.model)] if tee else []),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


class _Front:
    def __init__(self, engine: Engine, sessions: SessionStore) -> None:
        self._engine, self._sessions = engine, sessions
        self._limits = limits_of(engine)
        self._uploading = 0

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def describe(self, _: Request) -> Response:
        info = self._engine.info
        return JSONResponse(
            {
                "model": info.model,
                "hidden": info.hidden,
                "context": info.context,
                "vocab": info.vocab,
                "max_norm": info.max_norm,
                "schemas": info.schemas,
                "codecs": CODECS,
                "session_rows": CAPACITY,
                "max_bytes": self._limits.max_bytes,
            }
        )

    async def generate(self, request: Request) -> Response:
        started = time.monotonic()
        try:
            if request.headers.get("content-type", "").partition(";")[0].strip() != CONTENT_TYPE:
                raise WireError(f"The content type must be {CONTENT_TYPE}.")
            data = await self._read(request)
            received, held = await asyncio.to_thread(self._receive, data)
            stream = generate(self._engine, received.frame, held)
            try:
                self._sessions.accept(received)
            except UnknownRowsError:
                await stream.aclose()
                raise
        except ClientDisconnect:
            return Response(status_code=499)  # nobody is there to read it
        except CmifError as error:
            return _refusal(error)
        return _EventResponse(stream, started)

    def _receive(self, data: bytes) -> tuple[Received, Any]:
        received = self._sessions.receive(data, self._limits)
        validate(received.frame, self._engine.info)
        schema = received.frame.sampling.schema
        return received, self._engine.hold(schema) if schema else None

    async def _read(self, request: Request) -> bytes:
        """The body, refused as soon as it is known to be too large."""
        limit = self._limits.max_bytes
        declared = request.headers.get("content-length", "0")
        if not declared.isdigit() or len(declared) > 18 or int(declared) > limit:
            raise FrameTooLargeError(f"The frame is larger than {limit} bytes.")
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_UPLOAD_S):
                async for chunk in request.stream():
                    size += len(chunk)
                    self._uploading += len(chunk)
                    if size > limit:
                        raise FrameTooLargeError(f"The frame is larger than {limit} bytes.")
                    if self._uploading > _UPLOADING:
                        raise EngineBusyError("Too many frames are arriving at once.")
                    chunks.append(chunk)
        except TimeoutError:
            raise WireError("The frame took too long to arrive.") from None
        finally:
            self._uploading -= size
        return b"".join(chunks)


class _EventResponse(Response):
    """Streams events while watching the connection: a client that goes away stops its request."""

    def __init__(self, stream: EventStream, started: float) -> None:
        super().__init__(media_type=EVENTS_TYPE, headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._stream, self._started = stream, started

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone):
                task.cancel()
            outcomes = await asyncio.gather(sending, gone, return_exceptions=True)
            await self._stream.aclose()  # a generator that is still being read cannot be closed
            for outcome in outcomes:
                if isinstance(outcome, Exception):
                    log.error("a stream broke: %s", type(outcome).__name__)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        last: DoneEvent | ErrorEvent = ErrorEvent(EngineError.code, "The engine ended the stream early.")
        waits: DoneEvent | None = None
        try:
            async for event in self._stream:
                if waits is not None:  # of a variant: others go on
                    await send({"type": "http.response.body", "body": encode_event(waits), "more_body": True})
                waits = event if isinstance(event, DoneEvent) else None
                if waits is None:
                    await send({"type": "http.response.body", "body": encode_event(event), "more_body": True})
            last = waits or last
        except CmifError as error:
            last = ErrorEvent(error.code, error.message)
        # The last event and the end of the body in one write: a client that stops reading at the event finds the
        # body complete, and its connection fit for the next request.
        await send({"type": "http.response.body", "body": encode_event(last), "more_body": False})
        if isinstance(last, ErrorEvent):
            log.warning("a request failed: %s", last.code)
            return
        elapsed = (time.monotonic() - self._started) * 1e3
        log.info(
            "generated %d tokens from %d in %.0f ms", last.completion_tokens, last.prompt_tokens, elapsed
        )


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _refusal(error: CmifError) -> Response:
    """400 for what the client sent, 409 to send a session again, 413 too large, 429 full, 503 else."""
    headers = {}
    match error:
        case FrameTooLargeError():
            status = 413
        case UnknownRowsError():
            status = 409
        case WireError() | InputError() | RowsRefusedError():
            status = 400
        case EngineBusyError():
            status = 429
            headers["retry-after"] = str(error.retry_after_s)
        case _:
            status = 503
    log.info("refused a request: %s", error.code)
    return JSONResponse({"error": {"code": error.code, "message": str(error)}}, status, headers)


def serve_engine(
    load: Callable[[], Engine],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    tee: EngineTee | None = None,
) -> None:
    """Serve what ``load`` makes until SIGINT or SIGTERM. Port 0 takes a free one.

    Prints one JSON line when it accepts requests: ``{"ready": true, "url": ..., "model": ...}``. Raises
    :class:`InputError` when the address is taken, before anything is loaded.
    """
    with bind(host, port) as bound:
        engine = load()
        told = {"model": engine.info.model, **(tee.told() if tee else {})}
        run(make_app(engine, tee=tee), bound, told, tls=tls, timeout_graceful_shutdown=5, timeout_keep_alive=75)


def serve(
    body: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    device: str | None = None,
    max_batch: int = 16,
    tls: ssl.SSLContext | None = None,
    tee: EngineTee | None = None,
) -> None:
    """`cmif serve`: verify ``body``, load it into the transformers engine, serve it. ``device`` None: a GPU if any.

    As :func:`serve_engine`; raises :class:`BundleError` or :class:`ArchitectureError` before anything listens.
    """
    import torch

    from cmif_server.engine.transformers import TransformersEngine

    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    serve_engine(
        lambda: TransformersEngine.load(body, device=chosen, max_batch=max_batch),
        host=host,
        port=port,
        tls=tls,
        tee=tee,
    )
