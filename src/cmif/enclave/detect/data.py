"""The word lists that detectors read: packaged, public, lower case."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files


def in_order(name: str) -> tuple[str, ...]:
    """The entries of ``cmif/enclave/data/<name>``: separated by commas and line ends, `#` starts a comment line."""
    text = files("cmif.enclave").joinpath(f"data/{name}").read_text("utf-8")
    lines = (line for line in text.split("\n") if not line.startswith("#"))
    return tuple(entry for line in lines for raw in line.split(",") if (entry := raw.strip()))


@lru_cache(maxsize=32)
def entries(name: str) -> frozenset[str]:
    """The same, whatever their order."""
    return frozenset(in_order(name))
