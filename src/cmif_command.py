"""The command `cmif`, one step before the package `cmif`: is the one that Python would import ours?

The package registry's `cmif` is another project's. Installed beside this one it writes into the same folder, and
whichever came last wins file by file; so this module stands outside, and imports nothing of `cmif` until it knows.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

_OTHER = (
    "Another project's package `cmif` is {}. "
    "Run, in this project's repository: pip uninstall cmif; pip install --force-reinstall ."
)


def another_cmif() -> str:
    """What is wrong with the package `cmif` that would be imported, or nothing."""
    ours = Path(__file__).with_name("cmif") / "__init__.py"
    spec = find_spec("cmif")
    if spec is None or spec.origin is None or Path(spec.origin).resolve() != ours.resolve():
        return _OTHER.format("found first" + (f", at {spec.origin}" if spec and spec.origin else ""))
    try:
        files = distribution("cmif").files or []
    except PackageNotFoundError:
        return ""
    overlap = any(Path(str(file.locate())).resolve() == ours.resolve() for file in files)
    return _OTHER.format("installed over this one") if overlap else ""


def main() -> None:
    problem = another_cmif()
    if problem:
        sys.stderr.write(f"cmif: {problem}\n")
        sys.exit(1)
    try:
        from cmif.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
