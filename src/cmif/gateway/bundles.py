"""Open a client bundle from a directory: files are mapped, not read, and the enclave checks every hash."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cmif.enclave.bundle import FILES, MANIFEST, Bundle
from cmif.errors import BundleError


def open_bundle(path: Path) -> Bundle:
    """The bundle in ``path``. Raises :class:`BundleError` for a directory that is none, or whose files were altered."""
    require_bundle(path)
    files = {}
    for name in FILES:
        file = path / name
        if not file.is_file():
            raise BundleError(f"{name} is missing from the bundle.", hint="Split the model again.")
        files[name] = np.memmap(file, dtype=np.uint8, mode="r") if file.stat().st_size else b""
    return Bundle.load((path / MANIFEST).read_bytes(), files)


def require_bundle(path: Path) -> None:
    """Raises :class:`BundleError` for a directory that is no bundle."""
    if not (path / MANIFEST).is_file():
        raise BundleError(
            f"There is no client bundle in {path.name!r}.",
            hint="Make one with `cmif split MODEL -o OUT`; it is OUT/client.",
        )
