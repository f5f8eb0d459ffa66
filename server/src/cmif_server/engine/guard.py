"""The middleware that makes a `vllm serve` a CMIF engine, and nothing else::

    vllm serve BODY --enable-prompt-embeds --skip-tokenizer-init --middleware cmif_server.engine.guard.Guard

`cmif serve BODY --backend vllm` runs that with all it needs (`vllm_serve.py`). Frames come in at `POST /v1/generate`
and are judged by `validate` before vLLM sees them. Every other way in is closed, so that no client's bytes reach
`torch.load`, no row goes unjudged and no prompt shares a cache that its salt did not name: of vLLM's own routes
only `GET /health` (also as `/healthz`) and `GET /metrics` answer.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cmif.errors import BundleError, CmifError, EngineUnavailableError, InputError
from cmif_server.engine.app import make_app
from cmif_server.engine.attested import EngineTee
from cmif_server.engine.body import Body, load_body
from cmif_server.engine.completions import CompletionsEngine
from cmif_server.engine.vllm_version import require_vllm

log = logging.getLogger("cmif.engine")

READY = "CMIF_VLLM_READY"
"""Where to say that the server answers: "pid fd url". For `vllm_serve.py`, which sets it."""

TEE = "CMIF_VLLM_TEE"
"""In a TEE: how its evidence is made and what it binds, as `vllm_serve.py` sets it."""

_OURS = ("/v1/generate", "/v1/engine", "/attestation")
_OPEN = {"/healthz": "/health", "/health": "/health", "/metrics": "/metrics"}


class Guard:
    """ASGI middleware. Keeps the server from starting on a configuration that would undo it; until then answers 503."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._engine: CompletionsEngine | None = None
        self._front: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "lifespan":
                await self._lifespan(scope, receive, send)
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in _OURS:
            error = EngineUnavailableError("The engine has not started.")
            await (self._front or _error(503, error))(scope, receive, send)
        elif scope["method"] == "GET" and path in _OPEN:
            inner = _OPEN[path]
            await self._app({**scope, "path": inner, "raw_path": inner.encode()}, receive, send)
        else:
            closed = InputError("This vLLM takes CMIF frames at POST /v1/generate, and nothing else.")
            await _error(403, closed)(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                # No exception may pass: uvicorn would take it that there is no lifespan, and serve.
                try:
                    await self._start(scope["app"])
                except CmifError as error:
                    message = _failed(str(error))
                except AttributeError:
                    message = _failed(
                        "This vLLM keeps its settings elsewhere than the versions that CMIF knows."
                    )
            elif message["type"] == "lifespan.shutdown.complete" and self._engine is not None:
                await self._engine.close()
            await send(message)

        await self._app(scope, receive, guarded)

    async def _start(self, server: Any) -> None:
        installed = require_vllm()
        state = server.state
        check_arguments(state.args)
        body = await asyncio.to_thread(load_body, Path(state.args.model))
        model, scheduler = state.vllm_config.model_config, state.vllm_config.scheduler_config
        check_model(body, model)
        info = replace(body.info, context=min(body.info.context, model.max_model_len))
        self._engine = CompletionsEngine(self._app, server, info, batch=scheduler.max_num_seqs)
        tee = EngineTee.parse(os.environ[TEE]) if TEE in os.environ else None
        self._front = make_app(self._engine, tee=tee)
        log.info("serving model %s on vLLM %s", info.model[:12], installed)
        self._announce = asyncio.create_task(announce({"model": info.model, **(tee.told() if tee else {})}))


def check_arguments(args: Any) -> None:
    """Raises :class:`InputError` where ``args``, those of `vllm serve`, undo what the guard promises."""
    if not args.enable_prompt_embeds:
        raise InputError("vLLM runs without --enable-prompt-embeds.")
    if args.api_key or os.environ.get("VLLM_API_KEY"):
        raise InputError(
            "vLLM's API key locks the guard out.",
            hint="Authenticate gateways by TLS: --ssl-ca-certs with --ssl-cert-reqs 2.",
        )
    if args.enable_log_requests or getattr(args, "enable_log_outputs", False):
        raise InputError("vLLM is told to log requests or outputs.", hint="They are users' content.")
    if getattr(args, "kv_transfer_config", None):
        raise InputError(
            "vLLM is told to share its cache with an outside store.",
            hint="Such a store may file prompts of embeddings under their length alone (vLLM issue #42119).",
        )


def check_model(body: Body, model: Any) -> None:
    """Raises :class:`BundleError` unless vLLM's ``model`` config has the body's sizes."""
    if (model.get_hidden_size(), model.get_vocab_size()) != (body.info.hidden, body.info.vocab):
        raise BundleError("The server body's sizes are not those of its config.json.")


async def announce(told: dict[str, str]) -> None:
    """Once the server accepts connections, the ready line of `cmif serve`, with ``told``, where :data:`READY` says."""
    pid, _, rest = os.environ.get(READY, "").partition(" ")
    if pid != str(os.getpid()):
        return  # nobody asked, or this is one of several API server processes
    number, _, url = rest.partition(" ")
    host, _, port = url.partition("://")[2].rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            break
        except OSError:
            await asyncio.sleep(0.02)
    writer.close()
    line = json.dumps({"ready": True, "url": url, **told})
    with os.fdopen(int(number), "w") as out:
        out.write(line + "\n")


def _failed(why: str) -> Message:
    return {"type": "lifespan.startup.failed", "message": f"cmif: {why}"}


def _error(status: int, error: CmifError) -> JSONResponse:
    return JSONResponse({"error": {"code": error.code, "message": str(error)}}, status)
