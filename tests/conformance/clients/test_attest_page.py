"""The page of `cmif attest page` in Chromium, over a gateway in the simulated TEE. Its pictures in docs/ are this test's."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.boundary.test_sealed_end_to_end import (
    LABEL,
    Deployment,
    deployment,
    running,
    simulated_policy,
    until,
)
from tests.conformance.clients.chromium import in_chromium, needs_chromium

__all__ = ["deployment", "simulated_policy"]


@needs_chromium
def test_the_attestation_page_shows_its_verdict_and_axe_finds_no_fault(
    deployment: Deployment, simulated_policy: Path, tmp_path: Path
) -> None:
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
        urls = {"accepted": accepted["url"], "refused": refused["url"], "page": "http://127.0.0.1:"}
        told = in_chromium("attested", tmp_path, **urls)
    assert told["problems"] == []
    assert LABEL in told["accepted"]
    assert gateway["config_digest"] in told["accepted"]
    assert "In force" in told["accepted"]
    assert "NOT BOUND" in told["accepted"], "this gateway has no TLS"
    assert told["refused, title"] == "Do not use this gateway"
    assert "simulated" in told["refused"]
    assert told["again"] == told["accepted, title"]
    assert not told["scrolls sideways"]
    assert told["pictures"] >= {"attest-accepted.png", "attest-refused.png"}
