from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cbor2
import pytest

from cmif.attest.verify import nitro
from cmif.errors import AttestationError
from tests.unit.attest.forge_nitro import Aws

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def aws() -> Aws:
    return Aws()


def refused(aws: Aws, document: bytes, at: datetime = NOW) -> str:
    with pytest.raises(AttestationError) as refusal:
        nitro.verify(aws.evidence(document), at, aws.root_sha256)
    return refusal.value.check


def test_claims_are_what_the_document_says(aws: Aws) -> None:
    claims = nitro.verify(aws.evidence(aws.document(b"\x07" * 64, pcr0=b"\x21" * 48)), NOW, aws.root_sha256)
    assert claims.measurement == claims.pins["pcr0"] == "21" * 48
    assert claims.report_data == b"\x07" * 64
    assert claims.platform == "instance:i-0123456789abcdef0"
    assert len(claims.pins) == 16


def test_the_cose_tag_may_be_there(aws: Aws) -> None:
    assert nitro.verify(aws.evidence(b"\xd2" + aws.document()), NOW, aws.root_sha256)


def test_refusals_name_their_check(aws: Aws) -> None:
    document = aws.document()
    protected, _, payload, signature = cbor2.loads(document)
    assert refused(aws, aws.document(pcr0=bytes(48))) == "debug"
    assert refused(aws, document + b"\0") == "format"
    assert refused(aws, document[:-1]) == "format"
    assert refused(aws, b"") == "format"
    assert refused(aws, cbor2.dumps([protected, {1: 2}, payload, signature])) == "format"
    assert refused(aws, aws.sign(payload, protected=b"\xa1\x01\x26")) == "signature"
    assert refused(aws, aws.document(digest="SHA256")) == "format"
    assert refused(aws, aws.document(cabundle=[])) == "format"
    assert refused(aws, aws.document(pcrs={0: b"short"})) == "format"
    assert refused(aws, aws.document(user_data="text")) == "format"
    assert refused(aws, document, NOW + timedelta(hours=4)) == "validity"
    assert refused(aws, document, NOW - timedelta(hours=1)) == "validity"
    assert refused(aws, Aws().document()) == "root"


def test_an_issuer_that_is_no_authority_is_refused() -> None:
    aws = Aws(intermediate_is_ca=False)
    assert refused(aws, aws.document()) == "chain"


def test_a_given_root_must_be_the_pinned_one(aws: Aws) -> None:
    own, other = (cbor2.loads(cbor2.loads(a.document())[2])["cabundle"][0] for a in (aws, Aws()))
    assert nitro.verify(replace(aws.evidence(), chain=(own,)), NOW, aws.root_sha256)
    with pytest.raises(AttestationError, match="root"):
        nitro.verify(replace(aws.evidence(), chain=(other,)), NOW, aws.root_sha256)


def test_every_single_byte_flip_of_a_document_is_refused(aws: Aws) -> None:
    document = aws.document(bytes(range(64)))
    for at in range(len(document)):
        flipped = bytearray(document)
        flipped[at] ^= 1
        assert refused(aws, bytes(flipped)), at
