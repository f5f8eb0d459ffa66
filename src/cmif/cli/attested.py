"""What `cmif gateway --sealed` adds: the settings of a start inside a TEE, and their digest."""

from __future__ import annotations

import hashlib
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from cmif.attest.evidence import TeeKind
from cmif.attest.messages import config_digest
from cmif.attest.prove.produce import Gramine, Producer, producer
from cmif.attest.simulated import LABEL
from cmif.enclave.bundle import Bundle
from cmif.enclave.policy import PrivacyPolicy
from cmif.errors import InputError
from cmif.gateway.selfsigned import enclave_tls
from cmif.gateway.start import AttestedGateway, Terms, Unsealed


@dataclass(frozen=True, slots=True)
class Sealed:
    """`--sealed` and what belongs to it."""

    folder: Path
    provider: str
    provider_key: bytes
    tee: TeeKind
    collateral: Path | None
    chain: tuple[Path, ...]

    @classmethod
    def parse(
        cls,
        folder: Path,
        provider: str | None,
        provider_key: Path | None,
        tee: TeeKind | None,
        collateral: Path | None,
        chain: list[Path] | None,
    ) -> Sealed:
        """Raises :class:`InputError` unless everything that a start inside a TEE needs is given."""
        if provider is None or provider_key is None or tee is None:
            raise InputError("--sealed needs --provider, --provider-key and --tee.")
        return cls(folder, provider, read_provider_key(provider_key), tee, collateral, tuple(chain or ()))


def read_provider_key(path: Path) -> bytes:
    """The provider's raw Ed25519 public key, 32 bytes in hexadecimal. Raises :class:`InputError`."""
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError):
        key = b""
    if len(key) != 32:
        raise InputError(
            "--provider-key is not a file with 32 bytes in hexadecimal.",
            hint="`cmif release` writes KEY.pub.",
        )
    return key


def gateway_config(policy: PrivacyPolicy, wire: str, provider_key: bytes, oblivious: bool = False) -> bytes:
    """The digest that evidence binds and policies list: every setting that could weaken protection.

    A deployment's own words and phrases are left out: they only ever protect more, and their digest could be guessed.
    """
    settings = {f.name: getattr(policy, f.name) for f in fields(policy) if f.name not in ("words", "private")}
    return config_digest(
        {
            "policy": {
                name: str(value) if isinstance(value, StrEnum) else value for name, value in settings.items()
            },
            "wire": wire,
            "oblivious": oblivious,
            "provider": provider_key,
        }
    )


def enclave_key(made: Producer) -> bytes:
    """The memo's key: sealed to this enclave under SGX; elsewhere fresh at each start, so old draws are not reused."""
    if isinstance(made, Gramine):
        return hashlib.sha256(b"cmif memo key\0" + made.sealing_key()).digest()
    return secrets.token_bytes(32)


Build = Callable[
    [
        Bundle,
        bytes,
        ssl.SSLContext | None,
        Callable[[], tuple[str, ...]],
        tuple[BaseRoute, ...],
        str | None,
        Callable[[], None],
    ],
    Starlette,
]
"""The gateway's application over a bundle and the memo's key; the rest is what attestation adds (`gateway/app.py`)."""


def attested(
    sealed: Sealed,
    engine: str,
    policy: PrivacyPolicy,
    wire: str,
    oblivious: bool,
    tls_names: tuple[str, ...],
    build: Build,
) -> tuple[AttestedGateway, ssl.SSLContext | None, dict[str, str]]:
    """The application, its TLS context (made in the TEE if ``tls_names``), and what to print when it listens."""
    tls, spki = enclave_tls(tls_names) if tls_names else (None, "")
    made = producer(sealed.tee, collateral=sealed.collateral, chain=sealed.chain)
    config = gateway_config(policy, wire, sealed.provider_key, oblivious)
    terms = Terms(sealed.provider, sealed.provider_key, sealed.folder, engine, config, made, spki)

    def from_unsealed(
        unsealed: Unsealed,
        ready: Callable[[], tuple[str, ...]],
        routes: tuple[BaseRoute, ...],
        admit: Callable[[], None],
    ) -> Starlette:
        return build(unsealed.bundle, enclave_key(made), unsealed.tls, ready, routes, unsealed.label, admit)

    told = {"serves": "gateway", "tee": str(sealed.tee), "config_digest": config.hex(), "tls_spki": spki}
    if sealed.tee is TeeKind.SIMULATED:
        told["warning"] = LABEL
    return AttestedGateway(terms, from_unsealed), tls, told
