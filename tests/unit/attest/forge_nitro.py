"""A private AWS: a root, an intermediate and an enclave certificate on P-384, and signed attestation documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cmif.attest.evidence import Evidence, TeeKind


@dataclass
class Aws:
    """``root_sha256`` is what a verifier must pin."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    intermediate_is_ca: bool = True

    def __post_init__(self) -> None:
        root, middle, self._leaf = (ec.generate_private_key(ec.SECP384R1()) for _ in range(3))
        certificates = (
            self._certificate("root", "root", root, root, ca=True),
            self._certificate("middle", "root", middle, root, ca=self.intermediate_is_ca),
            self._certificate("enclave", "middle", self._leaf, middle, ca=False),
        )
        self.root_sha256 = certificates[0].fingerprint(hashes.SHA256()).hex()
        self._ders = [c.public_bytes(Encoding.DER) for c in certificates]

    def _certificate(
        self,
        subject: str,
        issuer: str,
        key: ec.EllipticCurvePrivateKey,
        by: ec.EllipticCurvePrivateKey,
        *,
        ca: bool,
    ) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(minutes=30))
            .not_valid_after(self.now + timedelta(hours=3))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(by, hashes.SHA384())
        )

    def document(
        self, user_data: bytes | None = None, *, pcr0: bytes = b"\x11" * 48, **changes: Any
    ) -> bytes:
        """A document; ``changes`` replace parts of the signed payload."""
        payload = {
            "module_id": "i-0123456789abcdef0-enc0123456789abcdef",
            "digest": "SHA384",
            "timestamp": int(self.now.timestamp() * 1000),
            "pcrs": {0: pcr0, 1: b"\x12" * 48, 2: b"\x13" * 48, **{i: bytes(48) for i in range(3, 16)}},
            "certificate": self._ders[2],
            "cabundle": self._ders[:2],
            "public_key": None,
            "user_data": user_data,
            "nonce": None,
            **changes,
        }
        return self.sign(cbor2.dumps(payload))

    def sign(self, payload: bytes, protected: bytes = b"\xa1\x01\x38\x22") -> bytes:
        r, s = decode_dss_signature(
            self._leaf.sign(cbor2.dumps(["Signature1", protected, b"", payload]), ec.ECDSA(hashes.SHA384()))
        )
        return cbor2.dumps([protected, {}, payload, r.to_bytes(48, "big") + s.to_bytes(48, "big")])

    def evidence(self, document: bytes | None = None) -> Evidence:
        return Evidence(TeeKind.NITRO, self.document() if document is None else document)
