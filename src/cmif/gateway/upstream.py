"""The gateway's one client of the engine: a binary frame up, server-sent events down, over a kept connection.

The engine is hostile until proven otherwise, which never happens: nothing it says is followed, unpacked, waited for or
kept beyond :mod:`cmif.gateway.limits`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import ssl
from collections import OrderedDict
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from cmif.enclave.pipeline import Prepared
from cmif.errors import (
    BundleError,
    CmifError,
    EngineBusyError,
    EngineError,
    EngineUnavailableError,
    InputError,
    SchemaError,
    WireError,
)
from cmif.gateway.api.request import Request
from cmif.gateway.checked import checked, safe_code
from cmif.gateway.covered import kept
from cmif.gateway.limits import DESCRIBE_S, MAX_TOLD, SILENCE_S
from cmif.gateway.logs import current
from cmif.gateway.metrics import Metrics
from cmif.gateway.outgoing import base_url, counted, open_session
from cmif.types import Sampling
from cmif.wire.events import DoneEvent, TokenEvent
from cmif.wire.frame import CODECS, CONTENT_TYPE, Frame
from cmif.wire.session import SessionEncoder

log = logging.getLogger("cmif.gateway.upstream")

_CONVERSATIONS = 1024
_UPLOAD_BYTES_S = 1 << 17  # an engine that takes a frame slower than this is given up
_RETRY_AFTER_S = 3600
_BESIDE = 1 << 18
"""Bytes of rows from which on hashing and packing them takes over a millisecond, and is done beside the event loop."""


class Sessions:
    """A row dictionary a conversation, the most recently used ones. One request of a conversation uses it at a time;
    a second one at the same moment sends its rows in a session of its own."""

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self._idle: OrderedDict[bytes, SessionEncoder] = OrderedDict()

    @contextmanager
    def borrow(self, before: bytes | None, turn: bytes) -> Generator[SessionEncoder, None, None]:
        """The session that the turn ``before`` left, from now on that of ``turn``."""
        known = None if before is None else self._idle.pop(before, None)
        session = known or SessionEncoder(self._codec)
        try:
            yield session
        finally:
            self._idle[turn] = session
            while len(self._idle) > _CONVERSATIONS:
                self._idle.popitem(last=False)


class Pinned(Protocol):
    """What an attested engine's frames go over: TLS that ends where its evidence says."""

    @property
    def tls(self) -> ssl.SSLContext: ...


class Attestation(Protocol):
    """Whether frames may be sent, and over what: :class:`~cmif.gateway.engine_attestation.EngineAttestation`."""

    @property
    def label(self) -> str: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...
    def reasons(self) -> tuple[str, ...]: ...
    def require(self) -> Pinned:
        """Raises :class:`NotReadyError`."""
        ...

    def doubt(self, accepted: Any) -> None:
        """The engine did not finish a handshake of ``accepted``."""
        ...


