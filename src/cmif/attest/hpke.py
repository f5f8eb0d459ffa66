"""HPKE (RFC 9180) with MLKEM768-X25519, the hybrid that stays secret if either half holds: keys and one-shot sealing.

Public key: ML-KEM-768 encapsulation key (1184 bytes) | X25519 public key (32 bytes).
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

_MLKEM_BYTES, _X25519_BYTES = 1184, 32
PUBLIC_BYTES = _MLKEM_BYTES + _X25519_BYTES
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class KeyPair:
    """One ephemeral key pair. ``open`` raises `ValueError` for anything not sealed to it under the same ``info``."""

    def __init__(self) -> None:
        post_quantum, classical = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
        self.public = post_quantum.public_key().public_bytes_raw() + classical.public_key().public_bytes_raw()
        self._private = hpke.MLKEM768X25519PrivateKey(post_quantum, classical)

    def open(self, sealed: bytes, info: bytes) -> bytes:
        try:
            return bytes(_SUITE.decrypt(sealed, self._private, info))
        except (InvalidTag, ValueError):
            raise ValueError("not sealed to this key") from None


def seal_to(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal ``plaintext`` to a public key, bound to ``info``. Raises `ValueError` for a malformed key."""
    if len(public) != PUBLIC_BYTES:
        raise ValueError("wrong length")
    key = hpke.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_BYTES]),
        X25519PublicKey.from_public_bytes(public[_MLKEM_BYTES:]),
    )
    return bytes(_SUITE.encrypt(plaintext, key, info))
