from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cmif.attest.messages import MAX_MESSAGE_BYTES, encode
from cmif.errors import InputError
from cmif_server.provider.release import signing_key
from cmif_server.provider.release_app import release_app
from tests.server.provider.parties import BUNDLE, CONFIG, KEY, Parties


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return Parties(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def client(parties: Parties) -> TestClient:
    return TestClient(release_app(parties.releaser))


def test_the_exchange_over_http(parties: Parties, client: TestClient) -> None:
    enclave = parties.enclave()
    challenge = client.post("/v1/challenge", content=encode({"v": 1, "bundle": BUNDLE}))
    answer = client.post("/v1/release", content=enclave.request(challenge.content))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/cbor")
    assert enclave.accept(answer.content).key == KEY
    assert client.get("/healthz").text == "ok"


def test_a_refusal_is_403_and_names_its_check(parties: Parties, client: TestClient) -> None:
    request = parties.enclave().request(parties.releaser.challenge(BUNDLE))
    client.post("/v1/release", content=request)
    again = client.post("/v1/release", content=request)
    assert again.status_code == 403
    assert again.json()["error"]["check"] == "replay"
    assert again.json()["error"]["code"] == "attestation_refused"


def test_a_refusal_does_not_tell_strangers_whom_the_policy_trusts(
    parties: Parties, client: TestClient
) -> None:
    request = parties.enclave(config=bytes(48)).request(parties.releaser.challenge(BUNDLE))
    told = client.post("/v1/release", content=request)
    assert told.json()["error"]["check"] == "config_digest"
    assert CONFIG.hex() not in told.text
    assert parties.lines()[-1]["reason"]["expected"] == [CONFIG.hex()]


@pytest.mark.parametrize(
    "body", [b"", b"\xff", encode({"v": 1}), encode({"v": 1, "bundle": 7}), encode({"v": 1, "bundle": "x"})]
)
def test_challenges_for_nothing_are_refused(client: TestClient, body: bytes) -> None:
    assert client.post("/v1/challenge", content=body).status_code == 403


def test_an_oversized_message_is_refused_unread(client: TestClient) -> None:
    assert client.post("/v1/release", content=bytes(MAX_MESSAGE_BYTES + 1)).status_code == 413


def test_a_signing_key_is_made_once_and_its_public_half_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "provider.key"
    made = signing_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert signing_key(path).private_bytes_raw() == made.private_bytes_raw()
    assert bytes.fromhex((tmp_path / "provider.key.pub").read_text()) == made.public_key().public_bytes_raw()
    path.write_text("not a key")
    with pytest.raises(InputError) as error:
        signing_key(path)
    assert "not a key" not in str(error.value)


def test_lines_hold_no_content_key(parties: Parties) -> None:
    text = json.dumps(parties.lines())
    assert KEY.hex() not in text
    assert parties.signing_key.private_bytes_raw().hex() not in text
