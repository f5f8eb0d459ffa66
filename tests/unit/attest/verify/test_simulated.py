from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from cmif.attest import simulated
from cmif.attest.evidence import Evidence, TeeKind
from cmif.attest.verify.appraise import require, verify
from cmif.attest.verify.policy import AppraisalPolicy
from cmif.attest.verify.suggest import policy_for
from cmif.errors import AttestationError

tee = pytest.importorskip("cmif_simulated_tee.tee", reason="needs the distribution cmif-simulated-tee")
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMIF_SIMULATED_TEE_KEY", str(tmp_path / "device.key"))
    monkeypatch.setattr(
        "cmif_simulated_tee.tee.forbid_dumps", lambda: None
    )  # it would also bind this test run


def evidence(data: bytes = bytes(64)) -> Evidence:
    return Evidence(TeeKind.SIMULATED, tee.SimulatedTee().produce(data))


def check(act: Callable[[], object]) -> str:
    with pytest.raises(AttestationError) as refusal:
        act()
    return refusal.value.check


def test_it_is_accepted_only_when_policy_and_command_line_both_name_it() -> None:
    made = evidence(b"\x07" * 64)
    claims = verify(made, NOW)
    assert claims.report_data == b"\x07" * 64
    text = policy_for(claims)
    policy = AppraisalPolicy.parse(text.replace('reason = ""', 'reason = "a test"'))
    assert require(made, policy, NOW, allow_simulated=True).platform == simulated.LABEL
    assert check(lambda: require(made, policy, NOW)) == "simulated"
    assert check(lambda: require(made, AppraisalPolicy(), NOW, allow_simulated=True)) == "simulated"
    (rule,) = policy.rules
    assert (
        check(lambda: require(made, AppraisalPolicy((replace(rule, widenings={}),)), NOW, allow_simulated=True))
        == "tee"
    )


def test_every_output_is_labelled() -> None:
    claims = verify(evidence(), NOW)
    assert claims.platform == claims.tcb_status == simulated.LABEL == tee.LABEL


def test_another_device_or_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = AppraisalPolicy.parse(policy_for(verify(evidence(), NOW)).replace('reason = ""', 'reason = "a test"'))
    monkeypatch.setenv("CMIF_SIMULATED_TEE_KEY", str(tmp_path / "other.key"))
    assert check(lambda: require(evidence(), policy, NOW, allow_simulated=True)) == "device"
    monkeypatch.setenv("CMIF_SIMULATED_TEE_KEY", str(tmp_path / "device.key"))
    monkeypatch.setattr("cmif_simulated_tee.tee.measure", lambda engine: "66" * 48)
    assert check(lambda: require(evidence(), policy, NOW, allow_simulated=True)) == "measurement"


def test_every_flipped_byte_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = evidence(bytes(range(64)))
    monkeypatch.setattr(
        "cmif.attest.verify.simulated.load", tee.SimulatedTee
    )  # without searching entry points each time
    for at in range(len(made.data)):
        flipped = bytearray(made.data)
        flipped[at] ^= 1
        assert check(partial(verify, replace(made, data=bytes(flipped)), NOW)) == "signature"


def test_without_the_distribution_nothing_can_be_read_or_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmif.attest.simulated.entry_points", lambda **_: ())
    assert check(simulated.load) == "simulated"
    assert check(lambda: verify(Evidence(TeeKind.SIMULATED, b"x"), NOW)) == "simulated"


def test_a_hardened_process_gives_no_core_and_no_memory_to_its_own_user() -> None:
    code = (
        "import ctypes, resource; from cmif_simulated_tee.harden import forbid_dumps; forbid_dumps();"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0 (0, 0)"


def test_secret_memory_holds_what_is_written_where_the_kernel_allows_it() -> None:
    from cmif_simulated_tee.harden import secret_memory

    memory = secret_memory(32)
    if memory is None:
        pytest.skip("memfd_secret is not allowed here")
    memory[:4] = b"seed"
    assert bytes(memory[:4]) == b"seed"
    memory.close()
