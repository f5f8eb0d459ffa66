from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cmif.attest.evidence import MAX_EVIDENCE_BYTES, Evidence, TeeKind
from cmif.attest.verify import appraise as module
from cmif.attest.verify.appraise import Roots, appraise, require, verify
from cmif.attest.verify.claims import Claims, Need
from cmif.attest.verify.policy import ANY_PLATFORM, AppraisalPolicy, Rule
from cmif.attest.verify.suggest import policy_for
from cmif.errors import AttestationError
from tests.unit.attest.forge_snp import Amd

NOW = datetime.now(UTC)
AMD = Amd()
ROOTS = Roots(amd=AMD.roots)
EVIDENCE = AMD.evidence(AMD.report(b"\x07" * 64))


def policy() -> AppraisalPolicy:
    return AppraisalPolicy.parse(policy_for(verify(EVIDENCE, NOW, ROOTS)))


def changed(**changes: object) -> AppraisalPolicy:
    (rule,) = policy().rules
    return AppraisalPolicy((replace(rule, **changes),))  # type: ignore[arg-type]


def verdict(rules: AppraisalPolicy, evidence: Evidence = EVIDENCE) -> dict[str, object]:
    result = appraise(evidence, rules, NOW, roots=ROOTS)
    return {"accepted": result.accepted, **(result.reason or {})}


def test_the_suggested_policy_accepts() -> None:
    assert verdict(policy()) == {"accepted": True}


def test_an_empty_policy_refuses_everything() -> None:
    assert verdict(AppraisalPolicy())["check"] == "policy"


def test_a_refusal_says_what_was_expected_and_what_was_seen() -> None:
    told = verdict(changed(pins={"measurement": frozenset({"99" * 48})}))
    assert told == {
        "accepted": False,
        "check": "measurement",
        "expected": ["99" * 48],
        "seen": "11" * 48,
        "message": "The policy refuses this measurement.",
    }


def test_floors_platforms_and_unknown_pins() -> None:
    assert verdict(changed(floors={"snp": 24})) | {"message": ""} == {
        "accepted": False, "check": "snp", "expected": "at least 24", "seen": 23, "message": "",
    }  # fmt: skip
    assert verdict(changed(floors={"fmc": 0}))["check"] == "fmc"
    assert verdict(changed(platforms=frozenset()))["check"] == "platform"
    assert verdict(changed(platforms=frozenset(), widenings={ANY_PLATFORM: "test"}))["accepted"] is True


def test_a_hidden_chip_needs_the_widening_even_where_the_empty_name_is_listed() -> None:
    masked = AMD.evidence(AMD.report(b"\x07" * 64, chip=bytes(64)))
    assert verdict(changed(platforms=frozenset({""})), masked)["check"] == "platform"
    text = policy_for(verify(masked, NOW, ROOTS))
    assert 'platform = "any"' in text
    assert verdict(AppraisalPolicy.parse(text.replace('reason = ""', 'reason = "x"')), masked)["accepted"] is True


def test_any_rule_may_accept_and_the_closest_one_explains_a_refusal() -> None:
    (good,) = policy().rules
    far = replace(good, pins={"measurement": frozenset({"99" * 48})})
    near = replace(good, platforms=frozenset({"chip:other"}))
    assert verdict(AppraisalPolicy((far, good)))["accepted"] is True
    assert verdict(AppraisalPolicy((far, near)))["check"] == "platform"
    assert verdict(AppraisalPolicy((near, far)))["check"] == "platform"


def test_report_data_must_fit() -> None:
    assert require(EVIDENCE, policy(), NOW, report_data=b"\x07" * 64, roots=ROOTS)
    with pytest.raises(AttestationError) as refusal:
        require(EVIDENCE, policy(), NOW, report_data=b"\x08" * 64, roots=ROOTS)
    assert refusal.value.record()["check"] == "report_data"


def test_collateral_may_not_be_older_than_the_policy_says(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = Claims(
        TeeKind.SGX,
        "m",
        "p",
        "UpToDate",
        (),
        b"",
        {},
        issued=datetime.fromtimestamp(NOW.timestamp() - 100, UTC),
    )
    monkeypatch.setattr(module, "verify", lambda *_: claims)
    rule = Rule(TeeKind.SGX, {}, platforms=frozenset({"p"}))
    evidence = Evidence(TeeKind.SGX, b"")
    assert require(evidence, AppraisalPolicy((rule,), 101), NOW)
    with pytest.raises(AttestationError) as refusal:
        require(evidence, AppraisalPolicy((rule,), 99), NOW)
    assert refusal.value.check == "collateral"


def test_oversized_evidence_is_refused_before_it_is_parsed() -> None:
    told = verdict(policy(), replace(EVIDENCE, data=bytes(MAX_EVIDENCE_BYTES + 1)))
    assert told["check"] == "format"


def test_a_refused_verdict_still_shows_what_was_verified_and_a_forgery_shows_nothing() -> None:
    shown = appraise(EVIDENCE, AppraisalPolicy(), NOW, roots=ROOTS).as_json()
    assert (shown["accepted"], shown["measurement"]) == (False, "11" * 48)
    forged = appraise(EVIDENCE, policy(), NOW).as_json()
    assert (forged["accepted"], forged["measurement"], forged["reason"]["check"]) == (False, None, "root")


@pytest.mark.parametrize("kind", list(TeeKind))
def test_hostile_bytes_of_every_kind_are_refusals(kind: TeeKind) -> None:
    for data in (b"", b"\xff" * 1184, bytes(5000), b"\x84\x44\xa1\x01\x38\x22\xa0\x40\x58\x60" + bytes(96)):
        with pytest.raises(AttestationError):
            verify(Evidence(kind, data, b"{}", (b"",)), NOW)


def test_needs_are_ordered_and_printed_as_a_person_would_write_them() -> None:
    assert str(Need("tcb_status", "OutOfDate")) == "tcb_status = OutOfDate"
