"""A TLS key that is made inside the TEE and stays there; attestation, not a certificate authority, vouches for it."""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cmif.attest.spki import spki_sha256

_VALID = timedelta(days=365)


def self_signed(names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """Certificate and private key (PEM) for DNS names and IP addresses, on P-256, valid for a year."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cmif")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), private


def enclave_tls(names: tuple[str, ...]) -> tuple[ssl.SSLContext, str]:
    """A server context over a fresh key, and the SHA-256 (hex) of its public key for the attestation to bind.

    OpenSSL takes keys only from files, so the key passes through one that is deleted at once, in the directory for
    temporary files: inside a TEE that must be encrypted memory (`deploy/` mounts a tmpfs there).
    """
    certificate, private = self_signed(names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tls.pem"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private + certificate)
        context.load_cert_chain(path)
    return context, spki_sha256(ssl.PEM_cert_to_DER_cert(certificate.decode("ascii")))


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
