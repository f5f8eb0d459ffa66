from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from starlette.applications import Starlette

from cmif.attest import nvattest
from cmif.attest.evidence import MAX_GPU_BYTES, MAX_GPUS, Evidence, GpuEvidence, TeeKind
from cmif.attest.messages import config_digest
from cmif.attest.prove import nvidia as collecting
from cmif.attest.prove.route import attestation_route
from cmif.attest.prove.statement import statement
from cmif.attest.subject import Subject
from cmif.attest.verify import nvidia, simulated
from cmif.attest.verify.appraise import Roots, require, verify
from cmif.attest.verify.claims import Claims, Need
from cmif.attest.verify.policy import AppraisalPolicy, GpuPolicy
from cmif.attest.verify.statement import require_statement
from cmif.attest.verify.suggest import policy_for
from cmif.errors import AttestationError, InputError
from tests.unit.attest.fake_nvattest import gpu, program, table
from tests.unit.attest.forge_snp import Amd

NOW = datetime.now(UTC)
AMD = Amd()
ROOTS = Roots(amd=AMD.roots)
NONCE = bytes(range(32))
SUBJECT = Subject(config_digest({"serves": "engine"}).hex(), "b1" * 32, "ab" * 32)
RULES = f'config_digests = ["{SUBJECT.config}"]\n' + policy_for(verify(AMD.evidence(), NOW, ROOTS))
CHAIN = "x-nvidia-gpu-attestation-report-cert-chain"


def rules(verifier: Path) -> GpuPolicy:
    found = AppraisalPolicy.parse(table(verifier)).gpu
    assert found is not None
    return found


def refused(what: Callable[[], object]) -> str:
    with pytest.raises(AttestationError) as refusal:
        what()
    return refusal.value.check


class Snp:
    kind = TeeKind.SNP

    def produce(self, report_data: bytes) -> Evidence:
        return AMD.evidence(AMD.report(report_data))


def told(gpus: Callable[[bytes], tuple[GpuEvidence, ...]] | None = None) -> Any:
    """What an engine answers that is asked with NONCE, as JSON that went over the network."""

    async def ask() -> Any:
        app = Starlette(routes=[attestation_route(Snp(), SUBJECT, gpus=gpus)])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://engine") as client:
            return (await client.get("/attestation", params={"nonce": NONCE.hex()})).json()

    return asyncio.run(ask())


def accept(what: Any, policy: AppraisalPolicy) -> Claims:
    return require_statement(what, NONCE, policy, NOW, tls_spki=SUBJECT.tls_spki, roots=ROOTS)[0]


def test_gpus_that_nvidias_verifier_accepts_and_the_policy_lists_are_accepted(tmp_path: Path) -> None:
    verifier = program(tmp_path, gpus=2)
    answer = told(partial(collecting.collect, verifier))
    assert len(answer["gpus"]) == 2
    assert accept(answer, AppraisalPolicy.parse(RULES + table(verifier))).needs == ()
    assert accept(answer, AppraisalPolicy.parse(RULES)).needs == ()  # a policy that does not ask for them


def test_what_the_tee_did_not_vouch_for_is_refused(tmp_path: Path) -> None:
    verifier = program(tmp_path)
    policy = AppraisalPolicy.parse(RULES + table(verifier))
    answer = told(partial(collecting.collect, verifier))
    mine = gpu(SUBJECT.gpu_nonce(NONCE))
    other = replace(mine, report=mine.report.replace(b"\x00signed", b"\x01signed"))
    for gpus in ([], [other.told()], answer["gpus"] * 2, [mine.told() | {"vbios_version": "96.00.A5.00.02"}]):
        assert refused(partial(accept, answer | {"gpus": gpus}, policy)) == "report_data"
    assert refused(partial(accept, told(), policy)) == "gpu"


def test_a_report_of_another_question_or_another_engine_is_refused(tmp_path: Path) -> None:
    policy = AppraisalPolicy.parse(RULES + table(program(tmp_path)))
    asked = [SUBJECT.gpu_nonce(bytes(32)), replace(SUBJECT, tls_spki="cd" * 32).gpu_nonce(NONCE), NONCE]
    for nonce in asked:
        assert refused(partial(accept, told(lambda _, nonce=nonce: (gpu(nonce),)), policy)) == "gpu_nonce"


