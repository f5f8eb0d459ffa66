"""Who is asking: bearer keys to tenants. Keys are kept as SHA-256 only; what is revoked is refused by the next request.

A key is 256 random bits, so the time that looking its digest up takes tells nothing that helps to guess one.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cmif.errors import InputError, NotReadyError, UnauthorisedError
from cmif.gateway.ledger import Ledger, Tenant

log = logging.getLogger("cmif.gateway")

ANYONE = "default"


class Tenants(Protocol):
    """Who may ask: told from a request's key."""

    async def identify(self, authorization: str | None) -> str:
        """The tenant of an Authorization header. Raises :class:`UnauthorisedError`, or what the keys' storage does."""
        ...


class Anyone:
    """No authentication: everybody is tenant "default"."""

    async def identify(self, authorization: str | None) -> str:
        return ANYONE


class LedgerTenants:
    """Keys of `cmif tenants`, asked of the ledger for every request: revoking counts at once, in every gateway."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def identify(self, authorization: str | None) -> str:
        return _found(await asyncio.to_thread(self._ledger.tenant_of, _digest(authorization)))


class FileTenants:
    """Keys of the operator's own file, read again when it changes; while it cannot be read nobody is served."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`InputError` for a file that is not one of tenants."""
        self._path = path
        self._stamp = _stamp(path)
        self._keys: Keys | None = Keys.read(path)

    async def identify(self, authorization: str | None) -> str:
        """Raises :class:`NotReadyError` besides."""
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._keys = Keys.read(self._path)
            except InputError as error:
                self._keys = None
                log.error("tenants: %s", error)
        if self._keys is None:
            raise NotReadyError("This gateway cannot read its tenants.")
        return _found(self._keys.by_digest.get(_digest(authorization)))


@dataclass(frozen=True, slots=True)
class Keys:
    """Tenant names by the SHA-256 hex of their key."""

    by_digest: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> Keys:
        """``[tenants]`` of a TOML file: ``name = "sha256 of the key, hex"``. Raises :class:`InputError`."""
        try:
            table = tomllib.loads(path.read_text("utf-8"))["tenants"]
            entries = {str(digest).lower(): Tenant(str(name)).name for name, digest in table.items()}
        except OSError as error:
            raise InputError(f"The tenants file cannot be read ({error.strerror}).") from None
        except (ValueError, KeyError, AttributeError):
            raise InputError("The tenants file must be TOML with a table [tenants].") from None
        if not entries or any(len(digest) != 64 for digest in entries) or len(entries) != len(table):
            raise InputError("Every tenant needs its own key, given as 64 hexadecimal digits of its SHA-256.")
        return cls(entries)


def sha256(key: str) -> str:
    """SHA-256 of an API key, in hexadecimal: all that is ever kept of one."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def _digest(authorization: str | None) -> str:
    """Of the bearer's key; "", which is no key's, of anything else."""
    scheme, _, key = (authorization or "").partition(" ")
    return sha256(key.strip()) if scheme.lower() == "bearer" else ""


def _found(tenant: str | None) -> str:
    if tenant is None:
        raise UnauthorisedError(
            "Incorrect API key.", hint="Send 'Authorization: Bearer KEY' with a key of this gateway."
        )
    return tenant


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
