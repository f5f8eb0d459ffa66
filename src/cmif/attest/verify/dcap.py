"""Intel SGX and TDX quotes, verified with `dcap-qvl` (Intel's DCAP rules, Rust) and held to a stricter framing.

`dcap-qvl` ignores what follows a quote and the root certificate inside it, so this module refuses any quote whose bytes
are not exactly one quote with the pinned root, zero padding apart: no two byte strings verify as the same evidence.
Layout: Intel SGX ECDSA QuoteLibReference (version 3), TDX DCAP Quoting Library API (versions 4 and 5), appendix A.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cmif.attest.evidence import Evidence, TeeKind
from cmif.attest.verify.claims import Claims, Need, refusing
from cmif.errors import AttestationError, InputError

INTEL_ROOT_SHA256 = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"

_SGX_DEBUG = 0x02
_TDX_TUD = 0xFF
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)-----END CERTIFICATE-----\n?")
_FLAGS = {"dynamic_platform": "dynamic_platform", "cached_keys": "cached_keys", "smt_enabled": "smt"}


@dataclass(frozen=True, slots=True)
class IntelRoot:
    """The trust anchor: SHA-256 of the root certificate. ``der`` is None for Intel's, which `dcap-qvl` carries."""

    sha256: str = INTEL_ROOT_SHA256
    der: bytes | None = None

    @classmethod
    def of(cls, der: bytes) -> IntelRoot:
        """An anchor made for tests. Nothing on the command line or in a policy can set one."""
        return cls(hashlib.sha256(der).hexdigest(), der)


@refusing
def verify(evidence: Evidence, at: datetime, root: IntelRoot | None = None) -> Claims:
    """Verify an SGX or TDX quote against its collateral at the time ``at``.

    Raises :class:`AttestationError` for a quote that is malformed, not signed under ``root``, of another kind, of a
    debug enclave, of a revoked platform, or whose collateral is missing or not valid at ``at``.
    """
    dcap_qvl = _library()
    root = root or IntelRoot()
    if not evidence.collateral:
        raise AttestationError(
            "The quote comes without collateral.",
            check="collateral",
            expected="Intel's signed collateral",
            seen=None,
        )
    _check_framing(evidence.data, root)
    now = int(at.timestamp())
    try:
        collateral = dcap_qvl.QuoteCollateralV3.from_json(evidence.collateral.decode("utf-8"))
        issued = _issued(evidence.collateral)
    except (ValueError, KeyError, TypeError):
        raise AttestationError(
            "The collateral is malformed.", check="collateral", expected="DCAP collateral as JSON", seen=None
        ) from None
    verifier = dcap_qvl.QuoteVerifier(root.der)
    try:
        facts = json.loads(
            verifier.verify_with_policy(
                evidence.data, collateral, now, dcap_qvl.QuotePolicy.claims_only(now)
            ).to_json()
        )
    except ValueError as error:
        raise AttestationError(
            f"The quote does not verify: {error}",
            check="signature",
            expected="a quote signed under Intel's root, with valid collateral",
            seen=str(error),
        ) from None
    claims = _claims(evidence.kind, facts, issued)
    strict = dcap_qvl.QuotePolicy.strict(now)
    for need in claims.needs:
        strict = _allow(strict, need)
    try:
        verifier.verify_with_policy(evidence.data, collateral, now, strict)
    except ValueError as error:
        raise AttestationError(
            f"DCAP's strict policy refuses the platform: {error}",
            check="platform_configuration",
            expected="nothing to refuse beyond status and flags",
            seen=str(error),
        ) from None
    return claims


def _library() -> Any:
    try:
        import dcap_qvl
    except ImportError:
        raise InputError(
            "Verifying SGX and TDX needs dcap-qvl.", hint="In CMIF's repository: pip install '.[attest]'"
        ) from None
    return dcap_qvl


def _refuse_framing(seen: str) -> AttestationError:
    return AttestationError(
        f"The quote is malformed: {seen}.", check="format", expected="exactly one ECDSA quote", seen=seen
    )


