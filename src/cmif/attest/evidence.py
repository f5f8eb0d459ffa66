"""Evidence: what a TEE hands over. A prover makes it, a verifier (`attest/verify/`) turns it into claims."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

REPORT_DATA_BYTES = 64
MAX_EVIDENCE_BYTES = 64 * 1024
MAX_COLLATERAL_BYTES = 256 * 1024
MAX_CHAIN_CERTIFICATES = 8


class TeeKind(StrEnum):
    """Kinds of trusted execution environment. ``SIMULATED`` is for development and protects nothing."""

    SGX = "sgx"
    TDX = "tdx"
    SNP = "snp"
    NITRO = "nitro"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the attesting side hands over. Nothing in it is trusted before it is verified.

    ``data``: an SGX or TDX quote, an SNP report, a Nitro document. ``collateral``: Intel's signed collateral as JSON
    text. ``chain``: certificates in PEM or DER, in any order, each entry one or more certificates.
    """

    kind: TeeKind
    data: bytes
    collateral: bytes = b""
    chain: tuple[bytes, ...] = ()
