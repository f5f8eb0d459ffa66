"""`cmif release`: give a bundle's content key to enclaves that prove what they are, and to nothing else.

Every decision is on record before it takes effect. A nonce is consumed before anything of the request is looked at, so
no failure gives a second try. One process serves one record: open challenges live in memory and die with it.
"""

from __future__ import annotations

import hmac
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cmif.attest.hpke import seal_to
from cmif.attest.messages import (
    NONCE_BYTES,
    Challenge,
    Grant,
    Request,
    encode,
    report_data,
    sign,
    transcript,
)
from cmif.attest.verify.appraise import Roots, require
from cmif.attest.verify.claims import Claims
from cmif.attest.verify.policy import AppraisalPolicy
from cmif.errors import AttestationError, InputError
from cmif_server.provider.record import Record
from cmif_server.provider.seal import write_secret

MAX_OPEN_CHALLENGES = 4096


@dataclass(frozen=True, slots=True)
class Offer:
    """One bundle's content key and the terms it is released under; ``terms.issued`` is set at each release."""

    key: bytes
    terms: Grant


@dataclass(frozen=True, slots=True)
class Rules:
    """Who gets a key: the appraisal policy, and whether the command line names the simulated TEE."""

    policy: AppraisalPolicy
    allow_simulated: bool = False
    challenge_ttl_s: int = 60
    roots: Roots | None = None


