from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cmif.attest.messages import config_digest
from cmif.attest.prove.statement import parse_nonce, statement
from cmif.attest.subject import Subject
from cmif.attest.verify.appraise import Roots, verify
from cmif.attest.verify.policy import AppraisalPolicy
from cmif.attest.verify.statement import require_statement
from cmif.attest.verify.suggest import policy_for
from cmif.errors import AttestationError
from tests.unit.attest.forge_snp import Amd

NOW = datetime.now(UTC)
AMD = Amd()
ROOTS = Roots(amd=AMD.roots)
NONCE = bytes(range(32))
SUBJECT = Subject(config_digest({"level": "content"}).hex(), "b1" * 32, "ab" * 32)
POLICY = replace(
    AppraisalPolicy.parse(policy_for(verify(AMD.evidence(), NOW, ROOTS))), config_digests=frozenset({SUBJECT.config})
)


def told(subject: Subject = SUBJECT, nonce: bytes = NONCE) -> dict[str, Any]:
    return statement(subject, AMD.evidence(AMD.report(subject.report_data(nonce))))


def refused(what: Any, policy: AppraisalPolicy = POLICY, tls: str | None = SUBJECT.tls_spki) -> str:
    with pytest.raises(AttestationError) as refusal:
        require_statement(what, NONCE, policy, NOW, tls_spki=tls, roots=ROOTS)
    return refusal.value.check


def test_a_fresh_statement_is_accepted_with_and_without_tls() -> None:
    for tls in (SUBJECT.tls_spki, None):
        claims, subject = require_statement(told(), NONCE, POLICY, NOW, tls_spki=tls, roots=ROOTS)
        assert (claims.measurement, subject) == ("11" * 48, SUBJECT)


def test_an_old_or_relayed_statement_is_refused() -> None:
    assert refused(told(nonce=bytes(32))) == "report_data"
    assert refused(told(), tls="cd" * 32) == "tls_spki"
    assert refused(told(replace(SUBJECT, tls_spki="")), tls="cd" * 32) == "tls_spki"


@pytest.mark.parametrize("field", ["bundle", "tls_spki"])
def test_what_the_evidence_does_not_bind_is_refused(field: str) -> None:
    assert refused({**told(), field: "cd" * 32}, tls=None) == "report_data"


def test_another_configuration_is_refused() -> None:
    other = replace(SUBJECT, config=config_digest({"level": "off"}).hex())
    assert refused(told(other)) == "config_digest"
    assert refused(told(), replace(POLICY, config_digests=frozenset())) == "config_digest"
    assert refused({**told(other), "config_digest": SUBJECT.config}) == "report_data"


@pytest.mark.parametrize(
    "what",
    [
        None,
        [],
        {},
        {"v": 1},
        {**told(), "v": 2},
        {**told(), "tee": "x"},
        {**told(), "evidence": "*"},
        {**told(), "chain": 1},
    ],
)
def test_malformed_statements_are_refused(what: Any) -> None:
    assert refused(what) == "format"


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33])
def test_nonces_are_32_bytes(text: str) -> None:
    with pytest.raises(AttestationError):
        parse_nonce(text)
