"""Key release under attack: every fault is refused with its own reason, on record, and gives no second try."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cmif.attest.evidence import Evidence, TeeKind
from cmif.attest.hpke import KeyPair
from cmif.attest.messages import Challenge, Request, config_digest, encode, open_signed, sign
from cmif.errors import AttestationError
from cmif_server.provider.record import check_record
from tests.server.provider.parties import BUNDLE, CONFIG, KEY, OTHER, PIN, Parties


@pytest.fixture
def parties(tmp_path: Path) -> Parties:
    return Parties(tmp_path)


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(AttestationError) as refusal:
        act()
    record = refusal.value.record()
    assert set(record) == {"check", "expected", "seen", "message"}
    return str(record["check"])


def release_changed(parties: Parties, change: Callable[[Request], Request]) -> str:
    """The provider's reason for a genuine request that somebody changed on its way."""
    message = parties.enclave().request(parties.releaser.challenge(BUNDLE))
    changed = change(Request.parse(message)).encode()
    check = refused(lambda: parties.releaser.release(changed))
    assert parties.lines()[-1]["reason"]["check"] == check
    assert refused(lambda: parties.releaser.release(message)) == "replay"  # the nonce is gone, right or wrong
    assert "granted" not in [line["event"] for line in parties.lines()]
    return check


def test_an_honest_exchange_releases_the_key_once(parties: Parties) -> None:
    enclave = parties.enclave()
    released = enclave.accept(parties.releaser.release(enclave.request(parties.releaser.challenge(BUNDLE))))
    assert released.key == KEY
    assert (released.lease.grant.bundle, released.lease.grant.engine_spki) == (BUNDLE, (PIN,))
    (line,) = parties.lines()
    assert (line["event"], line["measurement"], line["config"]) == ("granted", "11" * 48, CONFIG.hex())
    assert KEY.hex() not in parties.record_path.read_text()


def test_a_replayed_request_is_refused(parties: Parties) -> None:
    request = parties.enclave().request(parties.releaser.challenge(BUNDLE))
    parties.releaser.release(request)
    assert refused(lambda: parties.releaser.release(request)) == "replay"


def test_one_request_sent_many_times_at_once_is_granted_once(parties: Parties) -> None:
    request = parties.enclave().request(parties.releaser.challenge(BUNDLE))
    granted = []

    def send() -> None:
        with suppress(AttestationError):
            granted.append(parties.releaser.release(request))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 1
    assert check_record(parties.record_path)[0] == 8
    assert [line["reason"]["check"] for line in parties.lines() if line["event"] == "refused"] == [
        "replay"
    ] * 7


def test_replayed_evidence_under_a_fresh_challenge_is_refused(parties: Parties) -> None:
    old = Request.parse(parties.enclave().request(parties.releaser.challenge(BUNDLE)))
    fresh = open_signed(parties.releaser.public, "challenge", parties.releaser.challenge(BUNDLE))
    assert refused(lambda: parties.releaser.release(replace(old, challenge=fresh).encode())) == "report_data"


def test_a_swapped_key_is_refused(parties: Parties) -> None:
    assert release_changed(parties, lambda r: replace(r, public=KeyPair().public)) == "report_data"


def test_a_swapped_configuration_is_refused(parties: Parties) -> None:
    other = config_digest({"level": "off"})
    assert release_changed(parties, lambda r: replace(r, config=other)) == "config_digest"


def test_a_configuration_that_the_enclave_did_not_attest_is_refused_even_if_it_is_allowed(
    parties: Parties,
) -> None:
    other = config_digest({"level": "off"})
    parties.policy = replace(parties.policy, config_digests=frozenset({CONFIG.hex(), other.hex()}))
    parties.releaser = parties.provider()
    assert release_changed(parties, lambda r: replace(r, config=other)) == "report_data"


def test_a_request_for_another_bundle_is_refused(parties: Parties) -> None:
    assert release_changed(parties, lambda r: replace(r, bundle=OTHER)) == "bundle"


