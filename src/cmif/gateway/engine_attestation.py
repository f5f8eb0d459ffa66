"""The attested engine: nothing is sent to it but over TLS that ends in a TEE which a policy accepted, not long ago.

The statement is the one that a gateway gives of itself (`attest/prove/route.py`), asked for with a fresh nonce before
the first frame, again at half its :data:`LIFETIME_S`, and at once when the engine shows another TLS key. While none
holds the lane is closed: no request is prepared, and no connection is made on which one could be sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain, repeat
from pathlib import Path

import aiohttp

from cmif.attest.evidence import TeeKind
from cmif.attest.messages import NONCE_BYTES
from cmif.attest.prove.exchange import since_boot
from cmif.attest.simulated import LABEL
from cmif.attest.spki import checked_context, pinned_context, spki_sha256
from cmif.attest.verify.appraise import Roots
from cmif.attest.verify.policy import AppraisalPolicy
from cmif.attest.verify.statement import require_statement
from cmif.errors import AttestationError, InputError, NotReadyError
from cmif.gateway.outgoing import base_url, open_session

log = logging.getLogger("cmif.gateway.engine_attestation")

LIFETIME_S = 600.0
"""How long a statement holds, from before it was asked for. What it says of a key stays true for as long as the TEE
keeps its secrets; asking again is how a revoked platform, a replaced image or a policy's new floor is noticed."""
_RENEW_AT = 0.5
_RETRY_S = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
_ASK_S = 30.0
_MAX_STATEMENT_BYTES = 1 << 20
_NOT_YET = "attestation: the engine has not been asked yet"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A statement that holds: the TLS key (SHA-256, hex) it is about, in which kind of TEE with which measurement,
    until when on the clock since boot; ``tls`` is a context whose handshake only that key can finish."""

    spki: str
    kind: TeeKind
    measurement: str
    until: float
    tls: ssl.SSLContext


class EngineAttestation:
    """Of the engine at ``url`` (https), which serves the split ``model``, judged by ``policy``.

    ``client`` are certificate and key (PEM) for an engine that asks its clients for one. ``pins``, where there are any,
    are the TLS keys (SHA-256, hex) among which the engine's must be as well; they are read anew whenever something is
    sent. ``now`` is the time by which certificates are judged. Raises :class:`InputError`.
    """

    def __init__(
        self,
        url: str,
        model: str,
        policy: AppraisalPolicy,
        *,
        allow_simulated: bool = False,
        client: tuple[Path, Path] | None = None,
        roots: Roots | None = None,
        lifetime_s: float | None = None,
        clock: Callable[[], float] = since_boot,
        pins: Collection[str] = (),
        now: Callable[[], datetime] = partial(datetime.now, UTC),
    ) -> None:
        parts = base_url(url)
        if parts is None or parts.scheme != "https":
            raise InputError("An attested engine is reached by https: its evidence binds its TLS key.")
        self._url = url.rstrip("/")
        self._model = model
        self._policy = policy
        self._allow_simulated = allow_simulated
        self._client = client
        self._roots = roots
        self._lifetime_s = LIFETIME_S if lifetime_s is None else lifetime_s
        self._clock = clock
        self._pins = pins
        self._now = now
        self._accepted: Accepted | None = None
        self._reason = _NOT_YET
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to ask; what comes of it is in :meth:`reasons`."""
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    def reasons(self) -> tuple[str, ...]:
        """Why nothing may be sent now; none while a statement holds."""
        accepted = self._accepted
        if accepted is None:
            return (self._reason,)
        if self._clock() >= accepted.until:  # a suspended machine's timers are late
            self._wake.set()
            return (f"attestation: the engine's statement is older than {self._lifetime_s:g} s",)
        if self._pins and accepted.spki not in self._pins:
            return ("engine_spki: the attested engine's TLS key is not one that the provider's grant names",)
        return ()

    def require(self) -> Accepted:
        """The statement that holds now. Raises :class:`NotReadyError`."""
        reasons = self.reasons()
        if reasons or self._accepted is None:
            raise NotReadyError("The engine's attestation does not hold: nothing was sent.", hint="; ".join(reasons))
        return self._accepted

    def doubt(self, accepted: Accepted) -> None:
        """The engine at this address showed another key than the one that ``accepted`` is about: close, and ask."""
        if self._accepted is accepted:
            self._close("tls_spki: the engine showed another TLS key than the attested one")
            self._wake.set()

    @property
    def label(self) -> str:
        """The kind of TEE for people to read, a simulated one as that; "" while nothing holds."""
        if self.reasons() or self._accepted is None:
            return ""
        kind = self._accepted.kind
        return LABEL if kind is TeeKind.SIMULATED else str(kind)

    async def ask(self) -> Accepted:
        """One question with a fresh nonce. Raises :class:`AttestationError` with the check that failed."""
        asked, nonce = self._clock(), os.urandom(NONCE_BYTES)
        told, spki = await self._fetch(nonce)
        claims, subject = await asyncio.to_thread(
            require_statement,
            told,
            nonce,
            self._policy,
            self._now(),
            tls_spki=spki,
            allow_simulated=self._allow_simulated,
            roots=self._roots,
        )
        if subject.bundle != self._model:
            raise AttestationError(
                "The engine states that it serves another split.",
                check="bundle",
                expected=self._model,
                seen=subject.bundle,
            )
        until = asked + self._lifetime_s
        return Accepted(spki, claims.kind, claims.measurement, until, self._with_client(pinned_context((spki,))))

    async def _keep(self) -> None:
        """Ask until cancelled: early enough before a statement is too old, and soon where none holds."""
        pauses = chain(_RETRY_S, repeat(_RETRY_S[-1]))
        while True:
            self._wake.clear()
            try:
                self._accept(await self.ask())
                pauses = chain(_RETRY_S, repeat(_RETRY_S[-1]))
                pause = self._lifetime_s * _RENEW_AT
            except AttestationError as refusal:
                self._refused(refusal)
                pause = next(pauses)
            except Exception as error:  # an end of this task must not leave an old statement in force
                self._close(f"internal: {type(error).__name__}")
                log.error("engine attestation: internal error %s", type(error).__name__)
                pause = next(pauses)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):  # wait_for of Python 3.11 can swallow the cancelling of close()
                    await self._wake.wait()

    def _accept(self, accepted: Accepted) -> None:
        before, self._accepted = self._accepted, accepted
        if before is None or before.spki != accepted.spki:
            log.info("engine attested: %s, key %s", accepted.kind, accepted.spki[:16])

    def _refused(self, refusal: AttestationError) -> None:
        """An engine that cannot be reached keeps the statement it gave, for as long as that holds."""
        log.warning("engine attestation: %s", json.dumps(refusal.record()))
        reason = f"{refusal.check}: {refusal.message}"
        if refusal.check == _AWAY and not self.reasons():
            return
        self._close(reason)

    def _close(self, reason: str) -> None:
        self._accepted, self._reason = None, reason

    async def _fetch(self, nonce: bytes) -> tuple[object, str]:
        """The statement, and the TLS key of the one connection it came over."""
        seen: list[str] = []

        def note(der: bytes | None) -> None:
            if der is None:
                raise ValueError
            seen.append(spki_sha256(der))

        try:
            async with asyncio.timeout(_ASK_S), open_session(self._with_client(checked_context(note))) as session:
                url = f"{self._url}/attestation?nonce={nonce.hex()}"
                async with session.get(url, allow_redirects=False) as answer:
                    status, data = answer.status, b""
                    while status == 200 and len(data) <= _MAX_STATEMENT_BYTES:
                        if not (more := await answer.content.readany()):
                            break
                        data += more
        except (TimeoutError, aiohttp.ClientError, OSError):
            raise AttestationError(
                "The engine does not answer.", check=_AWAY, expected="an answer", seen=None
            ) from None
        if status != 200 or len(seen) != 1 or len(data) > _MAX_STATEMENT_BYTES:
            raise AttestationError("The engine gives no statement.", check="statement", expected=200, seen=status)
        try:
            return json.loads(data), seen[0]
        except (ValueError, RecursionError):
            return None, seen[0]

    def _with_client(self, context: ssl.SSLContext) -> ssl.SSLContext:
        if self._client is not None:
            try:
                context.load_cert_chain(*self._client)
            except (OSError, ssl.SSLError):
                raise InputError("--engine-certificate and --engine-key do not go together (PEM).") from None
        return context


_AWAY = "engine"


def parse_policy(data: bytes) -> AppraisalPolicy:
    """The appraisal policy in a file's bytes. Raises :class:`InputError`."""
    try:
        return AppraisalPolicy.parse(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise InputError("--engine-policy is not a readable TOML file.") from None
