"""The three messages of a key release, in canonical CBOR (RFC 8949, section 4.2), and what binds them together.

1. ``challenge``: the provider's fresh nonce for one bundle and epoch, signed (Ed25519), valid for a minute.
2. ``request``: the challenge, the enclave's one-time HPKE key and the digest of its configuration, and evidence whose
   report data is ``SHA-512(CBOR[label, challenge, key, config])``.
3. ``grant``: content key and grant, HPKE-sealed to that key with the info ``SHA-512(CBOR[label, challenge, key,
   evidence])``, and signed.

TLS below is transport only: a relay learns nothing and can change nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cmif.attest.evidence import (
    MAX_CHAIN_CERTIFICATES,
    MAX_COLLATERAL_BYTES,
    MAX_EVIDENCE_BYTES,
    REPORT_DATA_BYTES,
    Evidence,
    TeeKind,
)
from cmif.attest.hpke import PUBLIC_BYTES
from cmif.errors import AttestationError

LABEL = "cmif-key-release/1"
NONCE_BYTES = 32
MAX_MESSAGE_BYTES = MAX_EVIDENCE_BYTES + MAX_COLLATERAL_BYTES + 64 * 1024
_CONFIG_BYTES = 48


def encode(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, what: str) -> Any:
    """Canonical CBOR only, so that one value has one encoding. Raises :class:`AttestationError` naming ``what``."""
    try:
        if len(data) > MAX_MESSAGE_BYTES:
            raise ValueError
        value = cbor2.loads(data)
        if encode(value) != data:
            raise ValueError
    except Exception:  # cbor2 raises many kinds on hostile input; each is a refusal
        raise malformed(what) from None
    return value


def malformed(what: str) -> AttestationError:
    return AttestationError(
        f"The {what} is malformed.", check="format", expected=f"a {what} in canonical CBOR", seen=None
    )


def config_digest(config: Mapping[str, Any]) -> bytes:
    """SHA-384 of a configuration: what an enclave was told to do, as evidence binds it."""
    return hashlib.sha384(encode(["cmif-config/1", dict(config)])).digest()


def report_data(challenge: bytes, public: bytes, config: bytes) -> bytes:
    """The 64 bytes that evidence must carry: they bind this challenge, this key and this configuration."""
    return hashlib.sha512(encode([LABEL, challenge, public, config])).digest()


def transcript(challenge: bytes, public: bytes, evidence: bytes) -> bytes:
    """HPKE's ``info``: a grant opens only in the exchange it answers."""
    return hashlib.sha512(encode([f"{LABEL}|grant", challenge, public, evidence])).digest()


def sign(key: Ed25519PrivateKey, kind: str, body: bytes, context: bytes = b"") -> bytes:
    """``CBOR[body, signature]`` with the signature over label, kind, context and body."""
    return encode([body, key.sign(encode([LABEL, kind, context, body]))])


def open_signed(provider: bytes, kind: str, message: bytes, context: bytes = b"") -> bytes:
    """The body of a message that ``provider`` (raw Ed25519 key) signed; :class:`AttestationError` for any other."""
    match decode(message, kind):
        case [bytes(body), bytes(signature)]:
            pass
        case _:
            raise malformed(kind)
    try:
        Ed25519PublicKey.from_public_bytes(provider).verify(signature, encode([LABEL, kind, context, body]))
    except (InvalidSignature, ValueError):
        raise AttestationError(
            f"The {kind} is not signed by the pinned provider.",
            check="provider_signature",
            expected=provider.hex(),
            seen=None,
        ) from None
    return body


@dataclass(frozen=True, slots=True)
class Challenge:
    """``issued`` and ``expires`` are seconds since 1970 by the provider's clock, ``provider`` its raw Ed25519 key."""

    nonce: bytes
    bundle: str
    epoch: int
    issued: int
    expires: int
    provider: bytes

    def encode(self) -> bytes:
        return encode({"v": 1, **asdict(self)})

    @classmethod
    def parse(cls, data: bytes) -> Challenge:
        match decode(data, "challenge"):
            case {
                "v": 1,
                "nonce": bytes(nonce),
                "bundle": str(bundle),
                "epoch": int(epoch),
                "issued": int(issued),
                "expires": int(expires),
                "provider": bytes(provider),
                **rest,
            } if not rest and len(nonce) == NONCE_BYTES and expires > issued:
                return cls(nonce, bundle, epoch, issued, expires, provider)
        raise malformed("challenge")


@dataclass(frozen=True, slots=True)
class Request:
    """``challenge`` is the challenge's own bytes, ``public`` the HPKE key, ``config`` a :func:`config_digest`."""

    challenge: bytes
    bundle: str
    public: bytes
    config: bytes
    evidence: Evidence

    def encode(self) -> bytes:
        tee = self.evidence
        return encode(
            {
                "v": 1,
                "challenge": self.challenge,
                "bundle": self.bundle,
                "public": self.public,
                "config": self.config,
                "tee": str(tee.kind),
                "evidence": tee.data,
                "collateral": tee.collateral,
                "chain": list(tee.chain),
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Request:
        match decode(data, "request"):
            case {
                "v": 1,
                "challenge": bytes(challenge),
                "bundle": str(bundle),
                "public": bytes(public),
                "config": bytes(config),
                "tee": str(tee),
                "evidence": bytes(evidence),
                "collateral": bytes(collateral),
                "chain": list(chain),
                **rest,
            } if (
                not rest
                and tee in list(TeeKind)
                and len(public) == PUBLIC_BYTES
                and len(config) == _CONFIG_BYTES
                and len(chain) <= MAX_CHAIN_CERTIFICATES
                and all(isinstance(entry, bytes) for entry in chain)
            ):
                return cls(
                    challenge,
                    bundle,
                    public,
                    config,
                    Evidence(TeeKind(tee), evidence, collateral, tuple(chain)),
                )
        raise malformed("request")


@dataclass(frozen=True, slots=True)
class Grant:
    """What the provider allows, for ``lease_s`` seconds: one bundle and epoch, these engines, these limits.

    ``engine_spki`` are SHA-256 hashes (hex) of the engines' public keys; none leaves it to the gateway's policy for
    engines, which its configuration digest covers. A table whose eps_in is above ``max_eps_in`` or whose buckets are
    smaller than ``min_k`` must not be used. ``requests_per_minute`` bounds the whole gateway; 0 is no bound.
    """

    bundle: str
    epoch: int
    issued: int
    lease_s: int
    engine_spki: tuple[str, ...]
    max_eps_in: float
    min_k: int
    requests_per_minute: int

    def encode(self) -> dict[str, Any]:
        return {**asdict(self), "engine_spki": list(self.engine_spki)}

    @classmethod
    def parse(cls, value: Any) -> Grant:
        match value:
            case {
                "bundle": str(bundle),
                "epoch": int(epoch),
                "issued": int(issued),
                "lease_s": int(lease_s),
                "engine_spki": list(spki),
                "max_eps_in": float(max_eps_in),
                "min_k": int(min_k),
                "requests_per_minute": int(rate),
                **rest,
            } if not rest and lease_s > 0 and all(isinstance(pin, str) and len(pin) == 64 for pin in spki):
                return cls(bundle, epoch, issued, lease_s, tuple(spki), max_eps_in, min_k, rate)
        raise malformed("grant")


assert hashlib.sha512().digest_size == REPORT_DATA_BYTES
