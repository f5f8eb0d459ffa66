"""Who is asking: bearer keys to tenants. Keys are kept as SHA-256 only and compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cmif.errors import InputError, UnauthorisedError

ANYONE = "default"


@dataclass(frozen=True, slots=True)
class Tenants:
    """Tenant names by the SHA-256 hex of their key. Empty: no authentication, everybody is tenant "default"."""

    by_digest: Mapping[str, str]

    @classmethod
    def open(cls, path: Path | None) -> Tenants:
        """Read ``[tenants]`` of a TOML file: ``name = "sha256 of the key, hex"``. ``None``: no authentication."""
        if path is None:
            return cls({})
        try:
            table = tomllib.loads(path.read_text("utf-8"))["tenants"]
            entries = {str(digest).lower(): str(name) for name, digest in table.items()}
        except (OSError, ValueError, KeyError, AttributeError):
            raise InputError("The tenants file must be TOML with a table [tenants].") from None
        if not entries or any(len(digest) != 64 for digest in entries) or len(entries) != len(table):
            raise InputError("Every tenant needs its own key, given as 64 hexadecimal digits of its SHA-256.")
        return cls(entries)

    def identify(self, authorization: str | None) -> str:
        """The tenant of an Authorization header. Raises :class:`UnauthorisedError`."""
        if not self.by_digest:
            return ANYONE
        scheme, _, key = (authorization or "").partition(" ")
        digest = hashlib.sha256(key.strip().encode("utf-8")).hexdigest()
        found = [name for known, name in self.by_digest.items() if hmac.compare_digest(known, digest)]
        if scheme.lower() != "bearer" or not found:
            raise UnauthorisedError(
                "Incorrect API key.", hint="Send 'Authorization: Bearer KEY' with a key of this gateway."
            )
        return found[0]
