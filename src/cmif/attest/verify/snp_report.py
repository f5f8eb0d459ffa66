"""The layout of an SEV-SNP attestation report (AMD 56860, "SEV Secure Nested Paging Firmware ABI", ATTESTATION_REPORT).

Knows nothing about certificates or policies.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from cmif.errors import AttestationError

REPORT_BYTES = 0x4A0
_SIGNED_BYTES = 0x2A0
POLICY_DEBUG, POLICY_MIGRATION, _POLICY_RESERVED_ONE = 1 << 19, 1 << 18, 1 << 17
ALIAS_CHECK_COMPLETE, SMT_ENABLED = 1 << 5, 1 << 0


@dataclass(frozen=True, slots=True)
class Report:
    """The fields of a report that anything here reads. Byte strings are as in the report (little-endian numbers)."""

    version: int
    guest_svn: int
    policy: int
    family_id: bytes
    image_id: bytes
    vmpl: int
    platform_info: int
    signing_key: str
    report_data: bytes
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    reported_tcb: bytes
    cpuid: tuple[int, int] | None
    chip_id: bytes
    signed: bytes
    r: int
    s: int


def _bad(what: str, expected: object, seen: object) -> AttestationError:
    return AttestationError(
        f"The SNP report is malformed: {what}.", check="format", expected=expected, seen=seen
    )


def parse(data: bytes) -> Report:
    """Read a report. Raises :class:`AttestationError` unless every reserved byte is zero and every code is known."""
    if len(data) != REPORT_BYTES:
        raise _bad("wrong length", REPORT_BYTES, len(data))
    version, guest_svn, policy = struct.unpack_from("<IIQ", data, 0)
    if version not in (2, 3, 4, 5):
        raise _bad("unknown version", "2 to 5", version)
    vmpl, algorithm = struct.unpack_from("<II", data, 0x30)
    if algorithm != 1:
        raise _bad("unknown signature algorithm", 1, algorithm)
    if vmpl > 3:
        raise _bad("VMPL out of range", "0 to 3", vmpl)
    if not policy & _POLICY_RESERVED_ONE:
        raise _bad("guest policy bit 17 is not 1", 1, 0)
    reserved = (
        data[0x4C:0x50],
        data[0x18B if version > 2 else 0x188 : 0x1A0],
        data[0x208 if version >= 5 else 0x1F8 : _SIGNED_BYTES],
        data[_SIGNED_BYTES + 48 : _SIGNED_BYTES + 72],
        data[_SIGNED_BYTES + 120 : REPORT_BYTES],
    )
    if any(any(part) for part in reserved):
        raise _bad("reserved bytes are not zero", 0, "other")
    platform_info, key_info = struct.unpack_from("<QI", data, 0x40)
    signing_key = {0: "VCEK", 1: "VLEK"}.get(key_info >> 2 & 7)
    if signing_key is None:
        raise _bad("not signed by a VCEK or VLEK", "VCEK or VLEK", key_info >> 2 & 7)
    return Report(
        version=version,
        guest_svn=guest_svn,
        policy=policy,
        family_id=data[0x10:0x20],
        image_id=data[0x20:0x30],
        vmpl=vmpl,
        platform_info=platform_info,
        signing_key=signing_key,
        report_data=data[0x50:0x90],
        measurement=data[0x90:0xC0],
        host_data=data[0xC0:0xE0],
        id_key_digest=data[0xE0:0x110],
        author_key_digest=data[0x110:0x140],
        reported_tcb=data[0x180:0x188],
        cpuid=(data[0x188], data[0x189]) if version > 2 else None,
        chip_id=data[0x1A0:0x1E0],
        signed=data[:_SIGNED_BYTES],
        r=int.from_bytes(data[_SIGNED_BYTES : _SIGNED_BYTES + 72], "little"),
        s=int.from_bytes(data[_SIGNED_BYTES + 72 : _SIGNED_BYTES + 144], "little"),
    )