def test_a_policy_of_gpus_refuses_evidence_that_cannot_carry_any(tmp_path: Path) -> None:
    """Key release among it: a gateway has no GPU to show."""
    policy = AppraisalPolicy.parse(RULES + table(program(tmp_path)))
    evidence = AMD.evidence(AMD.report(bytes(64)))
    assert refused(lambda: require(evidence, policy, NOW, report_data=bytes(64), roots=ROOTS)) == "gpu"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("eat_nonce", "00" * 32),
        ("x-nvidia-device-type", "nvswitch"),
        ("x-nvidia-gpu-arch-check", False),
        ("x-nvidia-gpu-attestation-report-signature-verified", False),
        ("x-nvidia-gpu-attestation-report-signature-verified", None),
        ("x-nvidia-gpu-attestation-report-signature-verified", "absent"),
        ("x-nvidia-gpu-attestation-report-signature-verified", 1),
        ("x-nvidia-gpu-attestation-report-nonce-match", "true"),
        ("x-nvidia-gpu-attestation-report-cert-chain-fwid-match", False),
        (CHAIN, "valid"),
        (f"{CHAIN}/x-nvidia-cert-status", "expired"),
        (f"{CHAIN}/x-nvidia-cert-status", None),
        (f"{CHAIN}/x-nvidia-cert-ocsp-status", "revoked"),
        (f"{CHAIN}/x-nvidia-cert-ocsp-status", "unknown"),
        (f"{CHAIN}/x-nvidia-cert-ocsp-nonce-matches", False),
        ("x-nvidia-gpu-driver-rim-cert-chain/x-nvidia-cert-status", "expired"),
        ("x-nvidia-gpu-vbios-rim-cert-chain/x-nvidia-cert-ocsp-status", "revoked"),
        ("x-nvidia-gpu-vbios-rim-signature-verified", False),
        ("measres", "fail"),
        ("secboot", False),
        ("dbgstat", "enabled"),
        ("x-nvidia-mismatch-measurement-records", [{"index": 9}]),
        ("x-nvidia-mismatch-opaque-data-records", [{"id": 1}]),
    ],
)
def test_what_the_verifier_says_against_a_gpu_is_never_accepted(tmp_path: Path, path: str, value: object) -> None:
    verifier = program(tmp_path, claims={path: value})
    assert refused(lambda: nvidia.verify([gpu(NONCE)], NONCE, rules(verifier))) == "gpu"


@pytest.mark.parametrize(
    ("path", "pin"),
    [("hwmodel", "gpu_model"), ("x-nvidia-gpu-driver-version", "gpu_driver"), ("x-nvidia-gpu-vbios-version", "gpu_vbios")],
)
def test_models_and_versions_are_the_policys(tmp_path: Path, path: str, pin: str) -> None:
    verifier = program(tmp_path, claims={path: "1.2"})
    assert refused(lambda: nvidia.verify([gpu(NONCE)], NONCE, rules(verifier))) == pin


def test_what_was_not_checked_is_a_need(tmp_path: Path) -> None:
    def needs(**claims: object) -> tuple[Need, ...]:
        return nvidia.verify([gpu(NONCE)], NONCE, rules(program(tmp_path, claims=claims)))

    assert needs() == ()
    assert needs(measres=None) == needs(measres="absent") == (Need("gpu", "measurements"),)
    assert needs(**{f"{CHAIN}/x-nvidia-cert-ocsp-status": None}) == (Need("gpu", "revocation"),)
    assert needs(**{"x-nvidia-gpu-vbios-rim-cert-chain": None}) == (Need("gpu", "measurements"), Need("gpu", "revocation"))


def test_only_beside_a_simulated_tee_may_something_be_unchecked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = program(tmp_path, claims={"measres": None})
    nonce = SUBJECT.gpu_nonce(NONCE)
    answer = told(lambda asked: (gpu(asked),))
    assert refused(partial(accept, answer, AppraisalPolicy.parse(RULES + table(verifier)))) == "gpu"
    with pytest.raises(InputError, match="unknown key"):
        AppraisalPolicy.parse(RULES + '[[snp.widen]]\ngpu = "measurements"\nreason = "no network"\n')

    pins = {"measurement": "11" * 48, "device": "22" * 32}
    label = "SIMULATED"
    shown = Claims(TeeKind.SIMULATED, "11" * 48, label, label, (), bytes(64), pins, needs=(simulated.NEED,))
    monkeypatch.setattr(simulated, "verify", lambda evidence: shown)
    text = "[[simulated]]\n" + "".join(f'{key} = "{value}"\n' for key, value in pins.items())
    text += '[[simulated.widen]]\ntee = "simulated"\nreason = "test"\n'
    consent = '[[simulated.widen]]\ngpu = "measurements"\nreason = "no network"\n'
    evidence = Evidence(TeeKind.SIMULATED, b"", gpus=(gpu(nonce),))

    def judge(more: str, allow: bool = True) -> Claims:
        policy = AppraisalPolicy.parse(text + more + table(verifier))
        return require(evidence, policy, NOW, gpu_nonce=nonce, allow_simulated=allow)

    assert Need("gpu", "measurements") in judge(consent).needs
    assert refused(lambda: judge("")) == "gpu"
    assert refused(lambda: judge(consent.replace("measurements", "revocation"))) == "gpu"
    assert refused(lambda: judge(consent, allow=False)) == "simulated"


