"""What a programme or module needs, in the order it loads in.

`needed.py libraries ROOT FILE`, `needed.py modules DIR NAME...`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def libraries(root: Path, file: str) -> list[str]:
    """Every shared library of ``file`` and its own, and the loader, below ``root``."""
    found: dict[str, None] = {"usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": None}
    todo = [file]
    while todo:
        told = subprocess.run(
            ["readelf", "-d", str(root / todo.pop())], check=True, capture_output=True, text=True
        ).stdout
        for name in re.findall(r"\(NEEDED\).*\[(.+)\]", told):
            path = f"usr/lib/x86_64-linux-gnu/{name}"
            if path not in found:
                found[path] = None
                todo.append(path)
    return list(found)


def modules(folder: Path, names: list[str]) -> list[str]:
    """Files of ``names`` below ``folder``, each after those it depends on; what the kernel holds itself is left out."""
    needs = {}
    for line in (folder / "modules.dep").read_text("ascii").splitlines():
        file, _, before = line.partition(":")
        needs[file] = before.split()
    named = {Path(file).name.partition(".")[0].replace("-", "_"): file for file in needs}
    built_in = {
        Path(file).stem.replace("-", "_") for file in (folder / "modules.builtin").read_text("ascii").splitlines()
    }
    out: dict[str, None] = {}
    for name in names:
        if name not in named:
            if name not in built_in:
                raise SystemExit(f"needed.py: this kernel has no module {name}")
            continue
        for file in (*reversed(needs[named[name]]), named[name]):
            out[file] = None
    return list(out)


if __name__ == "__main__":
    what, where, *rest = sys.argv[1:]
    print("\n".join(libraries(Path(where), rest[0]) if what == "libraries" else modules(Path(where), rest)))