def test_a_challenge_for_another_bundle_is_refused_by_the_enclave(parties: Parties) -> None:
    assert refused(lambda: parties.enclave().request(parties.releaser.challenge(OTHER))) == "bundle"
    assert refused(lambda: parties.releaser.challenge("b3" * 32)) == "bundle"


def test_a_challenge_of_another_epoch_is_refused_by_the_enclave(parties: Parties) -> None:
    rotated = parties.provider(epoch=2)
    assert refused(lambda: parties.enclave().request(rotated.challenge(BUNDLE))) == "epoch"


def test_a_late_request_is_refused(parties: Parties) -> None:
    request = parties.enclave().request(parties.releaser.challenge(BUNDLE))
    parties.clock.now += 61
    assert refused(lambda: parties.releaser.release(request)) == "late"


def test_a_late_answer_is_refused_by_the_enclave(parties: Parties) -> None:
    enclave = parties.enclave()
    answer = parties.releaser.release(enclave.request(parties.releaser.challenge(BUNDLE)))
    parties.monotonic.now += 61
    assert refused(lambda: enclave.accept(answer)) == "late"


def test_an_expired_lease_is_refused(parties: Parties) -> None:
    enclave = parties.enclave()
    lease = enclave.accept(
        parties.releaser.release(enclave.request(parties.releaser.challenge(BUNDLE)))
    ).lease
    lease.require()
    parties.monotonic.now += 599
    lease.require()
    parties.monotonic.now += 1
    assert refused(lease.require) == "lease"


def test_a_lease_counts_from_before_the_challenge_not_from_the_answer(parties: Parties) -> None:
    enclave = parties.enclave()
    parties.monotonic.now += 30
    lease = enclave.accept(
        parties.releaser.release(enclave.request(parties.releaser.challenge(BUNDLE)))
    ).lease
    assert lease.remaining_s() == 570


@pytest.mark.parametrize("what", ["measurement", "platform"])
def test_a_revoked_identity_is_refused_without_a_restart(parties: Parties, what: str) -> None:
    first, second = (parties.enclave().request(parties.releaser.challenge(BUNDLE)) for _ in range(2))
    parties.releaser.release(first)
    identity = {"measurement": "11" * 48, "platform": f"chip:{parties.amd.chip.hex()}"}[what]
    parties.deny.write_text(f"{identity.upper()}   # found wanting\n")
    assert refused(lambda: parties.releaser.release(second)) == "revoked"


def test_an_unreadable_deny_list_releases_nothing(parties: Parties) -> None:
    request = parties.enclave().request(parties.releaser.challenge(BUNDLE))
    parties.deny.unlink()
    assert refused(lambda: parties.releaser.release(request)) == "revoked"


def test_evidence_of_another_measurement_is_refused(parties: Parties) -> None:
    class Elsewhere:
        kind = TeeKind.SNP

        def produce(self, data: bytes) -> Evidence:
            return parties.amd.evidence(parties.amd.report(data, measurement=b"\x66" * 48))

    request = parties.enclave(producer=Elsewhere()).request(parties.releaser.challenge(BUNDLE))
    assert refused(lambda: parties.releaser.release(request)) == "measurement"


def test_simulated_evidence_is_refused_by_command_line_and_by_policy(tmp_path: Path) -> None:
    class Simulated:
        kind = TeeKind.SIMULATED

        def produce(self, data: bytes) -> Evidence:
            return Evidence(TeeKind.SIMULATED, b"anything")

    for named, why in ((False, "command line"), (True, "policy")):
        folder = tmp_path / why
        folder.mkdir()
        parties = Parties(folder, allow_simulated=named)
        request = parties.enclave(producer=Simulated()).request(parties.releaser.challenge(BUNDLE))
        with pytest.raises(AttestationError, match=why) as refusal:
            parties.releaser.release(request)
        assert refusal.value.check == "simulated"


def test_a_challenge_that_the_pinned_provider_did_not_sign_is_refused(parties: Parties) -> None:
    impostor = parties.provider(Ed25519PrivateKey.generate())
    assert refused(lambda: parties.enclave().request(impostor.challenge(BUNDLE))) == "provider_signature"


