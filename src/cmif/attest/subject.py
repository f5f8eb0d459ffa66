"""What a statement is about, and how evidence is bound to it and to the caller's nonce."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cmif.attest.messages import config_digest, encode

_LABEL = "cmif-statement/1"


@dataclass(frozen=True, slots=True)
class Subject:
    """What the evidence vouches for: configuration digest (hex), bundle id (hex; an engine's: the digest that both
    halves of its split share), and SHA-256 (hex) of the TLS public key that the gateway or engine made for itself, or
    "" where it serves without TLS of its own."""

    config: str
    bundle: str
    tls_spki: str = ""

    def report_data(self, nonce: bytes) -> bytes:
        """The 64 bytes that the evidence must carry for ``nonce``."""
        return hashlib.sha512(encode([_LABEL, nonce, self.config, self.bundle, self.tls_spki])).digest()


def engine_config(backend: str, arguments: Sequence[str] = ()) -> bytes:
    """The digest that an engine's evidence binds and policies list: what runs the layers, and for vLLM the
    ``arguments`` it is given beside ours, in their order. The rest of what an engine is belongs to the measured image.
    """
    return config_digest({"serves": "engine", "backend": backend, "arguments": list(arguments)})
