"""An engine over the completions route of the vLLM server in this very process, called as ASGI, without a socket.

Rows go in as `prompt_embeds`: base64 of `torch.save` of a tensor that this module made from validated rows. vLLM
gives those bytes to `torch.load`; no byte of them but the elements' own bits comes from a client, and those lie in
the tensor's storage, which is copied, never interpreted.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
from typing import Any, NoReturn

from starlette.types import ASGIApp, Message

from cmif.errors import EngineBusyError, EngineError, SchemaError
from cmif.wire.events import DoneEvent, TokenEvent, TokenLogprobs
from cmif.wire.frame import Frame, IdsFrame
from cmif_server.engine.engine import EngineInfo
from cmif_server.engine.streams import Put, Streams, TaskStream
from cmif_server.engine.vllm_requests import Outputs, cache_salt, prompt_tensor

_PATH = "/v1/completions"
_MAX_CHUNK = 4 << 20


class CompletionsEngine:
    """:class:`~cmif_server.engine.engine.Engine` over ``app``, the ASGI application that has the route; ``server`` is
    the Starlette application around it; ``batch`` is how many requests vLLM runs at once."""

    def __init__(self, app: ASGIApp, server: Any, info: EngineInfo, *, batch: int) -> None:
        self.info = info
        self._app, self._server = app, server
        self._streams = Streams(batch)

    def hold(self, schema: str) -> NoReturn:
        """As :meth:`cmif_server.engine.engine.Engine.hold`: this one cannot."""
        raise SchemaError("This engine cannot hold an answer to a schema.")

    def generate(self, request: Frame | IdsFrame, held: None = None) -> TaskStream:
        """As :meth:`cmif_server.engine.engine.Engine.generate`."""
        gone = asyncio.Event()
        return self._streams.start(lambda put: self._call(request, gone, put), gone.set)

    async def close(self) -> None:
        """As :meth:`cmif_server.engine.engine.Engine.close`."""
        await self._streams.close()

    async def _call(self, request: Frame | IdsFrame, gone: asyncio.Event, put: Put) -> None:
        body = await asyncio.to_thread(request_body, request)
        if gone.is_set():
            return
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        reader = AnswerReader(request)

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] != 200:
                raise _refusal(message["status"])
            if message["type"] == "http.response.body":
                for event in reader.feed(message.get("body", b"")):
                    put(event)

        await self._app(self._scope(len(body)), receive, send)

    def _scope(self, size: int) -> dict[str, Any]:
        headers = [(b"content-type", b"application/json"), (b"content-length", str(size).encode())]
        # Of ASGI 2.3, because from 2.4 on Starlette learns of a lost client only when it next sends.
        return {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": "POST", "scheme": "http", "path": _PATH, "raw_path": _PATH.encode(), "query_string": b"",
            "root_path": "", "headers": headers, "client": None, "server": None, "app": self._server, "state": {},
        }  # fmt: skip


def _refusal(status: int) -> EngineError:
    if status in (429, 503):
        return EngineBusyError("vLLM's queue is full.")
    return EngineError(f"vLLM refused the request with status {status}.")


def request_body(request: Frame | IdsFrame) -> bytes:
    """vLLM's JSON for ``request``, every setting stated so that none of the server's defaults or of the model's
    generation config takes its place."""
    s = request.sampling
    body: dict[str, Any] = {
        "stream": True, "return_token_ids": True, "ignore_eos": True, "stop_token_ids": s.stop_ids,
        "max_tokens": s.max_tokens, "temperature": s.temperature, "top_p": s.top_p, "top_k": 0, "min_p": 0.0,
        "repetition_penalty": 1.0, "frequency_penalty": s.frequency_penalty,
        "presence_penalty": s.presence_penalty, "seed": s.seed, "cache_salt": cache_salt(request),
    }  # fmt: skip
    if s.logprobs:
        body |= {"logprobs": s.logprobs, "return_tokens_as_token_ids": True}
    if isinstance(request, IdsFrame):
        body["prompt"] = request.ids.tolist()
        return json.dumps(body).encode()
    # Appended by hand: base64 needs no escaping, and json would copy megabytes twice to find that out.
    return b'%s,"prompt_embeds":"%s"}' % (json.dumps(body)[:-1].encode(), _saved(request))


def _saved(request: Frame) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(prompt_tensor(request), buffer)
    return base64.b64encode(buffer.getbuffer())


class AnswerReader:
    """vLLM's server-sent chunks, as they arrive -> our events. A chunk is not a token: ids are what counts."""

    def __init__(self, request: Frame | IdsFrame) -> None:
        self._outputs, self._top = Outputs(request), request.sampling.logprobs
        self._pending = b""

    def feed(self, data: bytes) -> list[TokenEvent | DoneEvent]:
        """Events completed by ``data``. Raises :class:`EngineError` where vLLM failed or makes no sense."""
        *messages, self._pending = (self._pending + data).split(b"\n\n")
        if len(self._pending) > _MAX_CHUNK:
            raise EngineError("vLLM's answer makes no sense.")
        events: list[TokenEvent | DoneEvent] = []
        for message in messages:
            # What is not data keeps the connection alive; what is not JSON is the end mark.
            if message.startswith(b"data: {"):
                events += self._chunk(message[6:])
        return events

    def _chunk(self, data: bytes) -> list[TokenEvent | DoneEvent]:
        try:
            body = json.loads(data)
            if "error" in body:
                raise EngineError("vLLM failed on this request.")
            events: list[TokenEvent | DoneEvent] = []
            for choice in body["choices"]:
                logprobs = _logprobs(choice["logprobs"], self._top) if self._top else ()
                events += self._outputs.add(choice["token_ids"], logprobs, choice["finish_reason"])
            return events
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EngineError("vLLM's answer makes no sense.") from None


def _logprobs(given: dict[str, Any], top: int) -> tuple[TokenLogprobs, ...]:
    """vLLM lists the chosen token beside the ``top`` likeliest ones; ours are the likeliest, best first."""
    found = []
    for value, candidates in zip(given["token_logprobs"], given["top_logprobs"], strict=True):
        ranked = sorted(((_id(name), lp) for name, lp in candidates.items()), key=lambda pair: -pair[1])
        found.append(TokenLogprobs(value, tuple(ranked[:top])))
    return tuple(found)


def _id(name: str) -> int:
    return int(name.removeprefix("token_id:"))