class Upstream:
    """One engine. Open it inside a running event loop and close it there.

    ``model`` and ``vocab`` are the bundle's: the digest that both halves share, and the number of token ids. With an
    ``attestation`` a frame goes only over a connection that was made under the statement which holds as it is sent.
    """

    def __init__(
        self,
        url: str,
        model: str,
        vocab: int,
        codec: str = "bf16+zstd",
        tls: ssl.SSLContext | None = None,
        metrics: Metrics | None = None,
        attestation: Attestation | None = None,
    ) -> None:
        self.lane = "engine" if attestation is None else "attested-engine"
        self._attestation = attestation
        if base_url(url) is None:
            raise InputError("The engine's URL must be http(s)://host:port.")
        if codec not in CODECS:
            raise InputError("--wire names an unknown codec.", hint=f"Known: {', '.join(CODECS)}.")
        self._url = url.rstrip("/")
        self._model = model
        self._vocab = vocab
        self._tls = tls
        self._http: aiohttp.ClientSession | None = None
        self._sessions = Sessions(codec)
        self._first_look: asyncio.Task[None] | None = None
        self.metrics = metrics or Metrics()

    covers = True
    """A request may be sent in variants."""

    async def open(self) -> None:
        """Connections are made when they are needed; a first look at the engine warns in the log if it does not fit."""
        self._http = open_session(self._tls)
        if self._attestation is not None:
            await self._attestation.open()
            return
        self._first_look = asyncio.create_task(self._look())

    async def close(self) -> None:
        if self._first_look is not None:
            self._first_look.cancel()
            await asyncio.gather(self._first_look, return_exceptions=True)
        if self._attestation is not None:
            await self._attestation.close()
        if self._http is not None:
            await self._http.close()

    @property
    def tee(self) -> str:
        """The kind of TEE that the engine has shown to be in, "" for none."""
        return self._attestation.label if self._attestation is not None else ""

    def reasons(self) -> tuple[str, ...]:
        """Why nothing may be sent to this engine now."""
        return self._attestation.reasons() if self._attestation is not None else ()

    async def describe(self) -> dict[str, int]:
        """The sizes that the engine says it has: those of its fields that are numbers, and what it can.

        Raises :class:`EngineUnavailableError`, :class:`BundleError` for an engine of another split.
        """
        try:
            async with asyncio.timeout(DESCRIBE_S), self._attested() as tls:
                answer = await self._client.get(f"{self._url}/v1/engine", allow_redirects=False, ssl=tls)
                try:
                    told = await _told(answer) if answer.status == 200 else {}
                finally:
                    answer.release()
        except (TimeoutError, aiohttp.ClientError, OSError):
            told = {}
        self.metrics.engine_up.set(bool(told))
        if not told:
            raise _unavailable()
        if told.get("model") != self._model:
            raise BundleError(
                "The engine serves another model than this bundle's.",
                hint="Serve the server half of the same split.",
            )
        return {name: value for name, value in told.items() if type(value) in (int, bool)}

    def answer(
        self, prepared: Prepared, _request: Request, sampling: Sampling
    ) -> AsyncGenerator[TokenEvent | DoneEvent, None]:
        """:meth:`generate` for one answer to a prepared request."""
        conversation = prepared.conversation
        variants = prepared.variants
        lengths = variants.lengths if variants else ()
        frame = Frame(self._model, prepared.rows, sampling, conversation.salt, lengths)
        answer = self.generate(frame, conversation.before, conversation.turn)
        return kept(answer, variants) if variants else answer

    async def generate(
        self, frame: Frame, before: bytes | None, turn: bytes
    ) -> AsyncGenerator[TokenEvent | DoneEvent, None]:
        """Token events and one final done event (of a frame with variants, one each). Closing the iterator closes the
        connection, which stops the engine.

        Never more tokens than ``frame`` asks for, none outside the vocabulary, no logprobs beyond those asked for.
        Rows that the engine has from the turns up to ``before`` are not sent again. Raises
        :class:`EngineUnavailableError`, :class:`EngineBusyError`, or :class:`EngineError` with its code.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        first, note = True, current()
        with self._sessions.borrow(before, turn) as session:
            try:
                async with self._post(frame, session) as answer:
                    events = checked(
                        counted(answer, self.metrics),
                        frame.sampling,
                        self._vocab,
                        frame.longest,
                        max(1, len(frame.lengths)),
                    )
                    async with aclosing(events):
                        async for event in events:
                            if isinstance(event, TokenEvent):
                                if first:
                                    self.metrics.first_token.observe(clock() - began)
                                    first = False
                                note.completion_tokens += len(event.ids)
                            yield event
            except (TimeoutError, aiohttp.ClientError, OSError):
                self.metrics.engine_up.set(0)
                raise _unavailable() from None
            except WireError:
                raise EngineError("The engine's answer does not follow the wire format.") from None

    @asynccontextmanager
    async def _post(
        self, frame: Frame, session: SessionEncoder
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """The engine's accepted answer. A session that the engine has lost is begun anew, once."""
        for again in (True, False):
            large = frame.rows.unique.nbytes > _BESIDE
            pending = await asyncio.to_thread(session.encode, frame) if large else session.encode(frame)
            self.metrics.bytes_up.inc(len(pending.data))
            accepted = False
            try:
                async with self._answer(pending.data) as answer:
                    if answer.status == 409 and again:
                        continue
                    if answer.status != 200:
                        raise await self._refusal(answer)
                    session.commit(pending)
                    accepted = True
                    self.metrics.engine_up.set(1)
                    yield answer
                    return
            finally:
                if not accepted:
                    session.reset()

    @asynccontextmanager
    async def _answer(self, frame: bytes) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """The head of the engine's answer, which must come in time; a body that was not read to its end is closed."""
        async with asyncio.timeout(SILENCE_S + len(frame) / _UPLOAD_BYTES_S), self._attested() as tls:
            answer = await self._client.post(
                f"{self._url}/v1/generate",
                data=frame,
                headers={"content-type": CONTENT_TYPE},
                allow_redirects=False,
                ssl=tls,
            )
        try:
            if answer.headers.get("content-encoding", "identity").lower() != "identity":
                raise EngineError("The engine's answer is compressed, which nobody asked for.")
            yield answer
        finally:
            answer.release()

    @asynccontextmanager
    async def _attested(self) -> AsyncGenerator[ssl.SSLContext | bool, None]:
        """What the next request goes over. Connections are kept by context, and every statement has its own, so that
        none is used under another statement than the one it was made under. Raises :class:`NotReadyError`.
        """
        if self._attestation is None:
            yield True  # as the session was told
            return
        accepted = self._attestation.require()
        try:
            yield accepted.tls
        except aiohttp.ClientConnectorCertificateError:
            self._attestation.doubt(accepted)
            self._attestation.require()
            raise

    async def _refusal(self, answer: aiohttp.ClientResponse) -> CmifError:
        code = str(answer.status)
        with suppress(TimeoutError, KeyError, TypeError):
            async with asyncio.timeout(DESCRIBE_S):
                code = safe_code(str((await _told(answer))["error"]["code"]))
        if answer.status == 429:
            after = answer.headers.get("retry-after", "1")
            seconds = int(after) if re.fullmatch("[0-9]{1,6}", after) else 1
            return EngineBusyError("The engine's queue is full.", retry_after_s=min(seconds, _RETRY_AFTER_S))
        if answer.status in (502, 503, 504):
            return _unavailable()
        if code == SchemaError.code:
            return SchemaError("The engine cannot hold an answer to this JSON Schema.")
        hint = ""
        if answer.status == 400:
            try:
                await self.describe()
            except BundleError as mismatch:
                hint = str(mismatch)
            except EngineUnavailableError:
                pass
        return EngineError(f"The engine refused the request with code {code!r}.", hint=hint)

    async def _look(self) -> None:
        try:
            await self.describe()
        except CmifError as error:
            log.warning("engine: %s", error)

    @property
    def _client(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("open() the upstream first")
        return self._http


def engine_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """TLS to an engine of a private authority, or one that asks for a client certificate (PEM files). None: the
    system's authorities and no certificate. Raises :class:`InputError` for files that are not that.
    """
    if ca is None and certificate is None and key is None:
        return None
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None or key is not None:
            if certificate is None or key is None:
                raise OSError
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError):
        raise InputError(
            "--engine-ca is not a certificate, or --engine-certificate and --engine-key do not go together (PEM)."
        ) from None
    return context


def _unavailable() -> EngineUnavailableError:
    return EngineUnavailableError(
        "The engine does not answer.", hint="What this request drew is remembered: retrying it costs nothing."
    )


async def _told(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """A small JSON object, or an empty one for anything else that the engine may have sent."""
    data = b""
    while chunk := await answer.content.readany():
        data += chunk
        if len(data) > MAX_TOLD:
            return {}
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
