"""The gateway's client of a text API: sanitised TEXT up, text down, for an engine that takes no embeddings.

What leaves are the messages as the conversation wrote them for any engine; that embeddings of them would have hidden
nothing is why this lane is as private as the other (docs/threat-model.md). What it adds is an engine that may be
anybody's: it is bounded like ours, told nothing that it does not need, and follows no redirect. Stop strings, names
of users and conversations, and fields that no API defines never leave: they were not sanitised, or are nobody's.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from cmif.enclave.pipeline import Prepared
from cmif.enclave.tokenise import Tokeniser
from cmif.enclave.tool_calls import Call
from cmif.errors import (
    BundleError,
    CmifError,
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    InputError,
    UnsupportedContentError,
    WireError,
)
from cmif.gateway.api.request import Request
from cmif.gateway.limits import DESCRIBE_S, SILENCE_S, AnswerLimits
from cmif.gateway.logs import current
from cmif.gateway.metrics import Metrics
from cmif.gateway.outgoing import base_url, counted, open_session
from cmif.gateway.text_read import Calls, Lines, delta_of
from cmif.gateway.text_sent import body_of
from cmif.types import Sampling
from cmif.wire.events import DoneEvent

_MAX_MODELS = 1 << 22
_CHUNK_BYTES = 1024
"""What an API writes around a token's text in an event of its own: ids, timestamps, fingerprints."""


@dataclass(frozen=True, slots=True)
class TextEvent:
    """Text of an answer as the API wrote it, how many of the bundle's tokens that is, and whole calls beside it."""

    text: str
    tokens: int = 0
    calls: tuple[Call, ...] = ()


