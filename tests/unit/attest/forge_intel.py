"""A private Intel: root, PCK and TCB-signing certificates with fresh keys, SGX and TDX quotes, signed collateral.

Layouts as in the Quote Generation specification and the PCS API; `dcap-qvl` verifies them under the private root.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from cmif.attest.evidence import Evidence, TeeKind
from cmif.attest.verify.dcap import IntelRoot

_SGX_OID = "1.2.840.113741.1.13.1"
_VENDOR = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
_QE_SIGNER = b"\x51" * 32
_FMSPC = bytes.fromhex("00a067110000")
_SVNS = [1] * 16
_PCE_SVN = 13


def _der(tag: int, body: bytes) -> bytes:
    length = bytes((len(body),)) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes((tag,)) + length + body


def _oid(text: str) -> bytes:
    first, second, *rest = (int(part) for part in text.split("."))
    out = [first * 40 + second]
    for value in rest:
        septets = [value & 0x7F]
        while value := value >> 7:
            septets.insert(0, value & 0x7F | 0x80)
        out += septets
    return _der(6, bytes(out))


def _entry(suffix: str, value: bytes) -> bytes:
    return _der(0x30, _oid(f"{_SGX_OID}.{suffix}") + value)


def _number(value: int) -> bytes:
    return _der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _raw(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


@dataclass
class Intel:
    """``root`` is what a verifier must trust. ``flags`` sets dynamic platform, cached keys and SMT in the PCK."""

    status: str = "UpToDate"
    advisories: tuple[str, ...] = ()
    flags: tuple[bool, bool, bool] | None = None
    ppid: bytes = bytes(range(16))
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __post_init__(self) -> None:
        self._root, self._ca, self._pck, self._tcb, self._attestation = (
            ec.generate_private_key(ec.SECP256R1()) for _ in range(5)
        )
        root = self._certificate("Intel SGX Root CA", "Intel SGX Root CA", self._root, self._root, ca=True)
        ca = self._certificate(
            "Intel SGX PCK Platform CA", "Intel SGX Root CA", self._ca, self._root, ca=True
        )
        pck = self._certificate(
            "Intel SGX PCK Certificate",
            "Intel SGX PCK Platform CA",
            self._pck,
            self._ca,
            sgx=self._pck_extension(),
        )
        tcb = self._certificate("Intel SGX TCB Signing", "Intel SGX Root CA", self._tcb, self._root)
        pem = [c.public_bytes(Encoding.PEM).decode() for c in (pck, ca, root, tcb)]
        self.pck_chain, self._ca_chain, self._tcb_chain = "".join(pem[:3]), pem[1] + pem[2], pem[3] + pem[2]
        self.root = IntelRoot.of(root.public_bytes(Encoding.DER))

    def _certificate(
        self,
        subject: str,
        issuer: str,
        key: ec.EllipticCurvePrivateKey,
        by: ec.EllipticCurvePrivateKey,
        *,
        ca: bool = False,
        sgx: bytes | None = None,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(days=30))
            .not_valid_after(self.now + timedelta(days=365))
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.KeyUsage(not ca, not ca, False, False, False, ca, ca, False, False), critical=True
            )
            .add_extension(x509.BasicConstraints(ca=ca, path_length=1 if ca else None), critical=True)
        )
        if sgx is not None:
            extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(_SGX_OID), sgx)
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(by, hashes.SHA256())

    def _pck_extension(self) -> bytes:
        svns = b"".join(_entry(f"2.{i + 1}", _number(svn)) for i, svn in enumerate(_SVNS))
        svns += _entry("2.17", _number(_PCE_SVN)) + _entry("2.18", _der(4, bytes(_SVNS)))
        parts = (
            _entry("1", _der(4, self.ppid)) + _entry("2", _der(0x30, svns)) + _entry("3", _der(4, b"\0\0"))
        )
        parts += _entry("4", _der(4, _FMSPC)) + _entry("5", _der(0x0A, b"\0"))
        if self.flags is not None:
            parts += _entry("6", _der(4, bytes(16)))
            booleans = (
                _entry(f"7.{i + 1}", _der(1, b"\xff" if on else b"\0")) for i, on in enumerate(self.flags)
            )
            parts += _entry("7", _der(0x30, b"".join(booleans)))
        return _der(0x30, parts)

    def _crl(self, issuer: str, key: ec.EllipticCurvePrivateKey) -> str:
        crl = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .last_update(self.now - timedelta(days=1))
            .next_update(self.now + timedelta(days=29))
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        return crl.public_bytes(Encoding.DER).hex()

    def collateral(self, kind: TeeKind) -> bytes:
        """Signed collateral for a kind, issued yesterday and valid for 29 more days."""
        dates = {
            "issueDate": f"{self.now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
            "nextUpdate": f"{self.now + timedelta(days=29):%Y-%m-%dT%H:%M:%SZ}",
            "tcbEvaluationDataNumber": 17,
        }
        tcb: dict[str, Any] = {"sgxtcbcomponents": [{"svn": svn} for svn in _SVNS], "pcesvn": _PCE_SVN}
        info: dict[str, Any] = {
            "id": "SGX",
            "version": 3,
            **dates,
            "fmspc": _FMSPC.hex().upper(),
            "pceId": "0000",
            "tcbType": 0,
        }
        if kind is TeeKind.TDX:
            tcb["tdxtcbcomponents"] = [{"svn": 0}] * 16
            module = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
            info |= {"id": "TDX", "tdxModule": module}
        level = {"tcb": tcb, "tcbDate": "2024-03-13T00:00:00Z", "tcbStatus": self.status}
        if self.advisories:
            level["advisoryIDs"] = list(self.advisories)
        info["tcbLevels"] = [level]
        identity = {
            "id": "TD_QE" if kind is TeeKind.TDX else "QE",
            "version": 2,
            **dates,
            "miscselect": "00000000",
            "miscselectMask": "FFFFFFFF",
            "attributes": "11000000000000000000000000000000",
            "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
            "mrsigner": _QE_SIGNER.hex().upper(),
            "isvprodid": 1,
            "tcbLevels": [{"tcb": {"isvsvn": 8}, "tcbDate": "2024-03-13T00:00:00Z", "tcbStatus": "UpToDate"}],
        }
        texts = {
            name: json.dumps(value, separators=(",", ":"))
            for name, value in (("tcb_info", info), ("qe_identity", identity))
        }
        return json.dumps(
            {
                "pck_crl_issuer_chain": self._ca_chain,
                "root_ca_crl": self._crl("Intel SGX Root CA", self._root),
                "pck_crl": self._crl("Intel SGX PCK Platform CA", self._ca),
                "tcb_info_issuer_chain": self._tcb_chain,
                "qe_identity_issuer_chain": self._tcb_chain,
                **texts,
                **{f"{name}_signature": _raw(self._tcb, text.encode()).hex() for name, text in texts.items()},
            }
        ).encode()

    def quote(
        self, kind: TeeKind, report_data: bytes = bytes(64), *, measurement: int = 0x11, debug: bool = False
    ) -> bytes:
        """A quote whose measurement is 32 or 48 bytes of ``measurement``."""
        if kind is TeeKind.SGX:
            header = struct.pack("<HHIHH", 3, 2, 0, 8, _PCE_SVN) + _VENDOR + bytes(20)
            attributes = struct.pack("<QQ", 7 if debug else 5, 0xE7)
            body = _sgx_report(attributes, bytes((measurement,)) * 32, b"\x22" * 32, 1, 2, report_data)
        else:
            header = struct.pack("<HHIHH", 4, 2, 0x81, 0, 0) + _VENDOR + bytes(20)
            body = bytearray(584)
            struct.pack_into("<QQ", body, 120, 0x10000000 | debug, 0x61AE7)
            body[136:184] = bytes((measurement,)) * 48
            for i in range(4):
                body[328 + 48 * i : 376 + 48 * i] = bytes((0x31 + i,)) * 48
            body[520:584] = report_data
        return (
            header
            + bytes(body)
            + self._signature(header + bytes(body), version=3 if kind is TeeKind.SGX else 4)
        )

    def _signature(self, signed: bytes, version: int) -> bytes:
        public, auth = _point(self._attestation), bytes(range(32))
        bound = hashlib.sha256(public + auth).digest() + bytes(32)
        qe = _sgx_report(struct.pack("<QQ", 0x11, 0xE7), b"\x52" * 32, _QE_SIGNER, 1, 8, bound)
        pem = self.pck_chain.encode()
        certified = (
            qe
            + _raw(self._pck, qe)
            + struct.pack("<H", len(auth))
            + auth
            + struct.pack("<HI", 5, len(pem))
            + pem
        )
        if version >= 4:
            certified = struct.pack("<HI", 6, len(certified)) + certified
        data = _raw(self._attestation, signed) + public + certified
        return struct.pack("<I", len(data)) + data

    def evidence(self, kind: TeeKind, report_data: bytes = bytes(64), **changes: Any) -> Evidence:
        return Evidence(kind, self.quote(kind, report_data, **changes), self.collateral(kind))


def _sgx_report(
    attributes: bytes, mr_enclave: bytes, mr_signer: bytes, prod: int, svn: int, report_data: bytes
) -> bytes:
    body = bytearray(384)
    body[:16] = bytes(_SVNS)
    body[48:64], body[64:96], body[128:160] = attributes, mr_enclave, mr_signer
    struct.pack_into("<HH", body, 256, prod, svn)
    body[320:384] = report_data
    return bytes(body)
