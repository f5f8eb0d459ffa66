"""`cmif seal`: encrypt a client bundle so that only an attested enclave gets to read it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cmif.attest.sealed import HEADER, MANIFEST, SUFFIX, SealedHeader, associated_data
from cmif.attest.stream import KEY_BYTES, encrypt
from cmif.errors import BundleError, InputError


def seal(client: Path, out: Path, key: bytes, epoch: int = 1) -> SealedHeader:
    """Encrypt the client bundle in ``client`` into the new directory ``out`` under a 32-byte content key.

    Uses about 3 MiB whatever the table's size. A key seals one epoch of one bundle: rotation is a new key, a new epoch
    and a new directory. Raises :class:`BundleError` for a file that its manifest does not describe, and
    :class:`InputError` for an ``out`` that exists. ``out`` appears only when it is complete.
    """
    if out.exists():
        raise InputError("The output directory already exists.", hint="Choose another, or remove it first.")
    if epoch < 1:
        raise InputError("An epoch is a number from 1 upwards.")
    try:
        manifest = (client / MANIFEST).read_bytes()
        expected = {str(name): str(entry["sha256"]) for name, entry in json.loads(manifest)["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BundleError(
            f"The client bundle has no readable {MANIFEST}.", hint="Give the OUT/client of `cmif split MODEL -o OUT`."
        ) from None
    bundle = hashlib.sha256(manifest).hexdigest()
    expected[MANIFEST] = bundle
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".cmif-seal-", dir=out.parent))
    try:
        sizes, hashes = {}, {}
        for name, digest in expected.items():
            size = _size(client, name)
            sizes[name] = size
            hashes[name] = _seal_file(
                client / name, scratch / (name + SUFFIX), key, bundle, epoch, size, digest
            )
        header = SealedHeader(bundle, epoch, sizes, hashes)
        (scratch / HEADER).write_bytes(header.encode())
        scratch.chmod(0o755)
        scratch.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return header


def write_new_key(path: Path) -> bytes:
    """A fresh content key, written as hex to a file that only its owner can read and that must not exist yet."""
    key = os.urandom(KEY_BYTES)
    write_secret(path, key.hex().encode() + b"\n")
    return key


def read_key(path: Path) -> bytes:
    """The content key in ``path``. Raises :class:`InputError`, which never quotes the file."""
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError):
        raise InputError("The content key file is not readable as hexadecimal.") from None
    if len(key) != KEY_BYTES:
        raise InputError(f"The content key file does not hold {KEY_BYTES} bytes.")
    return key


def write_secret(path: Path, data: bytes) -> None:
    """Create ``path`` with mode 0600. Raises :class:`InputError` if it exists: no secret is ever overwritten."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise InputError(
            "The key file already exists.", hint="A key is never overwritten; name another file."
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


class _Hashing:
    """Hashes what passes through, on either side of the cipher."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def readinto(self, buffer: memoryview, /) -> int:
        got = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self.digest.update(buffer[:got])
        return int(got)

    def write(self, data: bytes, /) -> int:
        self.digest.update(data)
        return self._file.write(data)


def _size(client: Path, name: str) -> int:
    if Path(name).name != name or not (client / name).is_file():
        raise BundleError(f"{name} is missing from the client bundle.", hint="Split the model again.")
    return (client / name).stat().st_size


def _seal_file(
    source: Path, target: Path, key: bytes, bundle: str, epoch: int, size: int, digest: str
) -> str:
    with _hashing(source, "rb") as plain, _hashing(target, "wb") as sealed:
        encrypt(key, associated_data(bundle, epoch, source.name, size), plain, sealed, size)
        if plain.digest.hexdigest() != digest:
            raise BundleError(
                f"{source.name} is not the file its manifest describes.", hint="Split the model again."
            )
        return sealed.digest.hexdigest()


@contextmanager
def _hashing(path: Path, mode: str) -> Iterator[_Hashing]:
    with path.open(mode, buffering=0) as file:
        yield _Hashing(file)  # type: ignore[arg-type]
