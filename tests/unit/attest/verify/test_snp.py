from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from cmif.attest.verify import snp
from cmif.attest.verify.chain import load_certificates
from cmif.attest.verify.claims import Need
from cmif.errors import AttestationError
from tests.unit.attest.forge_snp import Amd

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def genoa() -> Amd:
    return Amd()


def refused(amd: Amd, report: bytes, *, at: datetime = NOW, chain: tuple[bytes, ...] | None = None) -> str:
    evidence = amd.evidence(report)
    if chain is not None:
        evidence = replace(evidence, chain=chain)
    with pytest.raises(AttestationError) as refusal:
        snp.verify(evidence, at, amd.roots)
    return refusal.value.check


def test_claims_are_what_the_report_says(genoa: Amd) -> None:
    claims = snp.verify(
        genoa.evidence(genoa.report(b"\x07" * 64, measurement=b"\x21" * 48)), NOW, genoa.roots
    )
    assert claims.measurement == "21" * 48
    assert claims.report_data == b"\x07" * 64
    assert claims.platform == f"chip:{genoa.chip.hex()}"
    assert claims.floors == {"bootloader": 10, "tee": 0, "snp": 23, "microcode": 84, "guest_svn": 0}
    assert claims.needs == ()


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_every_known_report_version(genoa: Amd, version: int) -> None:
    assert snp.verify(genoa.evidence(genoa.report(version=version)), NOW, genoa.roots).platform


def test_certificates_in_any_order_with_strangers_among_them(genoa: Amd) -> None:
    other = Amd(product="Milan").chain[:2]
    evidence = replace(genoa.evidence(), chain=(*genoa.chain[::-1], *other, genoa.chain[0]))
    assert snp.verify(evidence, NOW, genoa.roots)


@pytest.mark.parametrize("product", ["Milan", "Turin"])
@pytest.mark.parametrize("signer", ["VCEK", "VLEK"])
def test_products_and_signers(product: str, signer: str) -> None:
    amd = Amd(product=product, signer=signer)
    claims = snp.verify(amd.evidence(), NOW, amd.roots)
    assert (Need("product", "Milan") in claims.needs) == (product == "Milan")
    assert (Need("signer", "VLEK") in claims.needs) == (signer == "VLEK")
    assert ("fmc" in claims.floors) == (product == "Turin")


def test_a_masked_chip_has_no_platform(genoa: Amd) -> None:
    assert snp.verify(genoa.evidence(genoa.report(chip=bytes(64))), NOW, genoa.roots).platform == ""
    cloud = Amd(signer="VLEK")
    claims = snp.verify(cloud.evidence(cloud.report(chip=bytes(64))), NOW, cloud.roots)
    assert claims.platform == "csp:cloud.example"


def test_platform_flags_become_needs(genoa: Amd) -> None:
    claims = snp.verify(genoa.evidence(genoa.report(platform_info=0x41, policy=0x70000)), NOW, genoa.roots)
    assert set(claims.needs) == {
        Need("flag", "alias_check_incomplete"),
        Need("flag", "smt"),
        Need("flag", "migration_agent"),
    }


def test_refusals_name_their_check(genoa: Amd) -> None:
    assert refused(genoa, genoa.report(policy=0xB0000)) == "debug"
    assert refused(genoa, genoa.report(chip=b"\x01" * 64)) == "chip"
    assert refused(genoa, genoa.report(tcb={**genoa.tcb, "microcode": 85})) == "tcb"
    assert refused(genoa, genoa.report()[:-1]) == "format"
    assert refused(genoa, genoa.report(), at=NOW + timedelta(days=366)) == "validity"
    assert refused(genoa, genoa.report(), at=NOW - timedelta(days=31)) == "validity"
    assert refused(genoa, genoa.report(), chain=genoa.chain[:2]) == "chain"
    assert refused(genoa, genoa.report(), chain=()) == "chain"
    assert refused(genoa, genoa.report(), chain=(b"junk",)) == "chain"
    assert refused(genoa, genoa.report(), chain=genoa.chain * 3) == "chain"


def test_another_root_is_refused_even_with_its_own_chain(genoa: Amd) -> None:
    stranger = Amd()
    with pytest.raises(AttestationError) as refusal:
        snp.verify(stranger.evidence(), NOW, genoa.roots)
    assert refusal.value.check == "root"


def test_a_certificate_from_another_issuer_is_refused(genoa: Amd) -> None:
    stranger = Amd()
    assert refused(genoa, stranger.report(), chain=(*genoa.chain[:2], stranger.chain[2])) == "chain"


def test_a_report_of_another_products_processor_is_refused(genoa: Amd) -> None:
    body = bytearray(genoa.report()[:0x2A0])
    body[0x188:0x18A] = bytes((0x19, 0x01))  # Milan's CPUID, Genoa's keys
    assert refused(genoa, genoa.sign(bytes(body))) == "root"


def test_a_vlek_report_under_a_vcek_certificate_is_refused(genoa: Amd) -> None:
    body = bytearray(genoa.report()[:0x2A0])
    body[0x48] = 1 << 2
    assert refused(genoa, genoa.sign(bytes(body))) == "signer"


def test_every_single_byte_flip_of_a_report_is_refused(genoa: Amd) -> None:
    report = genoa.report(bytes(range(64)))
    for at in range(len(report)):
        flipped = bytearray(report)
        flipped[at] ^= 1
        assert refused(genoa, bytes(flipped)) in ("format", "signature", "root", "product"), hex(at)


def test_canary_cryptography_still_reads_serial_number_zero(shared_dir: object) -> None:
    """AMD's VCEK has serial 0. When this fails, `cryptography`'s upper bound in pyproject.toml is too high."""
    from pathlib import Path

    pem = (Path(str(shared_dir)) / "vectors/snp/genoa_vcek.pem").read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert x509.load_pem_x509_certificate(pem).serial_number == 0
    assert load_certificates([pem])
