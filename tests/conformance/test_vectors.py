"""Every genuine vector beside the developers' checkout: accepted or refused as its README says, at its time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cmif.attest.evidence import Evidence, TeeKind
from cmif.attest.verify.appraise import appraise, require, verify
from cmif.attest.verify.claims import Need
from cmif.attest.verify.policy import AppraisalPolicy
from cmif.attest.verify.suggest import policy_for
from cmif.cli.main import app
from cmif.errors import AttestationError, InputError


def when(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Vector:
    """Files of one vector, the first and last second at which it verifies, and what it needs widened."""

    kind: TeeKind
    data: str
    first: str
    last: str
    collateral: str = ""
    chain: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()

    def evidence(self, folder: Path) -> Evidence:
        data = (folder / self.data).read_bytes()
        if self.data.endswith(".hex"):
            data = bytes.fromhex(data.decode())
        collateral = (folder / self.collateral).read_bytes() if self.collateral else b""
        return Evidence(
            self.kind, data, collateral, tuple((folder / name).read_bytes() for name in self.chain)
        )


MILAN, SMT, ALIAS = Need("product", "Milan"), Need("flag", "smt"), Need("flag", "alias_check_incomplete")
VECTORS = {
    "sgx": Vector(
        TeeKind.SGX, "sgx/sgx_quote", "2025-06-19T10:56:11", "2025-07-19T10:01:18", "sgx/sgx_quote_collateral.json",
        needs=(
            Need("tcb_status", "ConfigurationAndSWHardeningNeeded"),
            Need("advisory", "INTEL-SA-00289"),
            Need("advisory", "INTEL-SA-00615"),
        ),
    ),
    "tdx": Vector(
        TeeKind.TDX, "tdx/tdx_quote", "2025-06-19T10:32:27", "2025-07-19T10:00:34", "tdx/tdx_quote_collateral.json",
        needs=(Need("flag", "dynamic_platform"), Need("flag", "cached_keys"), SMT),
    ),
    "snp-milan": Vector(
        TeeKind.SNP, "snp/milan_attestation_report.bin", "2026-02-05T23:59:59", "2033-02-01T00:00:00",
        chain=("snp/milan_vcek.pem", "snp/milan_ask.pem", "snp/milan_ark.pem"), needs=(MILAN, SMT),
    ),
    "snp-genoa": Vector(
        TeeKind.SNP, "snp/genoa_attestation_report.bin", "2026-02-05T23:59:59", "2033-02-01T00:00:00",
        chain=("snp/genoa_vcek.pem", "snp/genoa_ask.pem", "snp/genoa_ark.pem"), needs=(SMT,),
    ),
    "snp-virtee": Vector(
        TeeKind.SNP, "snp/virtee_report_milan.hex", "2023-04-03T23:59:59", "2030-04-03T00:00:00",
        chain=("snp/virtee_vcek_milan.der", "snp/ask_ark_milan.pem"), needs=(MILAN, ALIAS, SMT),
    ),
    "snp-attrs-milan": Vector(
        TeeKind.SNP, "snp/attrs_test_report.bin", "2023-01-25T00:00:00", "2030-01-24T00:00:00",
        chain=("snp/ask_ark_milan.pem", "snp/attrs_test_vcek.der"), needs=(MILAN, ALIAS, SMT),
    ),
    "snp-attrs-genoa-v5": Vector(
        TeeKind.SNP, "snp/attrs_genoa_v5_report.bin", "2026-02-18T00:00:00", "2033-02-01T00:00:00",
        chain=("snp/ask_ark_genoa.pem", "snp/attrs_genoa_v5_vcek.der"), needs=(SMT,),
    ),
    "nitro": Vector(
        TeeKind.NITRO, "nitro/aws_nitro_document.cbor", "2022-11-09T22:51:57", "2022-11-10T01:52:00",
        chain=("nitro/aws_nitro_root_cert.pem",),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(shared_dir: Path) -> Path:
    return shared_dir / "vectors"


@pytest.fixture(params=VECTORS)
def vector(request: pytest.FixtureRequest) -> Vector:
    return VECTORS[request.param]


def test_the_files_are_the_ones_the_checksums_name(folder: Path) -> None:
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


def test_a_vector_verifies_from_its_first_to_its_last_second(vector: Vector, folder: Path) -> None:
    evidence = vector.evidence(folder)
    for moment in (when(vector.first), when(vector.last)):
        assert set(verify(evidence, moment).needs) == set(vector.needs)


@pytest.mark.parametrize("name", ["sgx", "tdx", "nitro"])
def test_one_second_outside_its_time_it_is_refused(name: str, folder: Path) -> None:
    vector = VECTORS[name]
    for moment in (when(vector.first) - timedelta(seconds=1), when(vector.last) + timedelta(seconds=1)):
        with pytest.raises(AttestationError):
            verify(vector.evidence(folder), moment)


def test_after_every_certificate_has_expired_it_is_refused(vector: Vector, folder: Path) -> None:
    with pytest.raises(AttestationError):
        verify(vector.evidence(folder), when("2051-01-01T00:00:00"))


def test_the_document_with_a_bad_signature_is_never_accepted(folder: Path) -> None:
    bad = replace(VECTORS["nitro"], data="nitro/aws_nitro_document_bad_sig.cbor").evidence(folder)
    for moment in (VECTORS["nitro"].first, VECTORS["nitro"].last, "2022-11-09T23:30:00"):
        with pytest.raises(AttestationError) as refusal:
            verify(bad, when(moment))
        assert refusal.value.check == "signature"


def test_policy_for_pins_what_is_there_and_asks_for_reasons(vector: Vector, folder: Path) -> None:
    evidence, at = vector.evidence(folder), when(vector.last)
    text = policy_for(verify(evidence, at))
    if vector.needs:
        with pytest.raises(InputError, match="without a reason"):
            AppraisalPolicy.parse(text)
    filled = AppraisalPolicy.parse(text.replace('reason = ""', 'reason = "a test"'))
    assert appraise(evidence, filled, at).accepted
    for dropped in vector.needs:
        (rule,) = filled.rules
        kept = {need: why for need, why in rule.widenings.items() if need != dropped}
        verdict = appraise(evidence, AppraisalPolicy((replace(rule, widenings=kept),)), at)
        assert (verdict.accepted, (verdict.reason or {})["check"]) == (False, dropped.subject)


def test_milan_is_refused_by_a_policy_that_does_not_say_why(folder: Path) -> None:
    vector = VECTORS["snp-milan"]
    claims = verify(vector.evidence(folder), when(vector.last))
    text = policy_for(claims).replace('[[snp.widen]]\nproduct = "Milan"\nreason = ""\n', "")
    verdict = appraise(
        vector.evidence(folder), AppraisalPolicy.parse(text.replace('reason = ""', 'reason = "x"')), when(vector.last)
    )
    assert verdict.reason is not None
    assert (verdict.reason["check"], verdict.reason["seen"]) == ("product", "Milan")


def test_evidence_is_refused_for_another_request(vector: Vector, folder: Path) -> None:
    evidence, at = vector.evidence(folder), when(vector.last)
    policy = AppraisalPolicy.parse(policy_for(verify(evidence, at)).replace('reason = ""', 'reason = "x"'))
    with pytest.raises(AttestationError) as refusal:
        require(evidence, policy, at, report_data=b"\x5a" * 64)
    assert refusal.value.check == "report_data"


def flip_everywhere(evidence: Evidence, at: datetime, bits: Callable[[int], tuple[int, ...]]) -> None:
    """Every byte of the evidence is covered by a signature, a pinned root or the one allowed framing."""
    for offset in range(len(evidence.data)):
        for bit in bits(offset):
            flipped = bytearray(evidence.data)
            flipped[offset] ^= bit
            with pytest.raises(AttestationError):
                verify(replace(evidence, data=bytes(flipped)), at)


@pytest.mark.parametrize("name", ["sgx", "tdx", "snp-genoa", "nitro"])
def test_every_byte_flipped_is_refused(name: str, folder: Path) -> None:
    """All bytes of one report of each kind, one bit each (another one from byte to byte)."""
    vector = VECTORS[name]
    flip_everywhere(vector.evidence(folder), when(vector.last), lambda offset: (1 << offset % 8,))


@pytest.mark.slow
@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("name", ["sgx", "tdx", "snp-genoa", "nitro"])
def test_every_bit_flipped_is_refused(name: str, bit: int, folder: Path) -> None:
    vector = VECTORS[name]
    flip_everywhere(vector.evidence(folder), when(vector.last), lambda _: (1 << bit,))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["snp-genoa", "snp-virtee"])
def test_every_byte_of_an_endorsement_certificate_flipped_is_refused(name: str, folder: Path) -> None:
    vector = VECTORS[name]
    evidence = vector.evidence(folder)
    at = next(i for i, file in enumerate(vector.chain) if "vcek" in file)
    from cmif.attest.verify.chain import load_certificates

    (certificate,) = load_certificates([evidence.chain[at]])
    from cryptography.hazmat.primitives.serialization import Encoding

    der = certificate.public_bytes(Encoding.DER)
    for offset in range(len(der)):
        flipped = bytearray(der)
        flipped[offset] ^= 1
        chain = tuple(bytes(flipped) if i == at else entry for i, entry in enumerate(evidence.chain))
        with pytest.raises(AttestationError):
            verify(replace(evidence, chain=chain), when(vector.last))


def test_the_command_keeps_its_contract(vector: Vector, folder: Path, tmp_path: Path) -> None:
    base = ["--kind", str(vector.kind), "--evidence", str(folder / vector.data), "--at", f"{vector.last}Z"]
    if vector.collateral:
        base += ["--collateral", str(folder / vector.collateral)]
    if vector.chain:
        base += ["--chain", *(str(folder / name) for name in vector.chain)]
    runner = CliRunner()
    printed = runner.invoke(app, ["attest", "policy-for", *base])
    assert printed.exit_code == 0
    policy = tmp_path / "policy.toml"
    policy.write_text(printed.stdout.replace('reason = ""', 'reason = "a test"'))
    accepted = runner.invoke(app, ["attest", "appraise", *base, "--policy", str(policy), "--json"])
    told = json.loads(accepted.stdout)
    assert (accepted.exit_code, told["accepted"], told["reason"]) == (0, True, None)
    assert list(told) == [
        "accepted",
        "reason",
        "measurement",
        "platform",
        "tcb_status",
        "advisories",
        "report_data",
    ]
    (tmp_path / "empty.toml").write_text("")
    refused = runner.invoke(
        app, ["attest", "appraise", *base, "--policy", str(tmp_path / "empty.toml"), "--json"]
    )
    told = json.loads(refused.stdout)
    assert (refused.exit_code, told["accepted"], told["reason"]["check"]) == (1, False, "policy")
    assert {"check", "expected", "seen"} <= set(told["reason"])
