"""What a running gateway says of itself: evidence over a nonce, bound to its configuration, bundle and TLS key.

Nothing in the JSON is trusted beyond what the evidence binds: `attest/verify/statement.py` recomputes that.
"""

from __future__ import annotations

import base64
from typing import Any

from cmif.attest.evidence import Evidence
from cmif.attest.messages import NONCE_BYTES
from cmif.attest.subject import Subject
from cmif.errors import AttestationError


def parse_nonce(text: str) -> bytes:
    """A nonce of 32 bytes in hex. Raises :class:`AttestationError` for anything else."""
    try:
        nonce = bytes.fromhex(text)
    except ValueError:
        nonce = b""
    if len(nonce) != NONCE_BYTES:
        raise AttestationError(
            "The nonce is malformed.", check="nonce", expected="32 bytes in hexadecimal", seen=len(text)
        )
    return nonce


def statement(subject: Subject, evidence: Evidence) -> dict[str, Any]:
    """The statement as JSON."""
    gpus = {"gpus": [gpu.told() for gpu in evidence.gpus]} if evidence.gpus else {}
    return {
        "v": 1,
        "tee": str(evidence.kind),
        "config_digest": subject.config,
        "bundle": subject.bundle,
        "tls_spki": subject.tls_spki,
        "evidence": _text(evidence.data),
        "collateral": _text(evidence.collateral),
        "chain": [_text(entry) for entry in evidence.chain],
        **gpus,
    }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
