from __future__ import annotations

import errno
import struct
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import cbor2
import pytest

from cmif.attest.evidence import TeeKind
from cmif.attest.prove.nsm import _IOCTL_RAW, device_transport
from cmif.attest.prove.produce import ConfigfsTsm, Gramine, Nitro, OsFiles, certificate_table
from cmif.attest.verify import dcap, nitro, snp
from cmif.errors import AttestationError
from tests.unit.attest.fakes import FakeGramine, FakeNsm, FakeTsm
from tests.unit.attest.forge_intel import Intel
from tests.unit.attest.forge_nitro import Aws
from tests.unit.attest.forge_snp import Amd

NOW = datetime.now(UTC)
DATA = bytes(range(64))


def refused(produce: Callable[[], object]) -> str:
    with pytest.raises(AttestationError) as refusal:
        produce()
    assert refusal.value.check == "produce"
    return str(refusal.value.seen)


def test_tdx_through_configfs() -> None:
    intel = Intel()
    tsm = FakeTsm(lambda data: intel.quote(TeeKind.TDX, data))
    evidence = ConfigfsTsm(TeeKind.TDX, intel.collateral(TeeKind.TDX), files=tsm).produce(DATA)
    assert dcap.verify(evidence, NOW, intel.root).report_data == DATA
    assert tsm.entries == {}


def test_snp_through_configfs_with_the_hosts_certificates() -> None:
    amd = Amd()
    tsm = FakeTsm(amd.report, provider=b"sev_guest\n", aux=table(amd.chain))
    evidence = ConfigfsTsm(TeeKind.SNP, files=tsm).produce(DATA)
    assert snp.verify(evidence, NOW, amd.roots).report_data == DATA


def test_sgx_through_gramine() -> None:
    intel = Intel()
    files = FakeGramine(lambda data: intel.quote(TeeKind.SGX, data))
    evidence = Gramine(intel.collateral(TeeKind.SGX), files=files).produce(DATA)
    assert dcap.verify(evidence, NOW, intel.root).report_data == DATA
    assert Gramine(files=files).sealing_key() == bytes(range(16))


def test_nitro_through_its_device_protocol() -> None:
    aws = Aws()
    evidence = Nitro(FakeNsm(aws.document)).produce(DATA)
    assert nitro.verify(evidence, NOW, aws.root_sha256).report_data == DATA


def test_a_busy_interface_is_asked_again_but_not_for_ever() -> None:
    tsm = FakeTsm(lambda data: b"quote", busy=2)
    assert ConfigfsTsm(TeeKind.TDX, files=tsm).produce(DATA).data == b"quote"
    assert (tsm.made, tsm.entries) == (3, {})
    tsm.busy = 99
    assert "EBUSY" in refused(lambda: ConfigfsTsm(TeeKind.TDX, files=tsm).produce(DATA))
    assert (tsm.made, tsm.entries) == (6, {})


def test_a_report_that_another_writer_touched_is_not_used() -> None:
    def race(entry: object) -> None:
        entry.generation += 1  # type: ignore[attr-defined]

    tsm = FakeTsm(lambda data: b"quote", racer=race)
    assert "generation" in refused(lambda: ConfigfsTsm(TeeKind.TDX, files=tsm).produce(DATA))
    assert tsm.entries == {}


def test_an_interface_of_another_platform_is_refused() -> None:
    assert "sev_guest" in refused(
        lambda: ConfigfsTsm(TeeKind.TDX, files=FakeTsm(lambda data: b"", provider=b"sev_guest\n")).produce(
            DATA
        )
    )
    assert "none" in refused(
        lambda: Gramine(files=FakeGramine(lambda data: b"", kind=b"none\n")).produce(DATA)
    )


def test_errors_of_the_interfaces_are_refusals(tmp_path: object) -> None:
    assert "ENOENT" in refused(lambda: ConfigfsTsm(TeeKind.TDX, root=f"{tmp_path}/none").produce(DATA))
    assert "ENOENT" in refused(lambda: Gramine(root=f"{tmp_path}/none").produce(DATA))
    assert "empty" in refused(lambda: Gramine(files=FakeGramine(lambda data: b"")).produce(DATA))
    assert "InputTooLarge" in refused(
        lambda: Nitro(lambda r: cbor2.dumps({"Error": "InputTooLarge"})).produce(DATA)
    )
    assert "CBOR" in refused(lambda: Nitro(lambda r: b"\xff").produce(DATA))
    assert "malformed" in refused(
        lambda: Nitro(lambda r: cbor2.dumps({"Attestation": {"document": b""}})).produce(DATA)
    )


def test_sealing_key_of_another_size_is_refused() -> None:
    assert "size" in refused(Gramine(files=FakeGramine(lambda data: b"", sealing=b"short")).sealing_key)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_report_data_is_64_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="64"):
        ConfigfsTsm(TeeKind.TDX, files=FakeTsm(lambda data: b"")).produce(bytes(size))


def test_real_files_are_written_in_one_call_without_truncation(tmp_path: object) -> None:
    path = f"{tmp_path}/file"
    with pytest.raises(FileNotFoundError):
        OsFiles().write(path, b"x")
    with open(path, "wb") as file:
        file.write(b"0123456789")
    OsFiles().write(path, b"ab")
    assert OsFiles().read(path, 100) == b"ab23456789"
    with pytest.raises(AttestationError):
        OsFiles().read(path, 5)


def test_the_ioctl_number_is_the_kernels() -> None:
    assert _IOCTL_RAW == 0xC0200A00


def test_no_device_is_an_os_error() -> None:
    with pytest.raises(OSError) as error:
        device_transport(b"x")
    assert error.value.errno == errno.ENOENT


def table(certificates: tuple[bytes, ...]) -> bytes:
    """A certificate table as GHCB 2.0 lays it out: entries, a zero entry, then the certificates padded to pages."""
    head, blobs = b"", b""
    start = 24 * (len(certificates) + 1)
    for certificate in certificates:
        padded = certificate.ljust(-(-len(certificate) // 4096) * 4096, b"\0")
        head += uuid.uuid4().bytes + struct.pack("<II", start + len(blobs), len(padded))
        blobs += padded
    return head + bytes(24) + blobs


def test_certificate_tables_survive_hostile_offsets() -> None:
    assert certificate_table(b"") == ()
    assert certificate_table(bytes(24)) == ()
    assert certificate_table(uuid.uuid4().bytes + struct.pack("<II", 1 << 31, 1 << 31)) == ()
    assert certificate_table(table((b"\x30\x82\x00\x01x",))) == (b"\x30\x82\x00\x01x",)
