"""Evidence inside a TEE, through each platform's own interface: configfs-tsm, Gramine's pseudo-files, Nitro's device.

Standard library and cbor2 only. Every wait is bounded; a platform that gives no consistent evidence is an
:class:`AttestationError`, never a retry loop.
"""

from __future__ import annotations

import errno
import os
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cbor2

from cmif.attest import simulated
from cmif.attest.evidence import (
    MAX_CHAIN_CERTIFICATES,
    MAX_EVIDENCE_BYTES,
    REPORT_DATA_BYTES,
    Evidence,
    TeeKind,
)
from cmif.errors import AttestationError, InputError

_ATTEMPTS = 3
_TSM_PROVIDERS = {"tdx_guest": TeeKind.TDX, "sev_guest": TeeKind.SNP}
_MAX_AUX_BYTES = 64 * 1024
_GRAMINE_SEALING_KEY_BYTES = 16


class Producer(Protocol):
    """Makes evidence over 64 bytes of report data."""

    @property
    def kind(self) -> TeeKind: ...

    def produce(self, report_data: bytes) -> Evidence:
        """Raises :class:`AttestationError` where the platform gives none."""
        ...


class Files(Protocol):
    """The system calls that these interfaces need, as the kernel defines them (`OSError` with its errno)."""

    def read(self, path: str, limit: int) -> bytes: ...
    def write(self, path: str, data: bytes) -> None:
        """The whole of ``data`` in one write(2), to an existing file, without truncating it."""
        ...

    def mkdir(self, path: str) -> None: ...
    def rmdir(self, path: str) -> None: ...


