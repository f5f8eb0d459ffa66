"""AMD SEV-SNP attestation reports: certificate chain, signature, what the certificate endorses.

Chain and certificate extensions: AMD "VCEK Certificate and KDS Interface" (57230).
Chain: ARK (pinned) -> ASK -> VCEK, or ARK -> SEV-VLEK -> VLEK.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from cmif.attest.evidence import Evidence, TeeKind
from cmif.attest.spki import spki_sha256
from cmif.attest.verify.chain import load_certificates, require_issued
from cmif.attest.verify.claims import Claims, Need, refusing
from cmif.attest.verify.snp_report import (
    ALIAS_CHECK_COMPLETE,
    POLICY_DEBUG,
    POLICY_MIGRATION,
    SMT_ENABLED,
    Report,
    parse,
)
from cmif.errors import AttestationError

# SHA-256 of the ARK's SubjectPublicKeyInfo, from the certificates that AMD's key server gives for each product line.
AMD_ROOTS: Mapping[str, str] = {
    "Milan": "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9",
    "Genoa": "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831",
    "Turin": "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08",
}

_OID = "1.3.6.1.4.1.3704.1."
_SPL = {"bootloader": "3.1", "tee": "3.2", "snp": "3.3", "microcode": "3.8", "fmc": "3.9"}
_HWID, _CSP_ID = "4", "5"


@refusing
def verify(evidence: Evidence, at: datetime, roots: Mapping[str, str] = AMD_ROOTS) -> Claims:
    """Verify an SNP report at ``at`` with ``evidence.chain``: ARK, ASK and VCEK or VLEK, in any order.

    Raises :class:`AttestationError` for a report that is malformed, not signed under a root of ``roots`` (SHA-256 of
    its public key by product), signed by a key of another chip or TCB, or of a guest that can be debugged.
    """
    report = parse(evidence.data)
    ark, ask, vek = _order(load_certificates(evidence.chain))
    product = _product(report, vek)
    seen = spki_sha256(ark.public_bytes(Encoding.DER))
    if roots.get(product) != seen:
        raise AttestationError(
            f"The chain does not end in the pinned AMD root for {product}.",
            check="root",
            expected=roots.get(product),
            seen=seen,
        )
    _check_signature(report, vek)
    for child, parent in ((ark, ark), (ask, ark), (vek, ask)):
        require_issued(child, parent, at)
    tcb = _tcb(report.reported_tcb, product)
    _check_endorsement(report, vek, tcb)
    if report.policy & POLICY_DEBUG:
        raise AttestationError(
            "The guest may be debugged: its memory can be read.",
            check="debug",
            expected="no debug bit",
            seen=hex(report.policy),
        )
    return Claims(
        kind=TeeKind.SNP,
        measurement=report.measurement.hex(),
        platform=_platform(report, vek),
        tcb_status=f"{product} " + " ".join(f"{name}={value}" for name, value in tcb.items()),
        advisories=(),
        report_data=report.report_data,
        pins={
            "measurement": report.measurement.hex(),
            "host_data": report.host_data.hex(),
            "family_id": report.family_id.hex(),
            "image_id": report.image_id.hex(),
            "id_key_digest": report.id_key_digest.hex(),
            "author_key_digest": report.author_key_digest.hex(),
            "guest_policy": f"{report.policy:016x}",
            "vmpl": str(report.vmpl),
        },
        floors={**tcb, "guest_svn": report.guest_svn},
        needs=_needs(report, product),
    )


def _needs(report: Report, product: str) -> tuple[Need, ...]:
    needs = []
    if product == "Milan":  # a claimed software extraction of its endorsement keys (docs/threat-model.md)
        needs.append(Need("product", "Milan"))
    if report.signing_key == "VLEK":
        needs.append(Need("signer", "VLEK"))
    if not report.platform_info & ALIAS_CHECK_COMPLETE:  # memory aliasing (BadRAM) was not ruled out at boot
        needs.append(Need("flag", "alias_check_incomplete"))
    if report.policy & POLICY_MIGRATION:
        needs.append(Need("flag", "migration_agent"))
    if report.platform_info & SMT_ENABLED:
        needs.append(Need("flag", "smt"))
    return tuple(needs)


def _order(
    certificates: list[x509.Certificate],
) -> tuple[x509.Certificate, x509.Certificate, x509.Certificate]:
    """ARK, ASK and VEK from certificates in any order; duplicates and other products' may lie among them."""
    unique = list(dict.fromkeys(certificates))
    veks = [c for c in unique if _name(c) in ("SEV-VCEK", "SEV-VLEK")]
    if len(veks) == 1:
        asks = [c for c in unique if c.subject == veks[0].issuer and c.subject != c.issuer]
        arks = [c for c in unique if asks and c.subject == c.issuer == asks[0].issuer]
        if len(asks) == 1 and len(arks) == 1:
            return arks[0], asks[0], veks[0]
    raise AttestationError(
        "The certificates are not one chain of ARK, ASK and VCEK or VLEK.",
        check="chain",
        expected="ARK, ASK, VCEK or VLEK",
        seen=sorted(_name(c) for c in unique),
    )


