"""The producers' own system calls, through the kernel, against fakes mounted with FUSE."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cmif.attest.evidence import TeeKind
from cmif.attest.prove.produce import ConfigfsTsm, Gramine
from cmif.attest.verify import dcap, snp
from cmif.errors import AttestationError
from tests.unit.attest.fakes import FakeGramine, FakeTsm
from tests.unit.attest.forge_intel import Intel
from tests.unit.attest.forge_snp import Amd
from tests.unit.attest.fuse import available, mounted
from tests.unit.attest.prove.test_produce import table

pytestmark = pytest.mark.skipif(not available(), reason="needs root and /dev/fuse")
NOW = datetime.now(UTC)
DATA = bytes(range(64))


def test_tdx(tmp_path: Path) -> None:
    intel = Intel()
    tsm = FakeTsm(lambda data: intel.quote(TeeKind.TDX, data))
    with mounted(tsm, str(tmp_path)):
        for _ in range(3):
            made = ConfigfsTsm(TeeKind.TDX, intel.collateral(TeeKind.TDX), root=str(tmp_path)).produce(DATA)
            assert dcap.verify(made, NOW, intel.root).report_data == DATA
    assert (tsm.made, tsm.entries) == (3, {})


def test_snp_with_the_hosts_certificates(tmp_path: Path) -> None:
    amd = Amd()
    tsm = FakeTsm(amd.report, provider=b"sev_guest\n", aux=table(amd.chain))
    with mounted(tsm, str(tmp_path)):
        made = ConfigfsTsm(TeeKind.SNP, root=str(tmp_path)).produce(DATA)
    assert snp.verify(made, NOW, amd.roots).report_data == DATA


def test_sgx_under_gramine(tmp_path: Path) -> None:
    intel = Intel()
    files = FakeGramine(lambda data: intel.quote(TeeKind.SGX, data))
    with mounted(files, str(tmp_path), ("/keys",)):
        gramine = Gramine(intel.collateral(TeeKind.SGX), root=str(tmp_path))
        assert dcap.verify(gramine.produce(DATA), NOW, intel.root).report_data == DATA
        assert gramine.sealing_key() == files.sealing


def test_errors_keep_their_numbers_and_entries_are_removed(tmp_path: Path) -> None:
    tsm = FakeTsm(lambda data: b"quote", busy=99)
    with mounted(tsm, str(tmp_path)), pytest.raises(AttestationError, match="EBUSY"):
        ConfigfsTsm(TeeKind.TDX, root=str(tmp_path)).produce(DATA)
    assert tsm.entries == {}
