"""What a statement is about, and how evidence is bound to it and to the caller's nonce."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from cmif.attest.evidence import GpuEvidence
from cmif.attest.messages import config_digest, encode

_LABEL = "cmif-statement/1"
_GPU_LABEL = "cmif-statement-gpu/1"


@dataclass(frozen=True, slots=True)
class Subject:
    """What the evidence vouches for: configuration digest (hex), bundle id (hex; an engine's: the digest that both
    halves of its split share), and SHA-256 (hex) of the TLS public key that the gateway or engine made for itself, or
    "" where it serves without TLS of its own."""

    config: str
    bundle: str
    tls_spki: str = ""

    def gpu_nonce(self, nonce: bytes) -> bytes:
        """The 32 bytes that each GPU's report must answer for ``nonce``: nobody else's, and no earlier ones."""
        return hashlib.sha256(encode([_GPU_LABEL, self.report_data(nonce)])).digest()

    def report_data(self, nonce: bytes, gpus: Sequence[GpuEvidence] = ()) -> bytes:
        """The 64 bytes that the evidence must carry for ``nonce``, and for the ``gpus`` that the TEE vouches for: none
        is added, left out or exchanged on the way."""
        alone = hashlib.sha512(encode([_LABEL, nonce, self.config, self.bundle, self.tls_spki])).digest()
        return hashlib.sha512(encode([_GPU_LABEL, alone, [astuple(gpu) for gpu in gpus]])).digest() if gpus else alone


def engine_config(backend: str, arguments: Sequence[str] = ()) -> bytes:
    """The digest that an engine's evidence binds and policies list: what runs the layers, and for vLLM the
    ``arguments`` it is given beside ours, in their order. The rest of what an engine is belongs to the measured image.
    """
    return config_digest({"serves": "engine", "backend": backend, "arguments": list(arguments)})
