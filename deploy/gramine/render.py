"""Render the manifest: `python deploy/gramine/render.py NAME=VALUE... > cmif.manifest`, for gramine-sgx-sign.

Stands in for gramine-manifest, which takes no lists: the trusted files come from trusted-files.txt, one entry each. The
Gramine paths default to those of its Debian package; give ``gramine=DIR`` for another installation.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

from jinja2 import Environment, StrictUndefined, meta

HERE = Path(__file__).parent


def render(values: dict[str, str]) -> str:
    """The manifest as TOML. Raises `jinja2.UndefinedError` for a value that the template needs and was not given."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701 (TOML, not HTML)
    installed = values.get("gramine", "/usr/lib/x86_64-linux-gnu/gramine")
    gramine = SimpleNamespace(
        runtimedir=lambda: f"{installed}/runtime/glibc", libos=f"{installed}/libsysdb.so"
    )
    names = (HERE / "trusted-files.txt").read_text("utf-8").splitlines()
    trusted = [
        environment.from_string(name).render(values) for name in names if name and not name.startswith("#")
    ]
    template = environment.from_string((HERE / "cmif.manifest.template").read_text("utf-8"))
    return template.render({**values, "gramine": gramine, "trusted_files": trusted})


def needed() -> list[str]:
    """Names of the values that manifest and list ask for."""
    text = "".join((HERE / name).read_text("utf-8") for name in ("trusted-files.txt", "cmif.manifest.template"))
    return sorted(meta.find_undeclared_variables(Environment().parse(text)) - {"gramine", "trusted_files"})  # noqa: S701


if __name__ == "__main__":
    given = dict(argument.partition("=")[::2] for argument in sys.argv[1:])
    if missing := [name for name in needed() if name not in given]:
        sys.exit(f"render.py: give {' '.join(f'{name}=...' for name in missing)} as well.")
    sys.stdout.write(render(given))
