"""Render the manifest: `python deploy/gramine/render.py NAME=VALUE... > cmif.manifest`, for gramine-sgx-sign.

Stands in for gramine-manifest, which takes no lists: the trusted files come from trusted-files.txt, one entry each. The
Gramine paths default to those of its Debian package; give ``gramine=DIR`` for another installation.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

from jinja2 import Environment, StrictUndefined

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


if __name__ == "__main__":
    sys.stdout.write(render(dict(argument.split("=", 1) for argument in sys.argv[1:])))
