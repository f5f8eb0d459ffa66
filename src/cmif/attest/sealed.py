"""A sealed bundle: the client bundle encrypted file by file, readable only with the content key of its epoch.

On disk: ``sealed.json`` and one ``NAME.sealed`` per file. ``sealed.json`` is public and trusted for nothing: every
file's associated data binds bundle, epoch, name and size, so a file moved between names, bundles or epochs does not
open. The bundle's id is the SHA-256 of its manifest, which names the SHA-256 of every other file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
from numpy.typing import NDArray

from cmif.attest.stream import decrypt_into, sealed_size
from cmif.errors import SealError

FORMAT = 1
HEADER = "sealed.json"
SUFFIX = ".sealed"
MANIFEST = "manifest.json"
_LABEL = "cmif-sealed/1"
_MAX_HEADER_BYTES = 64 * 1024
_MAX_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SealedHeader:
    """What ``sealed.json`` says: bundle id (sha256 hex), key epoch, and each file's plaintext size and sealed hash."""

    bundle: str
    epoch: int
    sizes: Mapping[str, int]
    sha256: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the whole header: identifies these very ciphertexts."""
        return hashlib.sha256(self.encode()).hexdigest()

    def encode(self) -> bytes:
        files = {
            name: {"bytes": self.sizes[name], "sha256": self.sha256[name]} for name in sorted(self.sizes)
        }
        return (
            json.dumps(
                {"format": FORMAT, "bundle": self.bundle, "epoch": self.epoch, "files": files}, indent=2
            )
            + "\n"
        ).encode()

    @classmethod
    def read(cls, folder: Path) -> SealedHeader:
        """Raises :class:`SealError` where there is no readable header of this format."""
        try:
            with (folder / HEADER).open("rb") as file:
                raw: dict[str, Any] = json.loads(file.read(_MAX_HEADER_BYTES))
            files = raw["files"]
            if (
                raw["format"] != FORMAT
                or MANIFEST not in files
                or any(Path(name).name != name for name in files)
            ):
                raise ValueError
            return cls(
                bundle=str(raw["bundle"]),
                epoch=int(raw["epoch"]),
                sizes={str(name): _size(entry["bytes"]) for name, entry in files.items()},
                sha256={str(name): str(entry["sha256"]) for name, entry in files.items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise SealError(
                f"The sealed bundle has no readable {HEADER}.", hint="Make it again with `cmif seal`."
            ) from None


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle in memory: ``manifest`` as bytes and every other file as `uint8`, checked against the manifest's id."""

    header: SealedHeader
    manifest: bytes
    files: Mapping[str, NDArray[np.uint8]]


def associated_data(bundle: str, epoch: int, name: str, size: int) -> bytes:
    """What each file's encryption is bound to."""
    return cbor2.dumps([_LABEL, bundle, epoch, name, size], canonical=True)


def open_sealed(folder: Path, key: bytes, *, bundle: str | None = None, epoch: int | None = None) -> Opened:
    """Decrypt a sealed bundle into memory; no plaintext touches a file, and beyond the files 2 MiB are used.

    ``bundle`` and ``epoch`` are what the key was released for. Raises :class:`SealError` for another bundle or epoch, a
    wrong key, and any file that is missing, altered, truncated or swapped.
    """
    header = SealedHeader.read(folder)
    if bundle is not None and header.bundle != bundle:
        raise SealError("The sealed bundle is not the one the key was released for.")
    if epoch is not None and header.epoch != epoch:
        raise SealError(f"The sealed bundle is of epoch {header.epoch}, the key of epoch {epoch}.")
    if header.sizes[MANIFEST] > _MAX_MANIFEST_BYTES:
        raise SealError("The sealed manifest is too large.")
    manifest = _open_file(folder, key, header, MANIFEST).tobytes()
    if hashlib.sha256(manifest).hexdigest() != header.bundle:
        raise SealError("The sealed manifest is not the one that gives the bundle its id.")
    names = [name for name in header.sizes if name != MANIFEST]
    return Opened(header, manifest, {name: _open_file(folder, key, header, name) for name in names})


def _open_file(folder: Path, key: bytes, header: SealedHeader, name: str) -> NDArray[np.uint8]:
    size = header.sizes[name]
    try:
        with (folder / (name + SUFFIX)).open("rb", buffering=0) as file:
            if file.seek(0, 2) != sealed_size(
                size
            ):  # before allocating what an unauthenticated header asks for
                raise SealError(f"{name} is not of the size its header says.")
            file.seek(0)
            out = np.empty(size, dtype=np.uint8)
            decrypt_into(key, associated_data(header.bundle, header.epoch, name, size), file, out.data)
    except OSError:
        raise SealError(f"{name} is missing from the sealed bundle.") from None
    return out


def _size(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError
    return value