def _check_framing(quote: bytes, root: IntelRoot) -> None:
    """Every byte has one allowed value, given the claims: nested lengths fit, PEM is canonical, the rest is zero."""
    try:
        (version,) = struct.unpack_from("<H", quote, 0)
        at = 48
        if version == 5:
            (size,) = struct.unpack_from("<I", quote, at + 2)
            at += 6 + size
        else:
            at += {3: 384, 4: 584}[version]
        (size,) = struct.unpack_from("<I", quote, at)
        at += 4
        signed, rest = quote[at : at + size], quote[at + size :]
        if len(signed) != size or any(rest):
            raise _refuse_framing("trailing or missing bytes")
        at = 128
        if version >= 4:
            kind, size = struct.unpack_from("<HI", signed, at)
            at += 6
            if kind != 6 or at + size != len(signed):
                raise _refuse_framing("certification data is not a QE report")
        at += 384 + 64
        (size,) = struct.unpack_from("<H", signed, at)
        at += 2 + size
        kind, size = struct.unpack_from("<HI", signed, at)
        at += 6
        if kind != 5 or at + size != len(signed):
            raise _refuse_framing("certification data is not a PCK chain")
    except (struct.error, KeyError):
        raise _refuse_framing("unknown version or too short") from None
    pem = signed[at:].removesuffix(b"\0")
    blocks = list(_PEM.finditer(pem))
    ders = [_canonical_der(block[1]) for block in blocks]
    if b"".join(block[0] for block in blocks) != pem or None in ders or len(ders) != 3:
        raise _refuse_framing("the PCK chain is not three canonical PEM certificates")
    seen = hashlib.sha256(ders[2] or b"").hexdigest()
    if seen != root.sha256:
        raise AttestationError(
            "The quote's chain does not end in the pinned root.",
            check="root",
            expected=root.sha256,
            seen=seen,
        )


def _canonical_der(body: bytes) -> bytes | None:
    try:
        der = base64.b64decode(body.replace(b"\n", b""), validate=True)
    except ValueError:
        return None
    text = base64.b64encode(der)
    lines = b"\n".join(text[i : i + 64] for i in range(0, len(text), 64)) + b"\n"
    return der if lines == body else None


def _issued(collateral: bytes) -> datetime:
    raw = json.loads(collateral)
    dates = [json.loads(raw[part])["issueDate"] for part in ("tcb_info", "qe_identity")]
    return min(datetime.fromisoformat(date).astimezone(UTC) for date in dates)


def _claims(kind: TeeKind, facts: dict[str, Any], issued: datetime) -> Claims:
    seen = {0x00: TeeKind.SGX, 0x81: TeeKind.TDX}.get(facts["tee_type"])
    if seen is not kind:
        raise AttestationError(
            "The quote is of another kind of TEE.", check="kind", expected=str(kind), seen=str(seen)
        )
    status = str(facts["tcb"]["status"])
    if status == "Revoked":
        raise AttestationError(
            "The platform's TCB is revoked.", check="tcb_status", expected="not Revoked", seen=status
        )
    advisories = tuple(sorted(facts["tcb"]["advisory_ids"]))
    needs = [Need("tcb_status", status)] if status != "UpToDate" else []
    needs += [Need("advisory", advisory) for advisory in advisories]
    pck = facts["platform"]["pck"]
    needs += [Need("flag", flag) for key, flag in _FLAGS.items() if pck[key] == "True"]
    floors = {"tcb_evaluation_data_number": int(facts["tcb"]["eval_data_number"])}
    (report,) = facts["report"].values()
    report = {**report.pop("base", {}), **report}
    if kind is TeeKind.SGX:
        _refuse_debug(report["attributes"], _SGX_DEBUG)
        pins = {key: str(report[key]) for key in ("mr_enclave", "mr_signer", "isv_prod_id", "attributes")}
        floors["isv_svn"] = int(report["isv_svn"])
        measurement = report["mr_enclave"]
    else:
        _refuse_debug(report["td_attributes"], _TDX_TUD)
        names = (
            "mr_td",
            "mr_config_id",
            "mr_owner",
            "mr_owner_config",
            "mr_seam",
            "mr_signer_seam",
            "td_attributes",
            "xfam",
        )
        pins = {f"rtmr{i}": str(report[f"rt_mr{i}"]) for i in range(4)} | {
            key: str(report[key]) for key in names
        }
        measurement = report["mr_td"]
    return Claims(
        kind=kind,
        measurement=measurement,
        platform=f"ppid:{bytes(pck['ppid']).hex()}",
        tcb_status=status,
        advisories=advisories,
        report_data=bytes.fromhex(report["report_data"]),
        pins=pins,
        floors=floors,
        needs=tuple(needs),
        issued=issued,
    )


def _refuse_debug(attributes: str, mask: int) -> None:
    if bytes.fromhex(attributes)[0] & mask:
        raise AttestationError(
            "The enclave runs in debug mode: its memory can be read.",
            check="debug",
            expected="production",
            seen=attributes,
        )


def _allow(strict: Any, need: Need) -> Any:
    if need.subject == "tcb_status":
        return strict.allow_status(need.value)
    if need.subject == "flag":
        return getattr(strict, {"smt": "allow_smt"}.get(need.value, f"allow_{need.value}"))(True)
    return strict