class TextApi:
    """One OpenAI-compatible API. Open it inside a running event loop and close it there.

    ``url`` ends where the API's routes begin, commonly ``/v1``; ``model`` is the API's own name for it; ``key`` is the
    gateway's, none of its users'. ``tokeniser`` counts, for no API has to.
    """

    lane, tee = "text-api", ""

    def __init__(
        self,
        url: str,
        model: str,
        tokeniser: Tokeniser,
        key: str = "",
        tls: ssl.SSLContext | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        parts = base_url(url)
        if parts is None or parts.query or parts.username:
            raise InputError(
                "The text API's URL must be http(s)://host[:port]/path, say https://api.example/v1."
            )
        self._url = url.rstrip("/")
        self._model = model
        self._tokeniser = tokeniser
        self._key = key
        self._tls = tls
        self._http: aiohttp.ClientSession | None = None
        self.metrics = metrics or Metrics()

    covers = False
    """Text goes one prompt at a time, and what an API does beside it is nobody's to see."""

    async def open(self) -> None:
        self._http = open_session(self._tls, {"authorization": f"Bearer {self._key}"} if self._key else None)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    def reasons(self) -> tuple[str, ...]:
        """Nothing is asked of an API before it is sent text."""
        return ()

    async def describe(self) -> dict[str, int]:
        """That the API answers and lists the model. An API says nothing of what it can: schemas are tried.

        Raises :class:`EngineUnavailableError`, :class:`BundleError` for an API that lists other models only.
        """
        names: set[str] = set()
        try:
            async with asyncio.timeout(DESCRIBE_S):
                answer = await self._client.get(f"{self._url}/models", allow_redirects=False)
                try:
                    if answer.status == 200:
                        listed = json.loads(await _whole(answer, _MAX_MODELS))
                        names = {str(model["id"]) for model in listed["data"]}
                finally:
                    answer.release()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        self.metrics.engine_up.set(bool(names))
        if not names:
            raise _unavailable()
        if self._model not in names:
            raise BundleError(
                "The text API does not list the model of --upstream-model.",
                hint="GET its /models says which there are.",
            )
        return {"schemas": 1}

    async def answer(
        self, prepared: Prepared, request: Request, sampling: Sampling
    ) -> AsyncGenerator[TextEvent | DoneEvent, None]:
        """Text events and one final done event. Closing the iterator closes the connection, which stops the API.

        Raises :class:`EngineUnavailableError`, :class:`EngineBusyError`, :class:`UnsupportedContentError` for
        logprobs, or :class:`EngineError`.
        """
        if sampling.logprobs:
            raise UnsupportedContentError(
                "A text API's logprobs are of its tokens, not of this model's.", hint="Leave out logprobs."
            )
        clock = asyncio.get_running_loop().time
        began, first, note = clock(), True, current()
        prompt_tokens, tokens = len(prepared.ids), 0
        try:
            async with (
                self._post(*body_of(self._model, prepared.request, request, sampling)) as reply,
                aclosing(self._events(reply, sampling)) as events,
            ):
                async for event in events:
                    if isinstance(event, DoneEvent):
                        yield DoneEvent(event.reason, prompt_tokens, tokens)
                        return
                    if first:
                        self.metrics.first_token.observe(clock() - began)
                        first = False
                    tokens += event.tokens
                    note.completion_tokens += event.tokens
                    yield event
        except (TimeoutError, aiohttp.ClientError, OSError):
            self.metrics.engine_up.set(0)
            raise _unavailable() from None
        except WireError:
            raise EngineError("The text API's answer is not a stream of chat completion chunks.") from None

    async def _events(
        self, reply: aiohttp.ClientResponse, sampling: Sampling
    ) -> AsyncGenerator[TextEvent | DoneEvent, None]:
        """As :func:`~cmif.gateway.checked.checked`: bounded in bytes and time, and cut where no model would go on."""
        limits = AnswerLimits.of(sampling)
        clock = asyncio.get_running_loop().time
        deadline, progress = clock() + limits.seconds, clock()
        allowed = limits.bytes + limits.tokens * _CHUNK_BYTES
        calls, reason, left = Calls(), "", limits.tokens * _CHARACTERS
        lines = Lines(counted(reply, self.metrics), allowed)
        while True:
            async with asyncio.timeout_at(min(deadline, progress + SILENCE_S)):
                chunk = await lines.next()
            if chunk is None:
                break
            text, reason = delta_of(chunk, calls, reason)
            if text:
                progress = clock()
                over, text = len(text) > left, text[:left]
                left -= len(text)
                yield TextEvent(text, self._count(text))
                if over:
                    reason = "length"
                    break
        if not reason:
            raise EngineError("The text API's answer was cut off.")
        if made := calls.whole():
            yield TextEvent("", sum(self._count(json.dumps(call.arguments)) for call in made), made)
        yield DoneEvent("length" if reason == "length" else "stop", 0, 0)

    def _count(self, text: str) -> int:
        return max(1, len(self._tokeniser.encode_text(text)) - len(self._tokeniser.encode_text("")))

    @asynccontextmanager
    async def _post(
        self, route: str, body: Mapping[str, Any]
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        data = json.dumps(body, ensure_ascii=False).encode()
        self.metrics.bytes_up.inc(len(data))
        async with asyncio.timeout(SILENCE_S):
            reply = await self._client.post(
                f"{self._url}/{route}",
                data=data,
                headers={"content-type": "application/json"},
                allow_redirects=False,
            )
        try:
            if reply.status != 200:
                raise _refusal(reply)
            self.metrics.engine_up.set(1)
            if reply.headers.get("content-encoding", "identity").lower() != "identity":
                raise EngineError("The text API's answer is compressed, which nobody asked for.")
            yield reply
        finally:
            reply.close()

    @property
    def _client(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("open() the text API first")
        return self._http


_CHARACTERS = 32
"""Of the text of one token, at most: an API counts tokens of its own, so that characters are what can be held to."""


def read_key(path: Path | None) -> str:
    """The API key in ``path``, a file, for arguments are everybody's to read. Raises :class:`InputError`."""
    if path is None:
        return ""
    try:
        key = path.read_text("ascii").strip()
    except (OSError, ValueError):
        key = ""
    if not re.fullmatch(r"[!-~]{1,4096}", key):
        raise InputError("--upstream-key is not a file that holds an API key and nothing else.")
    return key


def _refusal(reply: aiohttp.ClientResponse) -> CmifError:
    """By status alone: an API's message may quote what it was sent, and follows nobody's rules for messages."""
    if reply.status == 429:
        after = reply.headers.get("retry-after", "1")
        seconds = int(after) if re.fullmatch("[0-9]{1,6}", after) else 1
        return EngineBusyError("The text API takes no more requests now.", retry_after_s=min(seconds, 3600))
    if reply.status >= 500:
        return _unavailable()
    hint = "Is --upstream-key its key?" if reply.status in (401, 403) else ""
    return EngineError(f"The text API refused the request with status {reply.status}.", hint=hint)


def _unavailable() -> EngineUnavailableError:
    return EngineUnavailableError(
        "The text API does not answer.",
        hint="What this request drew is remembered: retrying it costs nothing.",
    )


async def _whole(answer: aiohttp.ClientResponse, most: int) -> bytes:
    data = b""
    while chunk := await answer.content.readany():
        data += chunk
        if len(data) > most:
            raise ValueError
    return data
