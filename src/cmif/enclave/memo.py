"""What the enclave remembers, named and sealed: the store holds opaque bytes and the sums they cost.

Whoever reads the store learns how many entries a node of a conversation has, how long they are to the next 32 bytes,
and what was charged for them; nothing of any text.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cmif.errors import IntegrityError

_PAD = 32
"""Sealed values are padded to multiples of this many bytes, so that a length does not name a surrogate."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to remember under ``node``. ``epsilon`` is what it costs: 0 for all but draws of the mechanism."""

    node: bytes
    sealed: bytes
    epsilon: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """A remembered entry. ``id`` grows in the order in which a node's entries were committed."""

    id: int
    key: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose budgets a charge counts against. ``user`` is an opaque name of the tenant's end user, "" if not named;
    ``path`` the nodes whose charges together are the conversation's, the one charged last.
    """

    tenant: str
    user: str
    path: tuple[bytes, ...]


class Store(Protocol):
    """Durable memory and ledger. The gateway implements it over a database."""

    def recall(self, nodes: Mapping[bytes, int]) -> Mapping[bytes, Sequence[Row]]:
        """For each node, its rows with an id above the given one, in order of id; nodes without any may be left out."""
        ...

    def commit(self, payer: Payer, entries: Mapping[bytes, Entry]) -> Mapping[bytes, bytes]:
        """Charge and remember ``entries`` (by key) in one durable transaction, before anything that uses them is sent.

        A key that is remembered already is not charged and keeps its value; the returned mapping holds the sealed
        value that counts for every key asked for. Raises :class:`BudgetExhaustedError` or :class:`LedgerError`,
        remembering nothing.
        """
        ...


class Forgetful:
    """A :class:`Store` that remembers nothing: what `cmif inspect` looks through."""

    def recall(self, nodes: Mapping[bytes, int]) -> Mapping[bytes, Sequence[Row]]:
        return {}

    def commit(self, payer: Payer, entries: Mapping[bytes, Entry]) -> Mapping[bytes, bytes]:
        return {key: entry.sealed for key, entry in entries.items()}


class MemoCipher:
    """Names and seals memo entries under one 32-byte enclave key (HMAC-SHA-256, AES-256-GCM)."""

    def __init__(self, key: bytes) -> None:
        self._mac_key = hmac.digest(key, b"cmif memo name", "sha256")
        self._aead = AESGCM(hmac.digest(key, b"cmif memo value", "sha256"))

    def name(self, scope: bytes, *parts: str) -> bytes:
        """A 32-byte opaque name; equal only for equal ``scope`` and ``parts``."""
        message = b"".join(
            len(p).to_bytes(4, "big") + p
            for p in (scope, *(part.encode("utf-8", "surrogatepass") for part in parts))
        )
        return hmac.digest(self._mac_key, message, "sha256")

    def seal(self, key: bytes, value: Any) -> bytes:
        """``value`` (JSON) under the entry's ``key``, which is authenticated with it."""
        raw = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")
        nonce = os.urandom(12)
        return nonce + self._aead.encrypt(nonce, raw + b" " * (-len(raw) % _PAD), key)

    def open(self, key: bytes, sealed: bytes) -> Any:
        """Raises :class:`IntegrityError` if the stored entry was altered or belongs to another key."""
        try:
            return json.loads(self._aead.decrypt(sealed[:12], sealed[12:], key))
        except (InvalidTag, ValueError):
            raise IntegrityError(
                "A remembered entry was altered, or the enclave key changed.",
                hint="Start with a fresh store.",
            ) from None
