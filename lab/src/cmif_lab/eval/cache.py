"""A cache of arrays computed from public data (features, word vectors, n-gram counts), outside the
repository.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np


def folder() -> Path:
    """``$XDG_CACHE_HOME/cmif/eval`` (default ``~/.cache``); created on first use."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cmif" / "eval"
    path.mkdir(parents=True, exist_ok=True)
    return path


def digest(parts: Iterable[str]) -> str:
    """Hex of a hash over the parts, unambiguous in their borders."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode()
        state.update(len(data).to_bytes(8, "little") + data)
    return state.hexdigest()[:24]


def arrays(
    name: str, parts: Iterable[str], make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """What ``make`` returns, stored under ``name`` and the digest of ``parts`` (everything the result depends
    on).
    """
    path = folder() / f"{name}-{digest(parts)}.npz"
    if path.is_file():
        with np.load(path) as stored:
            return {key: stored[key] for key in stored.files}
    made = make()
    temporary = path.with_suffix(f".{os.getpid()}.npz")
    np.savez(temporary, **made)  # type: ignore[arg-type]
    temporary.replace(path)
    return made
