"""Pages in a real Chromium: what a test of one needs, and what each must be free of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.clients.test_clients import HERE, PYTHON

AXE = HERE / "node" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = shutil.which("chromium")


def needs_chromium(test: Callable[..., None]) -> Callable[..., None]:
    for mark in (
        pytest.mark.skipif(not AXE.exists(), reason="needs Node's clients: scripts/install-clients"),
        pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, a package of Debian's"),
        pytest.mark.skipif(not PYTHON.exists(), reason="needs the clients: scripts/install-clients"),
        pytest.mark.clients,
    ):
        test = mark(test)
    return test


def in_chromium(script: str, pictures: Path, **asked: Any) -> dict[str, Any]:
    """What `python/SCRIPT.py` saw, told ``asked``; no fault that axe finds, and nothing loaded from elsewhere. Pictures go
    to ``pictures``, or where CMIF_PICTURES says; their names are in ``pictures`` of what is told."""
    where = Path(os.environ.get("CMIF_PICTURES", pictures)).resolve()
    given = json.dumps({"axe": str(AXE), "chromium": CHROMIUM, "pictures": str(where)} | asked)
    command = [str(PYTHON), str(HERE / "python" / f"{script}.py")]
    run = subprocess.run(command, input=given, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-4000:]
    told: dict[str, Any] = json.loads(run.stdout)
    assert told["axe"] == []
    assert told["elsewhere"] == []
    return told | {"pictures": {picture.name for picture in where.glob("*.png")}}
