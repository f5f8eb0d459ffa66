"""TLS pinned by public key: a context that finishes a handshake only with a key that a grant or a statement names.

Certificate authorities play no part: the pins come from the provider's signed grant or from evidence; names and dates
say nothing.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Collection
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cmif.errors import AttestationError


def spki_sha256(der: bytes) -> str:
    """SHA-256 (hex) of the SubjectPublicKeyInfo in a certificate (DER)."""
    key = x509.load_der_x509_certificate(der).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def require_pinned(der: bytes | None, pins: Collection[str]) -> None:
    """Raises :class:`AttestationError` (check ``engine_spki``) unless the certificate's key is among ``pins``."""
    expected = sorted(pins)
    seen = spki_sha256(der) if der else None
    if seen not in expected:
        raise AttestationError(
            "The engine's TLS key is not one that the provider's grant names.",
            check="engine_spki",
            expected=expected,
            seen=seen,
        )


class WrongKeyError(ssl.SSLCertVerificationError):
    """What a pinned handshake raises, for any TLS client to treat as a failed verification."""


def pinned_context(pins: Collection[str]) -> ssl.SSLContext:
    """A TLS 1.3 client context whose handshake fails, before anything is sent, unless the peer's key is pinned.

    ``pins`` are SHA-256 hashes (hex) of SubjectPublicKeyInfo, read anew at each handshake; none means that every
    handshake fails.
    """
    return checked_context(lambda der: require_pinned(der, pins))


def checked_context(check: Callable[[bytes | None], None]) -> ssl.SSLContext:
    """A TLS 1.3 client context whose handshake ends with ``check`` of the peer's certificate (DER).

    An :class:`AttestationError` or `ValueError` of it fails the handshake before anything is sent.
    """

    def checked(connection: ssl.SSLObject | ssl.SSLSocket) -> None:
        try:
            check(connection.getpeercert(binary_form=True))
        except (AttestationError, ValueError):
            raise WrongKeyError("the engine's TLS key is not pinned") from None

    class CheckedObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            checked(self)

    class CheckedSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            checked(self)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    shaped: Any = context
    shaped.sslobject_class = CheckedObject
    shaped.sslsocket_class = CheckedSocket
    return context
