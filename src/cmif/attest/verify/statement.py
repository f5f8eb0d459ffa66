"""A gateway's or an engine's statement of itself, held against a policy and the connection it came over.

The caller sends a fresh nonce and recomputes the report data, so an old statement, another gateway's statement, or one
for another configuration or TLS key does not fit. Nothing in the JSON is trusted beyond what the evidence binds.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cmif.attest.evidence import MAX_CHAIN_CERTIFICATES, MAX_GPUS, Evidence, GpuEvidence, TeeKind
from cmif.attest.subject import Subject
from cmif.attest.verify.appraise import Roots, require
from cmif.attest.verify.claims import Claims
from cmif.attest.verify.policy import AppraisalPolicy
from cmif.errors import AttestationError


def require_statement(
    told: Any,
    nonce: bytes,
    policy: AppraisalPolicy,
    at: datetime,
    *,
    tls_spki: str | None,
    allow_simulated: bool = False,
    roots: Roots | None = None,
) -> tuple[Claims, Subject]:
    """Claims and subject of a statement that ``policy`` accepts and that answers ``nonce``.

    ``tls_spki`` is what the caller saw on the connection (None without TLS): where the statement names a key, the
    connection must have ended there. Raises :class:`AttestationError` with the check that failed.
    """
    subject, evidence = _parse(told)
    if tls_spki is not None and tls_spki != subject.tls_spki:
        raise AttestationError(
            "The connection does not end in the TEE that the evidence is about.",
            check="tls_spki",
            expected=subject.tls_spki or "a TLS key made inside the TEE",
            seen=tls_spki,
        )
    if subject.config not in policy.config_digests:
        raise AttestationError(
            "The policy does not list this configuration.",
            check="config_digest",
            expected=sorted(policy.config_digests),
            seen=subject.config,
        )
    claims = require(
        evidence,
        policy,
        at,
        report_data=subject.report_data(nonce, evidence.gpus),
        gpu_nonce=subject.gpu_nonce(nonce),
        allow_simulated=allow_simulated,
        roots=roots,
    )
    return claims, subject


def _parse(told: Any) -> tuple[Subject, Evidence]:
    try:
        if not isinstance(told, Mapping) or told["v"] != 1 or len(told["chain"]) > MAX_CHAIN_CERTIFICATES:
            raise ValueError
        subject = Subject(str(told["config_digest"]), str(told["bundle"]), str(told["tls_spki"]))
        chain = tuple(_bytes(entry) for entry in told["chain"])
        if len(listed := told.get("gpus", [])) > MAX_GPUS:
            raise ValueError
        gpus = tuple(GpuEvidence.parse(entry) for entry in listed)
        return subject, Evidence(
            TeeKind(told["tee"]), _bytes(told["evidence"]), _bytes(told["collateral"]), chain, gpus
        )
    except (KeyError, TypeError, ValueError):
        raise AttestationError(
            "The statement is malformed.", check="format", expected="a statement", seen=None
        ) from None


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError from None
