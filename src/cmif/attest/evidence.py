"""Evidence: what a TEE hands over. A prover makes it, a verifier (`attest/verify/`) turns it into claims."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

REPORT_DATA_BYTES = 64
MAX_EVIDENCE_BYTES = 64 * 1024
MAX_COLLATERAL_BYTES = 256 * 1024
MAX_CHAIN_CERTIFICATES = 8
MAX_GPUS = 16
MAX_GPU_BYTES = 16 * 1024
"""Of one GPU's report, and of its chain; Hopper's are of 4 KiB and 5 KiB."""


class TeeKind(StrEnum):
    """Kinds of trusted execution environment. ``SIMULATED`` is for development and protects nothing."""

    SGX = "sgx"
    TDX = "tdx"
    SNP = "snp"
    NITRO = "nitro"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class GpuEvidence:
    """What one NVIDIA GPU says of itself. Nothing in it is trusted before NVIDIA's verifier has seen it.

    ``arch``: "HOPPER" or "BLACKWELL". ``driver`` and ``vbios``: the versions that the report must repeat. ``report``:
    SPDM 1.1, GET_MEASUREMENTS and its signed answer. ``chain``: certificates in PEM, the GPU's own first.
    """

    arch: str
    driver: str
    vbios: str
    report: bytes
    chain: bytes

    @property
    def nonce(self) -> bytes:
        """The 32 bytes that the report was asked for with (DMTF DSP0274 1.1.0, GET_MEASUREMENTS)."""
        return self.report[4:36]

    def told(self) -> dict[str, str]:
        """As `nvattest collect-evidence` writes it and `nvattest attest` reads it."""
        return {
            "version": "1.0",
            "arch": self.arch,
            "nonce": self.nonce.hex(),
            "driver_version": self.driver,
            "vbios_version": self.vbios,
            "evidence": base64.b64encode(self.report).decode("ascii"),
            "certificate": base64.b64encode(self.chain).decode("ascii"),
        }

    @classmethod
    def parse(cls, told: Any) -> GpuEvidence:
        """What :meth:`told` gives and nothing else. Raises `ValueError`."""
        match told:
            case {
                "arch": "HOPPER" | "BLACKWELL" as arch,
                "driver_version": str(driver),
                "vbios_version": str(vbios),
                "evidence": str(report),
                "certificate": str(chain),
            }:
                read = (base64.b64decode(text, validate=True) for text in (report, chain))
                found = cls(arch, driver, vbios, *read)
                sizes = len(found.report), len(found.chain)
                if found.told() == told and min(sizes) > 0 and max(sizes) <= MAX_GPU_BYTES and found._versions():
                    return found
        raise ValueError("not the evidence of a GPU")

    def _versions(self) -> bool:
        return all(re.fullmatch(r"[0-9A-Fa-f.]{1,32}", text) for text in (self.driver, self.vbios))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the attesting side hands over. Nothing in it is trusted before it is verified.

    ``data``: an SGX or TDX quote, an SNP report, a Nitro document. ``collateral``: Intel's signed collateral as JSON
    text. ``chain``: certificates in PEM or DER, in any order, each entry one or more certificates. ``gpus``: what the
    machine's GPUs say, collected inside the TEE.
    """

    kind: TeeKind
    data: bytes
    collateral: bytes = b""
    chain: tuple[bytes, ...] = ()
    gpus: tuple[GpuEvidence, ...] = ()