class OsFiles:
    """The real ones."""

    def read(self, path: str, limit: int) -> bytes:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            out = bytearray()
            while chunk := os.read(descriptor, 65536):
                out += chunk
                if len(out) > limit:
                    raise _failed(f"{os.path.basename(path)} is larger than {limit} bytes")
            return bytes(out)
        finally:
            os.close(descriptor)

    def write(self, path: str, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.write(descriptor, data) != len(data):
                raise _failed(f"{os.path.basename(path)} took only a part")
        finally:
            os.close(descriptor)

    def mkdir(self, path: str) -> None:
        os.mkdir(path)

    def rmdir(self, path: str) -> None:
        os.rmdir(path)


OS_FILES: Files = OsFiles()


def _failed(what: str) -> AttestationError:
    return AttestationError(
        f"The TEE gave no evidence: {what}.", check="produce", expected="evidence", seen=what
    )


def _require_size(report_data: bytes) -> None:
    if len(report_data) != REPORT_DATA_BYTES:
        raise ValueError(f"report data is {REPORT_DATA_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class ConfigfsTsm:
    """Linux configfs-tsm (6.7 and later) for TDX and SEV-SNP: one private entry a request, always removed.

    ``collateral`` (TDX) and ``chain`` (SNP) are handed on with the evidence; both are signed by the vendor, so the host
    may supply them. Where the host gives SNP certificates in ``auxblob``, those are used too.
    """

    kind: TeeKind
    collateral: bytes = b""
    chain: tuple[bytes, ...] = ()
    root: str = "/sys/kernel/config/tsm/report"
    files: Files = OS_FILES

    def produce(self, report_data: bytes) -> Evidence:
        _require_size(report_data)
        seen = ""
        for _ in range(_ATTEMPTS):
            entry = f"{self.root}/cmif-{secrets.token_hex(8)}"
            try:
                self.files.mkdir(entry)
                try:
                    report = self._report(entry, report_data)
                finally:
                    self.files.rmdir(entry)
            except OSError as error:
                if error.errno not in (errno.EBUSY, errno.EWOULDBLOCK, errno.EINTR):
                    raise _failed(
                        f"configfs-tsm says {errno.errorcode.get(error.errno or 0, 'error')}"
                    ) from None
                seen = errno.errorcode[error.errno]
                continue
            if report is not None:
                return report
            seen = "generation changed"
        raise _failed(f"no consistent report in {_ATTEMPTS} attempts ({seen})")

    def _report(self, entry: str, report_data: bytes) -> Evidence | None:
        """Evidence, or None when another writer touched the entry between our write and our read."""
        provider = self.files.read(f"{entry}/provider", 64).decode("ascii", "replace").strip()
        if _TSM_PROVIDERS.get(provider) is not self.kind:
            raise _failed(f"configfs-tsm is served by {provider!r}, not by {self.kind}")
        before = int(self.files.read(f"{entry}/generation", 64))
        self.files.write(f"{entry}/inblob", report_data)
        out = self.files.read(f"{entry}/outblob", MAX_EVIDENCE_BYTES)
        chain = self.chain
        if self.kind is TeeKind.SNP:
            try:
                chain += certificate_table(self.files.read(f"{entry}/auxblob", _MAX_AUX_BYTES))
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.EACCES):
                    raise
        if int(self.files.read(f"{entry}/generation", 64)) != before + 1 or not out:
            return None
        return Evidence(self.kind, out, self.collateral, chain[:MAX_CHAIN_CERTIFICATES])


def certificate_table(aux: bytes) -> tuple[bytes, ...]:
    """Certificates (DER) in SNP's ``auxblob``: GUID, offset, length, until a zero GUID (GHCB 2.0, 4.1.8.1)."""
    found: list[bytes] = []
    for at in range(0, len(aux) - 23, 24):
        guid, (offset, length) = aux[at : at + 16], struct.unpack_from("<II", aux, at + 16)
        if not any(guid):
            return tuple(found)
        blob = aux[offset : offset + length]
        if blob.startswith(b"\x30\x82") and len(blob) == length:
            size = 4 + int.from_bytes(blob[2:4], "big")  # certificates are padded to their page
            found.append(blob[:size])
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Gramine:
    """SGX under Gramine with DCAP: ``/dev/attestation``."""

    collateral: bytes = b""
    root: str = "/dev/attestation"
    files: Files = OS_FILES
    kind: TeeKind = TeeKind.SGX

    def produce(self, report_data: bytes) -> Evidence:
        _require_size(report_data)
        try:
            kind = self.files.read(f"{self.root}/attestation_type", 64).strip()
            if kind != b"dcap":
                raise _failed(
                    f"Gramine's attestation type is {kind.decode('ascii', 'replace')!r}, not 'dcap'"
                )
            self.files.write(f"{self.root}/user_report_data", report_data)
            quote = self.files.read(f"{self.root}/quote", MAX_EVIDENCE_BYTES)
        except OSError as error:
            raise _failed(f"Gramine says {errno.errorcode.get(error.errno or 0, 'error')}") from None
        if not quote:
            raise _failed("Gramine gave an empty quote")
        return Evidence(TeeKind.SGX, quote, self.collateral)

    def sealing_key(self) -> bytes:
        """16 bytes that only this enclave (MRENCLAVE) on this processor can read."""
        try:
            key = self.files.read(f"{self.root}/keys/_sgx_mrenclave", 64)
        except OSError as error:
            raise _failed(f"Gramine says {errno.errorcode.get(error.errno or 0, 'error')}") from None
        if len(key) != _GRAMINE_SEALING_KEY_BYTES:
            raise _failed("Gramine's sealing key has another size")
        return key


Transport = Callable[[bytes], bytes]
"""One request to the Nitro Secure Module and its response, both CBOR."""


@dataclass(frozen=True, slots=True)
class Nitro:
    """AWS Nitro: the Nitro Secure Module's ``Attestation`` request, report data in ``user_data``."""

    transport: Transport
    kind: TeeKind = TeeKind.NITRO

    def produce(self, report_data: bytes) -> Evidence:
        _require_size(report_data)
        request = {"Attestation": {"user_data": report_data, "nonce": None, "public_key": None}}
        try:
            response = cbor2.loads(self.transport(cbor2.dumps(request)))
        except OSError as error:
            raise _failed(
                f"the Nitro Secure Module says {errno.errorcode.get(error.errno or 0, 'error')}"
            ) from None
        except Exception:  # cbor2 raises many kinds on a malformed answer
            raise _failed("the Nitro Secure Module's answer is not CBOR") from None
        match response:
            case {"Attestation": {"document": bytes(document)}} if document:
                return Evidence(TeeKind.NITRO, document)
            case {"Error": str(code)}:
                raise _failed(f"the Nitro Secure Module says {code}")
        raise _failed("the Nitro Secure Module's answer is malformed")


def producer(kind: TeeKind, *, collateral: Path | None = None, chain: tuple[Path, ...] = ()) -> Producer:
    """The platform's own producer, with files that the vendor signed. Raises :class:`InputError` if unreadable."""
    try:
        text = collateral.read_bytes() if collateral else b""
        certificates = tuple(path.read_bytes() for path in chain)
    except OSError:
        raise InputError("The collateral or a certificate is not readable.") from None
    match kind:
        case TeeKind.SGX:
            return Gramine(text)
        case TeeKind.TDX | TeeKind.SNP:
            return ConfigfsTsm(kind, text, certificates)
        case TeeKind.NITRO:
            from cmif.attest.prove.nsm import device_transport

            return Nitro(device_transport)
        case TeeKind.SIMULATED:
            return _Simulated()


class _Simulated:
    kind = TeeKind.SIMULATED

    def produce(self, report_data: bytes) -> Evidence:
        _require_size(report_data)
        return Evidence(TeeKind.SIMULATED, simulated.load().produce(report_data))