def _name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _product(report: Report, vek: x509.Certificate) -> str:
    """The product line: from the report's CPUID where it has one (version 3 and later), else from the certificate."""
    if report.cpuid is not None:
        family, model = report.cpuid
        lines = {
            0x19: (("Milan", range(0x10)), ("Genoa", range(0x10, 0x20)), ("Genoa", range(0xA0, 0xB0))),
            0x1A: (("Turin", range(0x12)),),
        }
        for product, models in lines.get(family, ()):
            if model in models:
                return product
        raise AttestationError(
            "The report names an unknown processor.",
            check="product",
            expected="Milan, Genoa or Turin",
            seen=[family, model],
        )
    value = _extension(vek, "2") or b""
    if len(value) < 3 or value[0] != 0x16 or value[1] != len(value) - 2:
        raise AttestationError(
            "The certificate names no product.", check="product", expected="an IA5String", seen=value.hex()
        )
    return value[2:].decode("ascii", "replace").split("-")[0]


def _check_signature(report: Report, vek: x509.Certificate) -> None:
    key = vek.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise AttestationError(
            "The endorsement key is not on P-384.",
            check="signature",
            expected="secp384r1",
            seen=type(key).__name__,
        )
    try:
        key.verify(encode_dss_signature(report.r, report.s), report.signed, ec.ECDSA(hashes.SHA384()))
    except (InvalidSignature, ValueError):
        raise AttestationError(
            "The report's signature is invalid.",
            check="signature",
            expected="signed by the endorsement key",
            seen="not",
        ) from None


def _tcb(value: bytes, product: str) -> dict[str, int]:
    if product == "Turin":
        return {
            "fmc": value[0],
            "bootloader": value[1],
            "tee": value[2],
            "snp": value[3],
            "microcode": value[7],
        }
    return {"bootloader": value[0], "tee": value[1], "snp": value[6], "microcode": value[7]}


def _check_endorsement(report: Report, vek: x509.Certificate, tcb: Mapping[str, int]) -> None:
    """The certificate is for this kind of key, this TCB and, for a VCEK, this chip."""
    if _name(vek) != f"SEV-{report.signing_key}":
        raise AttestationError(
            "The report was signed by another kind of key.",
            check="signer",
            expected=f"SEV-{report.signing_key}",
            seen=_name(vek),
        )
    for name, value in tcb.items():
        endorsed = _integer(_extension(vek, _SPL[name]))
        if endorsed != value:
            raise AttestationError(
                f"The certificate endorses another TCB ({name}).", check="tcb", expected=endorsed, seen=value
            )
    if report.signing_key == "VCEK":
        hwid = _extension(vek, _HWID) or b""
        if len(hwid) in (66, 10) and hwid[:2] == bytes(
            (0x04, len(hwid) - 2)
        ):  # some are wrapped as OCTET STRING
            hwid = hwid[2:]
        if len(hwid) not in (64, 8):
            raise AttestationError(
                "The VCEK names no chip.", check="chip", expected="64 or 8 bytes", seen=len(hwid)
            )
        if any(report.chip_id) and report.chip_id != hwid.ljust(64, b"\0"):
            raise AttestationError(
                "The certificate is for another chip.",
                check="chip",
                expected=hwid.hex(),
                seen=report.chip_id.hex(),
            )


def _platform(report: Report, vek: x509.Certificate) -> str:
    if any(report.chip_id):
        return f"chip:{report.chip_id.hex()}"
    csp = _extension(vek, _CSP_ID) if report.signing_key == "VLEK" else None
    return f"csp:{csp[2:].decode('ascii', 'replace')}" if csp else ""


def _extension(certificate: x509.Certificate, oid: str) -> bytes | None:
    try:
        value = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(_OID + oid)).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    return value.value if isinstance(value, x509.UnrecognizedExtension) else None


def _integer(value: bytes | None) -> int | None:
    if value is None or len(value) < 3 or value[0] != 0x02 or value[1] != len(value) - 2:
        return None
    return int.from_bytes(value[2:], "big", signed=True)
