"""The exact files a gateway opens: `python deploy/gramine/trusted_files.py OUT GATEWAY.toml`.

Runs `cmif.gateway.enclave` in this process until it is told to stop (SIGTERM, SIGINT), and then writes OUT: one path a
line, with the interpreter, every imported module's source or library, every shared library that is mapped and
every file of the installation that was opened while it served. Send it real requests before stopping it: what is
imported late is seen then. Prefixes are replaced by the names that `cmif.manifest.template` uses, so that two machines
with the same image give the same list.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import sysconfig
from pathlib import Path

_opened: set[str] = set()


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str) and arguments[1] in ("r", "rb", None):
        _opened.add(arguments[0])


def _prefixes() -> list[tuple[str, str]]:
    import cmif

    paths = sysconfig.get_paths()
    found = [
        (str(Path(cmif.__file__).parent), "{{ site }}/cmif"),
        (paths["purelib"], "{{ site }}"),
        (paths["platlib"], "{{ site }}"),
        (paths["stdlib"], "{{ stdlib }}"),
        (str(Path(sys.executable).resolve().parent.parent / "lib"), "{{ python_lib }}"),
        (f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}", "/usr{{ arch_libdir }}"),
        (f"/lib/{sysconfig.get_config_var('MULTIARCH')}", "{{ arch_libdir }}"),
    ]
    return sorted(((prefix, name) for prefix, name in found if prefix), key=lambda pair: -len(pair[0]))


def named(path: str) -> str | None:
    """The path under the template's names, or None for a file outside the image (state, bundle, pseudo-files)."""
    for prefix, name in _prefixes():
        if path.startswith(prefix + "/"):
            return name + path[len(prefix) :]
    return None


def files() -> list[str]:
    """Everything this process needs of its image, sorted."""
    found = set(_opened)
    for module in list(sys.modules.values()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        if isinstance(origin, str) and os.path.isfile(origin):
            found.add(origin)
    with open("/proc/self/maps", encoding="utf-8") as maps:
        found |= {line.split(maxsplit=5)[5].strip() for line in maps if line.count("/") and ".so" in line}
    for library in [path for path in found if ".so" in path]:  # the loader opens them by their links' names
        stem = library.split(".so", 1)[0] + ".so"
        found |= {
            str(link) for link in Path(library).parent.glob(Path(stem).name + ".*") if link.is_symlink()
        }
    kept = {named(path) for path in found if os.path.isfile(path) and "__pycache__" not in path}
    return sorted({path for path in kept if path} | {"{{ python }}"})


def main() -> None:
    out, sys.argv[1:] = Path(sys.argv[1]), sys.argv[2:]
    sys.addaudithook(_watch)
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(0)
    )  # the server raises the signal again when it has stopped
    from cmif.gateway.enclave import main as serve

    atexit.register(lambda: out.write_text("\n".join(files()) + "\n", "utf-8"))
    serve()


if __name__ == "__main__":
    main()
