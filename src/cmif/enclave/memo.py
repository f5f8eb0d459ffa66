"""One draw per (conversation, entity or word), remembered: nothing can be averaged out, nothing is paid twice.

The enclave names and encrypts what it remembers; the gateway stores opaque bytes. A stored entry reveals to whoever
reads the disk how many entries a conversation has, and nothing else.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cmif.errors import IntegrityError

_PAD = 32
"""Sealed values are padded to multiples of this many bytes, so that a length does not name a surrogate."""


@dataclass(frozen=True, slots=True)
class Draw:
    """A sealed draw and what it costs. ``epsilon`` is 0 for surrogates drawn independently of the value."""

    sealed: bytes
    epsilon: float


class Store(Protocol):
    """Durable memory of draws and charges. The gateway implements it over SQLite."""

    def recall(self, conversation: bytes) -> Mapping[bytes, bytes]:
        """Every remembered draw of a conversation: unit key to sealed value."""
        ...

    def commit(self, tenant: str, conversation: bytes, draws: Mapping[bytes, Draw]) -> Mapping[bytes, bytes]:
        """Charge and remember ``draws`` in one durable transaction, before anything that uses them is sent.

        A unit that somebody else remembered meanwhile is not charged and keeps the earlier draw; the returned mapping
        holds the draw that counts for every unit asked for. Raises :class:`BudgetExhaustedError`, remembering nothing.
        """
        ...


class MemoCipher:
    """Names and seals memo entries under one 32-byte enclave key (HMAC-SHA-256, AES-256-GCM)."""

    def __init__(self, key: bytes) -> None:
        self._mac_key = hmac.digest(key, b"cmif memo name", "sha256")
        self._aead = AESGCM(hmac.digest(key, b"cmif memo value", "sha256"))

    def conversation(self, tenant: str, name: str) -> bytes:
        """The opaque name of a conversation of a tenant."""
        return self._name(b"conversation", tenant, name)

    def unit(self, conversation: bytes, kind: str, value: str) -> bytes:
        """The opaque name of one entity or word inside a conversation."""
        return self._name(conversation, kind, value)

    def seal(self, unit: bytes, surrogate: str) -> bytes:
        raw = surrogate.encode("utf-8")
        padded = raw + b"\0" * (-len(raw) % _PAD)
        nonce = os.urandom(12)
        return nonce + self._aead.encrypt(nonce, padded, unit)

    def open(self, unit: bytes, sealed: bytes) -> str:
        """Raises :class:`IntegrityError` if the stored entry was altered or belongs to another key."""
        try:
            return self._aead.decrypt(sealed[:12], sealed[12:], unit).rstrip(b"\0").decode("utf-8")
        except (InvalidTag, ValueError):
            raise IntegrityError(
                "A remembered draw was altered, or the enclave key changed.", hint="Start with a fresh store."
            ) from None

    def _name(self, scope: bytes, *parts: str) -> bytes:
        message = b"".join(
            len(p).to_bytes(4, "big") + p for p in (scope, *(part.encode("utf-8") for part in parts))
        )
        return hmac.digest(self._mac_key, message, "sha256")
