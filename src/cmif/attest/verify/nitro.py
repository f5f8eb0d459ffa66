"""AWS Nitro Enclaves attestation documents: COSE_Sign1 (RFC 9052) with ES384 under Amazon's Nitro root.

Layout: AWS "Nitro Enclaves NSM API, attestation process". The root is pinned by the SHA-256 fingerprint AWS publishes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from cmif.attest.evidence import Evidence, TeeKind
from cmif.attest.verify.chain import load_certificates, require_issued
from cmif.attest.verify.claims import Claims, refusing
from cmif.errors import AttestationError

AWS_ROOT_SHA256 = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"

_COSE_SIGN1 = b"\xd2"  # tag 18, which the hypervisor leaves out and RFC 9052 allows
_ES384 = b"\xa1\x01\x38\x22"
_PCR_BYTES = 48


def _bad(what: str, seen: object = None) -> AttestationError:
    return AttestationError(
        f"The Nitro document is malformed: {what}.",
        check="format",
        expected="COSE_Sign1 of an attestation document",
        seen=seen,
    )


@refusing
def verify(evidence: Evidence, at: datetime, root_sha256: str = AWS_ROOT_SHA256) -> Claims:
    """Verify a Nitro document at the time ``at``. ``evidence.chain`` may hold the root; it must then be the pinned one.

    Raises :class:`AttestationError` for a document that is malformed, not signed under the root, outside its
    certificates' validity (about three hours), or of a debug enclave (all-zero PCR 0).
    """
    protected, payload, signature = _sign1(evidence.data)
    document = _payload(payload)
    chain = load_certificates([*document["cabundle"], document["certificate"]])
    _check_signature(chain[-1], protected, payload, signature)
    for root in [chain[0], *load_certificates(evidence.chain)]:
        seen = root.fingerprint(hashes.SHA256()).hex()
        if seen != root_sha256:
            raise AttestationError(
                "The chain does not end in the pinned Nitro root.",
                check="root",
                expected=root_sha256,
                seen=seen,
            )
    require_issued(chain[0], chain[0], at)
    for child, parent in zip(chain[1:], chain, strict=False):
        _require_authority(parent)
        require_issued(child, parent, at)
    pcrs = {int(index): bytes(value) for index, value in document["pcrs"].items()}
    if not any(pcrs.get(0, b"")):
        raise AttestationError(
            "The enclave runs in debug mode: its PCRs are zero.",
            check="debug",
            expected="a non-zero PCR 0",
            seen="zero",
        )
    return Claims(
        kind=TeeKind.NITRO,
        measurement=pcrs[0].hex(),
        platform=f"instance:{document['module_id'].split('-enc')[0]}",
        tcb_status="",
        advisories=(),
        report_data=document.get("user_data") or b"",
        pins={f"pcr{index}": value.hex() for index, value in sorted(pcrs.items())},
    )


def _sign1(data: bytes) -> tuple[bytes, bytes, bytes]:
    body = data.removeprefix(_COSE_SIGN1)
    try:
        message = cbor2.loads(body)
        protected, unprotected, payload, signature = message
        same = cbor2.dumps([protected, unprotected, payload, signature]) == body
    except Exception:  # cbor2 raises many kinds on hostile input; each is a refusal
        raise _bad("not CBOR of four parts") from None
    if unprotected != {} or not same:  # nothing may ride along outside the signature
        raise _bad("not canonical, or unprotected headers")
    if protected != _ES384:
        raise AttestationError(
            "The document is not signed with ES384.",
            check="signature",
            expected=_ES384.hex(),
            seen=bytes(protected).hex(),
        )
    if not isinstance(payload, bytes) or not isinstance(signature, bytes) or len(signature) != 96:
        raise _bad("payload or signature of the wrong type or size")
    return protected, payload, signature


def _payload(payload: bytes) -> dict[str, Any]:
    try:
        document = cbor2.loads(payload)
        pcrs = document["pcrs"]
        well_formed = (
            document["digest"] == "SHA384"
            and isinstance(document["module_id"], str)
            and all(
                isinstance(i, int) and 0 <= i < 32 and isinstance(v, bytes) and len(v) == _PCR_BYTES
                for i, v in pcrs.items()
            )
            and all(isinstance(c, bytes) for c in [*document["cabundle"], document["certificate"]])
            and len(document["cabundle"]) >= 1
            and isinstance(document.get("user_data"), bytes | None)
        )
    except Exception:
        raise _bad("payload") from None
    if not well_formed:
        raise _bad("payload")
    return dict(document)


def _require_authority(certificate: x509.Certificate) -> None:
    try:
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        authority = False
    if not authority:
        raise AttestationError(
            "An issuer in the chain is not a certificate authority.",
            check="chain",
            expected="CA",
            seen=certificate.subject.rfc4514_string(),
        )


def _check_signature(leaf: x509.Certificate, protected: bytes, payload: bytes, signature: bytes) -> None:
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise AttestationError(
            "The document's key is not on P-384.",
            check="signature",
            expected="secp384r1",
            seen=type(key).__name__,
        )
    half = len(signature) // 2
    der = encode_dss_signature(
        int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    )
    try:
        key.verify(der, cbor2.dumps(["Signature1", protected, b"", payload]), ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        raise AttestationError(
            "The document's signature is invalid.",
            check="signature",
            expected="signed by the enclave's certificate",
            seen="not",
        ) from None