def test_a_signed_challenge_that_names_another_provider_is_refused(parties: Parties) -> None:
    body = Challenge(bytes(32), BUNDLE, 1, 0, 60, bytes(32)).encode()
    message = sign(parties.signing_key, "challenge", body)
    assert refused(lambda: parties.enclave().request(message)) == "provider_signature"


def test_a_grant_is_for_one_exchange_only(parties: Parties) -> None:
    first, second = parties.enclave(), parties.enclave()
    answer = parties.releaser.release(first.request(parties.releaser.challenge(BUNDLE)))
    second.request(parties.releaser.challenge(BUNDLE))
    assert refused(lambda: second.accept(answer)) == "provider_signature"
    first.accept(answer)
    assert refused(lambda: first.accept(answer)) == "replay"


def test_a_message_of_one_kind_is_not_one_of_another(parties: Parties) -> None:
    challenge = parties.releaser.challenge(BUNDLE)
    enclave = parties.enclave()
    enclave.request(challenge)
    assert refused(lambda: enclave.accept(challenge)) == "provider_signature"


def test_a_tampered_grant_is_refused(parties: Parties) -> None:
    length = len(parties.releaser.release(parties.enclave().request(parties.releaser.challenge(BUNDLE))))
    for at in range(0, length, 97):
        enclave = parties.enclave()
        answer = bytearray(parties.releaser.release(enclave.request(parties.releaser.challenge(BUNDLE))))
        answer[at] ^= 1
        assert refused(partial(enclave.accept, bytes(answer))) in ("provider_signature", "format")


@pytest.mark.parametrize(
    "message",
    [b"", b"\xff", encode({}), encode([]), encode({"v": 1}), b"\xbf\xff", bytes(1 << 20)],
    ids=range(7),
)
def test_malformed_messages_are_refused(parties: Parties, message: bytes) -> None:
    assert refused(lambda: parties.releaser.release(message)) == "format"
    assert refused(lambda: parties.enclave().request(message)) == "format"


def test_requests_with_more_or_other_fields_are_refused(parties: Parties) -> None:
    import cbor2

    good = cbor2.loads(parties.enclave().request(parties.releaser.challenge(BUNDLE)))
    for change in (
        {"more": 1},
        {"v": 2},
        {"tee": "sev"},
        {"public": b"short"},
        {"config": b""},
        {"chain": ["text"]},
    ):
        assert refused(partial(parties.releaser.release, encode({**good, **change}))) == "format"


def test_a_malformed_hpke_key_that_was_attested_is_refused(parties: Parties) -> None:
    """Right length, impossible key: X25519's all-zero point has no shared secret."""
    challenge = open_signed(parties.releaser.public, "challenge", parties.releaser.challenge(BUNDLE))
    from cmif.attest.messages import report_data

    public = b"\xff" * 1184 + bytes(32)
    evidence = parties.producer.produce(report_data(challenge, public, CONFIG))
    request = Request(challenge, BUNDLE, public, CONFIG, evidence).encode()
    assert refused(lambda: parties.releaser.release(request)) == "hpke_key"


def test_nothing_is_released_when_the_record_cannot_be_written(
    parties: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = parties.enclave().request(parties.releaser.challenge(BUNDLE))

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        parties.releaser.release(request)
    monkeypatch.undo()
    again = parties.enclave().request(parties.releaser.challenge(BUNDLE))
    with pytest.raises(OSError, match="closed"):  # what is on disk is unknown: no line may follow it
        parties.releaser.release(again)


def test_open_challenges_are_bounded_and_expire(parties: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmif_server.provider.release.MAX_OPEN_CHALLENGES", 3)
    for _ in range(3):
        parties.releaser.challenge(BUNDLE)
    assert refused(lambda: parties.releaser.challenge(BUNDLE)) == "busy"
    parties.clock.now += 61
    parties.releaser.challenge(BUNDLE)
