"""The page of `cmif attest page` in Chromium, over a gateway in the simulated TEE. Its pictures in docs/ are this test's."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.boundary.test_sealed_end_to_end import (
    LABEL,
    Deployment,
    deployment,
    running,
    simulated_policy,
    until,
)
from tests.conformance.clients.test_browser import AXE, CHROMIUM
from tests.conformance.clients.test_clients import HERE, PYTHON

__all__ = ["deployment", "simulated_policy"]


@pytest.mark.clients
@pytest.mark.skipif(not PYTHON.exists(), reason="needs the clients: scripts/install-clients")
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, a package of Debian's")
@pytest.mark.skipif(not AXE.exists(), reason="needs Node's clients: scripts/install-clients")
def test_the_attestation_page_shows_its_verdict_and_axe_finds_no_fault(
    deployment: Deployment, simulated_policy: Path, tmp_path: Path
) -> None:
    pictures = Path(os.environ.get("CMIF_PICTURES", tmp_path)).resolve()
    environment = deployment.environment
    with ExitStack() as stack:
        offered = deployment.release(simulated_policy, "--allow-simulated")
        release = stack.enter_context(running("cmif", *offered, environment=environment))
        arguments = deployment.gateway(release["url"], "simulated")
        gateway = stack.enter_context(running("cmif", *arguments, environment=environment))
        until(gateway["url"], None)
        page = ("cmif", "attest", "page", gateway["url"], "--policy", str(simulated_policy))
        accepted = stack.enter_context(running(*page, "--allow-simulated", environment=environment))
        refused = stack.enter_context(running(*page, environment=environment))
        asked = {
            "accepted": accepted["url"], "refused": refused["url"], "page": "http://127.0.0.1:", "axe": str(AXE),
            "chromium": CHROMIUM, "pictures": str(pictures),
        }  # fmt: skip
        run = subprocess.run(
            [str(PYTHON), str(HERE / "python" / "attested.py")], input=json.dumps(asked), capture_output=True,
            text=True, timeout=300,
        )  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]
    told = json.loads(run.stdout)
    assert told["axe"] == []
    assert told["elsewhere"] == []
    assert told["problems"] == []
    assert LABEL in told["accepted"]
    assert gateway["config_digest"] in told["accepted"]
    assert "In force" in told["accepted"]
    assert "NOT BOUND" in told["accepted"], "this gateway has no TLS"
    assert told["refused, title"] == "Do not use this gateway"
    assert "simulated" in told["refused"]
    assert told["again"] == told["accepted, title"]
    assert not told["scrolls sideways"]
    assert {p.name for p in pictures.glob("attest-*.png")} == {"attest-accepted.png", "attest-refused.png"}
