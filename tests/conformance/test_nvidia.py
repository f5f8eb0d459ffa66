"""NVIDIA's own verifier, run for real in its own environment on the evidence of a real H100 that NVIDIA ships with it.

Offline: the report, its chain up to NVIDIA's root, firmware id, versions, nonce and signature. Measurements and revocation need
NVIDIA's servers, and what was not checked has to show.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from cmif.attest import nvattest
from cmif.attest.evidence import GpuEvidence
from cmif.attest.verify import nvidia
from cmif.attest.verify.claims import Need
from cmif.attest.verify.policy import GpuPolicy
from cmif.errors import AttestationError

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SIGNATURE_BYTES = 96
UNCHECKED = (Need("gpu", "measurements"), Need("gpu", "revocation"))


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    venv = ROOT / ".venv-nvidia"
    if not (venv / "bin/nvidia-report").exists():
        venv = tmp_path_factory.mktemp("nvidia")
    done = subprocess.run([ROOT / "scripts/install-nvidia-verifier", venv], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"nv-local-gpu-verifier cannot be installed: {done.stderr.splitlines()[-1:]}")
    return venv / "bin/nvidia-report"


@pytest.fixture(scope="module")
def h100(verifier: Path) -> GpuEvidence:
    (samples,) = (verifier.parents[1] / "lib").glob("python3*/site-packages/verifier/samples")
    text = (samples / "hopperAttestationReport.txt").read_text("ascii")
    report = bytes.fromhex("".join(text.replace("\\x", "").replace("0x", "").split()))
    return GpuEvidence("HOPPER", "550.90.07", "96.00.9F.00.01", report, (samples / "hopperCertChain.txt").read_bytes())


def judge(gpu: GpuEvidence, verifier: Path) -> tuple[Need, ...]:
    listed = (frozenset({each}) for each in ("gh100 a01 gsp brom", "550.90.07", "96.00.9f.00.01"))
    return nvidia.verify([gpu], gpu.nonce, GpuPolicy(verifier, *listed))


def refused(gpu: GpuEvidence, verifier: Path) -> str:
    with pytest.raises(AttestationError) as refusal:
        judge(gpu, verifier)
    return refusal.value.check


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_a_real_h100s_report_is_genuine_and_what_was_not_checked_is_said(h100: GpuEvidence, verifier: Path) -> None:
    assert GpuEvidence.parse(h100.told()) == h100
    assert judge(h100, verifier) == UNCHECKED


def test_a_report_that_was_changed_anywhere_is_refused(h100: GpuEvidence, verifier: Path) -> None:
    size = len(h100.report)
    for at in (3, 4, 36, 41, 60, size // 2, size - SIGNATURE_BYTES - 40, size - SIGNATURE_BYTES, size - 1):
        assert refused(replace(h100, report=flipped(h100.report, at)), verifier) == "gpu_verifier", at
    for report in (h100.report[:-1], h100.report + b"\0", h100.report[:40], h100.report[37:]):
        assert refused(replace(h100, report=report), verifier) == "gpu_verifier"


def test_nvidias_program_holds_the_nonce_too(h100: GpuEvidence, verifier: Path) -> None:
    with pytest.raises(AttestationError, match="result"):
        nvattest.run(verifier, "attest", bytes(32), [h100])


def test_other_versions_than_the_reports_are_refused(h100: GpuEvidence, verifier: Path) -> None:
    assert refused(replace(h100, driver="550.90.08"), verifier) == "gpu_verifier"
    assert refused(replace(h100, vbios="96.00.9F.00.02"), verifier) == "gpu_verifier"


def test_a_chain_that_was_changed_is_refused(h100: GpuEvidence, verifier: Path) -> None:
    leaf, *rest = x509.load_pem_x509_certificates(h100.chain)
    for chain in ([*rest, leaf], [leaf, *rest[1:]], rest, [rest[0], *rest], [leaf, rest[1], rest[0], *rest[2:]], []):
        assert refused(replace(h100, chain=pem(chain)), verifier) == "gpu_verifier"


def test_a_gpu_that_another_root_vouches_for_is_refused(h100: GpuEvidence, verifier: Path) -> None:
    """Made by who has every key but NVIDIA's: same names, same firmware id, a correct signature over the same report."""
    forged, key = forge(h100)
    message, signature = forged.report[:-SIGNATURE_BYTES], forged.report[-SIGNATURE_BYTES:]
    assert verified(key.public_key(), message, signature)
    assert refused(forged, verifier) == "gpu_verifier"
    for upto in (1, 2, 3):  # below genuine certificates of NVIDIA's, which it cannot be
        mixed = [*x509.load_pem_x509_certificates(forged.chain)[:upto], *x509.load_pem_x509_certificates(h100.chain)[upto:]]
        assert refused(replace(forged, chain=pem(mixed)), verifier) == "gpu_verifier"


def pem(chain: list[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain) or b"\n"


def keys() -> Iterator[ec.EllipticCurvePrivateKey]:
    while True:
        yield ec.generate_private_key(ec.SECP384R1())


def forge(genuine: GpuEvidence) -> tuple[GpuEvidence, ec.EllipticCurvePrivateKey]:
    chain, made, issuer = x509.load_pem_x509_certificates(genuine.chain), [], None
    now, fresh = datetime.now(UTC), keys()
    for certificate in reversed(chain):
        key = next(fresh)
        builder = (
            x509.CertificateBuilder(certificate.issuer, certificate.subject, key.public_key(), certificate.serial_number)
            .not_valid_before(certificate.not_valid_before_utc)
            .not_valid_after(now.replace(year=now.year + 10))
        )
        for extension in certificate.extensions:
            if not isinstance(extension.value, x509.AuthorityKeyIdentifier | x509.SubjectKeyIdentifier):
                builder = builder.add_extension(extension.value, extension.critical)
        made.insert(0, builder.sign(issuer or key, hashes.SHA384()))
        issuer = key
    assert issuer is not None
    message = genuine.report[:-SIGNATURE_BYTES]
    r, s = decode_dss_signature(issuer.sign(message, ec.ECDSA(hashes.SHA384())))
    return replace(genuine, chain=pem(made), report=message + r.to_bytes(48, "big") + s.to_bytes(48, "big")), issuer


def verified(key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> bool:
    r, s = (int.from_bytes(half, "big") for half in (signature[:48], signature[48:]))
    key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA384()))
    return True