class DenyList:
    """Revoked identities, one a line (a measurement, another pinned value, a platform); ``#`` begins a comment.

    Read again for every decision, so that a revocation needs no restart. Unreadable means nothing is released.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def require_absent(self, claims: Claims) -> None:
        """Raises :class:`AttestationError` (check ``revoked``) if anything of ``claims`` is listed."""
        if self._path is None:
            return
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except (OSError, ValueError):
            raise AttestationError(
                "The deny-list is not readable, so nothing is released.",
                check="revoked",
                expected="a deny-list",
                seen=None,
            ) from None
        denied = {line.split("#")[0].strip().lower() for line in lines} - {""}
        for name, value in {
            "measurement": claims.measurement,
            "platform": claims.platform,
            **claims.pins,
        }.items():
            if value.lower() in denied:
                raise AttestationError(
                    f"The {name.replace('_', ' ')} is revoked.",
                    check="revoked",
                    expected="not on the deny-list",
                    seen=value,
                )


class Releaser:
    """The provider's side of the exchange in `attest/messages.py`. Safe to call from several threads."""

    def __init__(
        self,
        signing_key: Ed25519PrivateKey,
        offers: Mapping[str, Offer],
        rules: Rules,
        record: Record,
        deny: DenyList,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.public = signing_key.public_key().public_bytes_raw()
        self._signing_key = signing_key
        self._offers = offers
        self._rules = rules
        self._record = record
        self._deny = deny
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[bytes, tuple[bytes, float]] = {}

    def challenge(self, bundle: str) -> bytes:
        """A fresh signed challenge. Raises :class:`AttestationError` for an unknown bundle or too many open ones."""
        offer = self._offers.get(bundle)
        if offer is None:
            self._refuse(
                "bundle", "The provider does not offer that bundle.", sorted(self._offers), bundle, {}
            )
        now = int(self._clock())
        challenge = Challenge(
            os.urandom(NONCE_BYTES),
            bundle,
            offer.terms.epoch,
            now,
            now + self._rules.challenge_ttl_s,
            self.public,
        )
        body = challenge.encode()
        with self._lock:
            self._open = {nonce: kept for nonce, kept in self._open.items() if kept[1] >= now}
            full = len(self._open) >= MAX_OPEN_CHALLENGES
            if not full:
                self._open[challenge.nonce] = (body, challenge.expires)
        if full:
            self._refuse(
                "busy",
                "Too many challenges are open.",
                MAX_OPEN_CHALLENGES,
                MAX_OPEN_CHALLENGES,
                {"bundle": bundle},
            )
        return sign(self._signing_key, "challenge", body)

    def release(self, message: bytes) -> bytes:
        """The signed grant for a request. Raises :class:`AttestationError`, on record, for every request it refuses."""
        request: Request | None = None
        try:
            request = Request.parse(message)
            claims, offer = self._decide(request)
        except AttestationError as refusal:
            self._record.append("refused", {**_about(request), "reason": refusal.record()})
            raise
        grant = replace(offer.terms, issued=int(self._clock()))
        info = transcript(request.challenge, request.public, request.evidence.data)
        try:
            sealed = seal_to(
                request.public, encode({"v": 1, "key": offer.key, "grant": grant.encode()}), info
            )
        except ValueError:
            self._refuse(
                "hpke_key",
                "The enclave's HPKE key is malformed.",
                "an MLKEM768-X25519 key",
                None,
                _about(request),
            )
        self._record.append("granted", {**_about(request), **_seen(claims), "grant": grant.encode()})
        return sign(self._signing_key, "grant", sealed, info)

    def _decide(self, request: Request) -> tuple[Claims, Offer]:
        challenge = Challenge.parse(request.challenge)
        with self._lock:
            kept, until = self._open.pop(challenge.nonce, (b"", 0.0))
        if not hmac.compare_digest(kept, request.challenge):
            raise AttestationError(
                "The challenge is unknown or already used.",
                check="replay",
                expected="an open challenge",
                seen=challenge.nonce.hex(),
            )
        now = self._clock()
        if now > until:
            raise AttestationError("The request came too late.", check="late", expected=until, seen=int(now))
        if request.bundle != challenge.bundle:
            raise AttestationError(
                "The request is for another bundle than its challenge.",
                check="bundle",
                expected=challenge.bundle,
                seen=request.bundle,
            )
        self._require_config(request.config.hex())
        claims = require(
            request.evidence,
            self._rules.policy,
            datetime.fromtimestamp(now, UTC),
            report_data=report_data(request.challenge, request.public, request.config),
            allow_simulated=self._rules.allow_simulated,
            roots=self._rules.roots,
        )
        self._deny.require_absent(claims)
        return claims, self._offers[challenge.bundle]

    def _require_config(self, digest: str) -> None:
        allowed = self._rules.policy.config_digests
        if digest not in allowed:
            raise AttestationError(
                "The policy does not list this configuration.",
                check="config_digest",
                expected=sorted(allowed),
                seen=digest,
                hint="`cmif attest config-digest` shows what a gateway's settings give.",
            )

    def _refuse(
        self, check: str, message: str, expected: Any, seen: Any, details: Mapping[str, Any]
    ) -> NoReturn:
        refusal = AttestationError(message, check=check, expected=expected, seen=seen)
        self._record.append("refused", {**details, "reason": refusal.record()})
        raise refusal


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The provider's Ed25519 key in ``path`` (32 bytes in hexadecimal), made there if the file is missing.

    The public key is written beside it, with the suffix ``.pub``: that is what a gateway's image carries. Raises
    :class:`InputError`, which never quotes the file.
    """
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        write_secret(path, key.private_bytes_raw().hex().encode() + b"\n")
        public = path.with_name(path.name + ".pub")
        public.write_text(key.public_key().public_bytes_raw().hex() + "\n", "ascii")
        return key
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text("ascii").strip()))
    except (OSError, ValueError):
        raise InputError("The signing key file does not hold an Ed25519 key in hexadecimal.") from None


def _about(request: Request | None) -> dict[str, Any]:
    if request is None:
        return {}
    return {"bundle": request.bundle, "tee": str(request.evidence.kind), "config": request.config.hex()}


def _seen(claims: Claims) -> dict[str, Any]:
    return {"measurement": claims.measurement, "platform": claims.platform, "tcb_status": claims.tcb_status}