@pytest.mark.parametrize(
    "given",
    [
        {"print": ""},
        {"print": "[]"},
        {"print": "[" * 100_000},
        {"print": '{"result_code": false, "claims": [{}]}'},
        {"print": '{"claims": [{}]}'},
        {"print": '{"result_code": 8, "claims": [{}]}'},
        {"print": '{"result_code": 0, "claims": [{}]}', "exit": 1},
        {"print": '{"result_code": 0}'},
        {"print": '{"result_code": 0, "claims": {"0": {}}}'},
        {"print": '{"result_code": 0, "claims": ["gpu"]}'},
        {"told": 0},
    ],
)
def test_a_verifier_that_says_no_or_nothing_is_a_refusal(tmp_path: Path, given: dict[str, Any]) -> None:
    verifier = program(tmp_path, **given)
    assert refused(lambda: nvidia.verify([gpu(NONCE)], NONCE, rules(verifier))) == "gpu_verifier"


def test_a_verifier_that_is_not_there_or_late_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(lambda: nvidia.verify([gpu(NONCE)], NONCE, rules(tmp_path / "none"))) == "gpu_verifier"
    assert refused(lambda: nvidia.verify([gpu(NONCE)], NONCE, rules(tmp_path))) == "gpu_verifier"
    late = tmp_path / "late"
    late.write_text("#!/bin/sh\nsleep 2\necho '{\"result_code\": 0}'\n", "ascii")
    late.chmod(0o755)
    monkeypatch.setattr(nvattest, "TIMEOUT_S", 0.2)
    with pytest.raises(AttestationError) as refusal:
        nvattest.run(late, "attest", NONCE, [gpu(NONCE)])
    assert (refusal.value.check, refusal.value.seen) == ("gpu_verifier", "no answer in 0.2 s")


def test_the_program_sees_nothing_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMIF_SECRET", "s3cret")
    seen = tmp_path / "seen"
    spy = tmp_path / "spy"
    spy.write_text(f'#!/bin/sh\n{{ env; pwd; stat -c %a .; cat; }} > "{seen}"\necho \'{{"result_code": 0}}\'\n', "ascii")
    spy.chmod(0o755)
    nvattest.run(spy, "attest", NONCE, [gpu(NONCE)])
    *environment, folder, mode = seen.read_text("utf-8").splitlines()
    assert {line.split("=")[0] for line in environment} <= {"PATH", "HOME", "PWD", "SHLVL", "OLDPWD", "_"}
    assert mode == "700"
    assert not os.path.exists(folder)


@pytest.mark.parametrize("given", [{"nonce": "00" * 32}, {"gpus": 0}, {"gpus": MAX_GPUS + 1}])
def test_gpus_that_answer_something_else_are_no_evidence(tmp_path: Path, given: dict[str, Any]) -> None:
    assert refused(lambda: collecting.collect(program(tmp_path, **given), NONCE)) == "produce"


GOOD = gpu(NONCE).told()


@pytest.mark.parametrize(
    "what",
    [
        None,
        [],
        GOOD | {"arch": "KEPLER"},
        GOOD | {"version": "2.0"},
        GOOD | {"nonce": "00" * 32},
        GOOD | {"nonce": NONCE.hex().upper()},
        GOOD | {"more": ""},
        {key: value for key, value in GOOD.items() if key != "nonce"},
        GOOD | {"evidence": "*"},
        GOOD | {"evidence": 1},
        GOOD | {"certificate": ""},
        GOOD | {"evidence": GOOD["evidence"] + "\n"},
        GOOD | {"driver_version": "590.12\n"},
        GOOD | {"vbios_version": ""},
        replace(gpu(NONCE), report=gpu(NONCE).report + bytes(MAX_GPU_BYTES)).told(),
        replace(gpu(NONCE), chain=bytes(MAX_GPU_BYTES + 1)).told(),
    ],
)
def test_evidence_of_a_gpu_has_one_form(what: Any) -> None:
    assert GpuEvidence.parse(json.loads(json.dumps(GOOD))) == gpu(NONCE)
    with pytest.raises(ValueError):
        GpuEvidence.parse(what)
    good = statement(SUBJECT, AMD.evidence(AMD.report(SUBJECT.report_data(NONCE))))
    policy = AppraisalPolicy.parse(RULES)
    assert refused(partial(accept, good | {"gpus": [what]}, policy)) == "format"


def test_no_more_gpus_than_a_machine_has() -> None:
    good = statement(SUBJECT, AMD.evidence(AMD.report(SUBJECT.report_data(NONCE))))
    for gpus in ([GOOD] * (MAX_GPUS + 1), 1):
        assert refused(partial(accept, good | {"gpus": gpus}, AppraisalPolicy.parse(RULES))) == "format"


@pytest.mark.parametrize(
    "text",
    [
        "[gpu]\n",
        "gpu = 1\n",
        "[[gpu]]\n",
        table(Path("/v")) + "count = 1\n",
        table(Path("/v")).replace("vbios", "bios"),
        table(Path("nvattest")),
        table(Path("/v")).replace('"/v"', "1"),
        table(Path("/v")).replace('["590.12"]', '"590.12"'),
    ],
)
def test_a_table_of_gpus_says_all_of_it_and_nothing_else(text: str) -> None:
    with pytest.raises(InputError, match="gpu"):
        AppraisalPolicy.parse(text)
