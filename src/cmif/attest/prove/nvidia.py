"""The evidence of this machine's GPUs, as NVIDIA's own program collects it."""

from __future__ import annotations

from pathlib import Path

from cmif.attest import nvattest
from cmif.attest.evidence import MAX_GPUS, GpuEvidence
from cmif.errors import AttestationError


def collect(program: Path, nonce: bytes) -> tuple[GpuEvidence, ...]:
    """Of every GPU that ``program`` (`nvattest`) finds, over ``nonce`` (32 bytes). Raises :class:`AttestationError`."""
    listed = nvattest.run(program, "collect-evidence", nonce).get("evidences")
    try:
        if not isinstance(listed, list) or not 0 < len(listed) <= MAX_GPUS:
            raise ValueError
        gpus = tuple(GpuEvidence.parse(entry) for entry in listed)
        if any(gpu.nonce != nonce for gpu in gpus):
            raise ValueError
    except ValueError:
        raise AttestationError(
            "The GPUs gave no evidence.", check="produce", expected="reports over our nonce", seen=None
        ) from None
    return gpus
