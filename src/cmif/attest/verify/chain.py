"""X.509 helpers shared by the verifiers: read certificates, prove one issued another."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

from cmif.attest.evidence import MAX_CHAIN_CERTIFICATES
from cmif.errors import AttestationError


def load_certificates(chain: Iterable[bytes]) -> list[x509.Certificate]:
    """Certificates from PEM (one or several) or DER entries. Raises :class:`AttestationError` for anything else."""
    found: list[x509.Certificate] = []
    with warnings.catch_warnings():
        # AMD's VCEK has serial number 0, which RFC 5280 forbids; tests/unit/attest/test_snp.py watches for the day
        # `cryptography` refuses it.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        for entry in chain:
            try:
                pem = entry.lstrip().startswith(b"-----BEGIN")
                found += (
                    x509.load_pem_x509_certificates(entry) if pem else [x509.load_der_x509_certificate(entry)]
                )
            except (ValueError, x509.InvalidVersion):
                raise AttestationError(
                    "A certificate is malformed.",
                    check="chain",
                    expected="PEM or DER",
                    seen=f"{len(entry)} bytes",
                ) from None
            if len(found) > MAX_CHAIN_CERTIFICATES:
                raise AttestationError(
                    "Too many certificates.", check="chain", expected=MAX_CHAIN_CERTIFICATES, seen=len(found)
                )
    return found


def require_issued(child: x509.Certificate, parent: x509.Certificate, at: datetime) -> None:
    """Raise :class:`AttestationError` unless ``parent`` (name and key) signed ``child`` and it is valid at ``at``."""
    name = child.subject.rfc4514_string()
    try:
        if child.public_bytes(Encoding.DER)[
            -len(child.signature) - 1
        ]:  # of the signature's bits, none is unused
            raise ValueError("malleable signature encoding")
        child.verify_directly_issued_by(parent)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise AttestationError(
            f"The certificate {name} was not issued by the next in its chain.",
            check="chain",
            expected=parent.subject.rfc4514_string(),
            seen=type(error).__name__,
        ) from None
    if not child.not_valid_before_utc <= at <= child.not_valid_after_utc:
        raise AttestationError(
            f"The certificate {name} is not valid at that time.",
            check="validity",
            expected=[child.not_valid_before_utc.isoformat(), child.not_valid_after_utc.isoformat()],
            seen=at.isoformat(),
        )
