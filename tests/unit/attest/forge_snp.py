"""A private AMD: ARK, ASK and VCEK or VLEK with fresh keys, and reports in the real layout signed under them."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from cmif.attest.evidence import Evidence, TeeKind

_OID = "1.3.6.1.4.1.3704.1."
_PSS = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
CPUID = {"Milan": (0x19, 0x01), "Genoa": (0x19, 0x11), "Turin": (0x1A, 0x02)}


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _integer(value: int) -> bytes:
    body = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes((0x02, len(body))) + body


def _ia5(text: str) -> bytes:
    return bytes((0x16, len(text))) + text.encode("ascii")


@dataclass
class Amd:
    """``chain`` is ARK, ASK and endorsement key as DER; ``roots`` what a verifier must pin to believe them."""

    product: str = "Genoa"
    signer: str = "VCEK"
    chip: bytes = bytes(range(64))
    tcb: dict[str, int] = field(
        default_factory=lambda: {"bootloader": 10, "tee": 0, "snp": 23, "microcode": 84, "fmc": 1}
    )
    endorsed: dict[str, int] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        ark, ask = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
        self.vek = ec.generate_private_key(ec.SECP384R1())
        ask_name = f"SEV-VLEK-{self.product}" if self.signer == "VLEK" else f"SEV-{self.product}"
        ark_cert = self._certificate(f"ARK-{self.product}", f"ARK-{self.product}", ark.public_key(), ark)
        ask_cert = self._certificate(ask_name, f"ARK-{self.product}", ask.public_key(), ark)
        vek_cert = self._certificate(
            f"SEV-{self.signer}", ask_name, self.vek.public_key(), ask, self._extensions()
        )
        self.chain = tuple(c.public_bytes(Encoding.DER) for c in (ark_cert, ask_cert, vek_cert))
        spki = ark_cert.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.roots = {self.product: hashlib.sha256(spki).hexdigest()}

    def _extensions(self) -> dict[str, bytes]:
        endorsed = {**self.tcb, **self.endorsed}
        oids = {"bootloader": "3.1", "tee": "3.2", "snp": "3.3", "microcode": "3.8", "fmc": "3.9"}
        found = {"1": _integer(1), "2": _ia5(f"{self.product}-B0")}
        found |= {oids[name]: _integer(value) for name, value in endorsed.items()}
        if self.signer == "VCEK":
            found["4"] = self.chip[:8] if self.product == "Turin" else self.chip
        else:
            found["5"] = _ia5("cloud.example")
        return found

    def _certificate(
        self,
        subject: str,
        issuer: str,
        public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
        key: rsa.RSAPrivateKey,
        extensions: dict[str, bytes] | None = None,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(issuer))
            .public_key(public)
            .serial_number(1)
            .not_valid_before(self.now - timedelta(days=30))
            .not_valid_after(self.now + timedelta(days=365))
        )
        for oid, value in (extensions or {}).items():
            builder = builder.add_extension(
                x509.UnrecognizedExtension(x509.ObjectIdentifier(_OID + oid), value), critical=False
            )
        return builder.sign(key, hashes.SHA384(), rsa_padding=_PSS)

    def report(
        self,
        report_data: bytes = bytes(64),
        *,
        measurement: bytes = b"\x11" * 48,
        version: int = 3,
        policy: int = 0x30000,
        platform_info: int = 0x20,
        vmpl: int = 0,
        chip: bytes | None = None,
        tcb: dict[str, int] | None = None,
    ) -> bytes:
        """A signed report of 1184 bytes."""
        values = tcb or self.tcb
        if self.product == "Turin":
            packed = bytes(
                (
                    values["fmc"],
                    values["bootloader"],
                    values["tee"],
                    values["snp"],
                    0,
                    0,
                    0,
                    values["microcode"],
                )
            )
        else:
            packed = bytes(
                (values["bootloader"], values["tee"], 0, 0, 0, 0, values["snp"], values["microcode"])
            )
        body = bytearray(0x2A0)
        struct.pack_into("<IIQ", body, 0, version, 0, policy)
        struct.pack_into("<II", body, 0x30, vmpl, 1)
        body[0x38:0x40] = body[0x180:0x188] = body[0x1E0:0x1E8] = body[0x1F0:0x1F8] = packed
        struct.pack_into("<QI", body, 0x40, platform_info, {"VCEK": 0, "VLEK": 1}[self.signer] << 2)
        body[0x50:0x90], body[0x90:0xC0] = report_data, measurement
        if version > 2:
            body[0x188:0x18B] = bytes((*CPUID[self.product], 1))
        default = self.chip[:8].ljust(64, b"\0") if self.product == "Turin" else self.chip
        body[0x1A0:0x1E0] = chip if chip is not None else default
        return self.sign(bytes(body))

    def sign(self, body: bytes) -> bytes:
        r, s = decode_dss_signature(self.vek.sign(body, ec.ECDSA(hashes.SHA384())))
        signature = r.to_bytes(72, "little") + s.to_bytes(72, "little")
        return body + signature.ljust(512, b"\0")

    def evidence(self, report: bytes | None = None) -> Evidence:
        return Evidence(TeeKind.SNP, self.report() if report is None else report, chain=self.chain)
