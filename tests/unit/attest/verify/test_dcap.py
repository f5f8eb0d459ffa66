from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cmif.attest.evidence import Evidence, TeeKind
from cmif.attest.verify import dcap
from cmif.attest.verify.claims import Need
from cmif.errors import AttestationError
from tests.unit.attest.forge_intel import Intel

NOW = datetime.now(UTC)
KINDS = [TeeKind.SGX, TeeKind.TDX]


@pytest.fixture(scope="module")
def intel() -> Intel:
    return Intel()


def refused(intel: Intel, evidence: Evidence, at: datetime = NOW) -> str:
    with pytest.raises(AttestationError) as refusal:
        dcap.verify(evidence, at, intel.root)
    return refusal.value.check


@pytest.mark.parametrize("kind", KINDS)
def test_claims_are_what_the_quote_says(intel: Intel, kind: TeeKind) -> None:
    claims = dcap.verify(intel.evidence(kind, b"\x07" * 64, measurement=0x21), NOW, intel.root)
    assert claims.measurement == "21" * (32 if kind is TeeKind.SGX else 48)
    assert claims.report_data == b"\x07" * 64
    assert claims.platform == f"ppid:{intel.ppid.hex()}"
    assert (claims.tcb_status, claims.advisories, claims.needs) == ("UpToDate", (), ())
    assert claims.issued == intel.now - timedelta(days=1)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_strict_reader_refuses_becomes_needs(kind: TeeKind) -> None:
    intel = Intel(status="SWHardeningNeeded", advisories=("INTEL-SA-00615",), flags=(True, True, True))
    claims = dcap.verify(intel.evidence(kind), NOW, intel.root)
    assert set(claims.needs) == {
        Need("tcb_status", "SWHardeningNeeded"),
        Need("advisory", "INTEL-SA-00615"),
        Need("flag", "dynamic_platform"),
        Need("flag", "cached_keys"),
        Need("flag", "smt"),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_refusals_name_their_check(intel: Intel, kind: TeeKind) -> None:
    good = intel.evidence(kind)
    other = TeeKind.TDX if kind is TeeKind.SGX else TeeKind.SGX
    assert refused(intel, replace(good, collateral=b"")) == "collateral"
    assert refused(intel, replace(good, collateral=b"{}")) == "collateral"
    assert refused(intel, replace(good, collateral=b"\xff")) == "collateral"
    assert refused(intel, replace(good, kind=other)) == "kind"
    assert refused(intel, intel.evidence(kind, debug=True)) in ("debug", "signature")
    assert refused(intel, replace(good, data=good.data + b"x")) == "format"
    assert refused(intel, replace(good, data=good.data[:-1])) == "format"
    assert refused(intel, replace(good, data=b"")) == "format"
    assert refused(intel, good, NOW + timedelta(days=30)) == "signature"
    assert refused(intel, good, NOW - timedelta(days=2)) == "signature"


@pytest.mark.parametrize("kind", KINDS)
def test_zero_padding_is_allowed_and_nothing_else_behind_a_quote(intel: Intel, kind: TeeKind) -> None:
    good = intel.evidence(kind)
    assert dcap.verify(replace(good, data=good.data + bytes(64)), NOW, intel.root)


def test_another_root_is_refused(intel: Intel) -> None:
    assert refused(intel, Intel().evidence(TeeKind.SGX)) == "root"


def test_collateral_of_another_authority_is_refused(intel: Intel) -> None:
    assert (
        refused(intel, replace(intel.evidence(TeeKind.TDX), collateral=Intel().collateral(TeeKind.TDX)))
        == "signature"
    )


def test_doctored_tcb_info_is_refused() -> None:
    intel = Intel(status="OutOfDate")
    good = intel.evidence(TeeKind.SGX)
    doctored = json.loads(good.collateral)
    doctored["tcb_info"] = doctored["tcb_info"].replace("OutOfDate", "UpToDate")
    assert refused(intel, replace(good, collateral=json.dumps(doctored).encode())) == "signature"


def test_a_revoked_platform_is_refused_whatever_a_policy_says() -> None:
    intel = Intel(status="Revoked")
    assert refused(intel, intel.evidence(TeeKind.SGX)) in ("tcb_status", "signature")


@pytest.mark.slow  # tests/conformance/test_vectors.py does it by default, where the vectors are
def test_every_single_byte_flip_of_a_quote_is_refused(intel: Intel) -> None:
    good = intel.evidence(TeeKind.SGX, bytes(range(64)))
    for at in range(len(good.data)):
        flipped = bytearray(good.data)
        flipped[at] ^= 1
        assert refused(intel, replace(good, data=bytes(flipped))) in ("format", "root", "signature"), at
