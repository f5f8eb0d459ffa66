"""What `docs/threat-model.md` says runs in the TEE is what is imported."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs/threat-model.md"
MODULES = {
    "enclave": "cmif.enclave.pipeline",
    "gateway": "cmif.gateway.enclave",
}


def documented() -> dict[str, set[str]]:
    text = DOCUMENT.read_text("utf-8").split("<!-- closure:begin -->")[1].split("<!-- closure:end -->")[0]
    lines = re.findall(r"^- .*: (.*)$", text, re.MULTILINE)
    return dict(zip(MODULES, (set(line.split(", ")) for line in lines), strict=True))


@pytest.mark.parametrize("ring", MODULES)
def test_the_documented_closure_is_the_real_one(ring: str) -> None:
    code = f"import json, sys, {MODULES[ring]}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {
        name
        for name in json.loads(done.stdout)
        if name not in sys.stdlib_module_names
        and not name.startswith("_")
        and name not in ("cython_runtime", "sitecustomize")
    }
    assert imported == documented()[ring]
    assert "torch" not in imported
