from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cmif.attest.sealed import HEADER, SealedHeader, open_sealed
from cmif.errors import BundleError, InputError, SealError
from cmif_server.provider.seal import read_key, seal, write_new_key
from tests.unit.attest.bundle import FILES, make_bundle

KEY = bytes(range(32))


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    seal(make_bundle(tmp_path / "client"), tmp_path / "sealed", KEY)
    return tmp_path / "sealed"


def test_a_sealed_bundle_opens_to_the_same_files(sealed: Path, tmp_path: Path) -> None:
    opened = open_sealed(sealed, KEY)
    manifest = (tmp_path / "client" / "manifest.json").read_bytes()
    assert opened.manifest == manifest
    assert opened.header.bundle == hashlib.sha256(manifest).hexdigest()
    assert {name: bytes(data) for name, data in opened.files.items()} == FILES


def test_nothing_of_the_plaintext_is_in_the_sealed_files(sealed: Path) -> None:
    together = b"".join(path.read_bytes() for path in sealed.iterdir())
    for data in FILES.values():
        assert not data or data[:64] not in together


def test_the_header_hashes_the_ciphertexts_and_its_digest_covers_them(sealed: Path) -> None:
    header = SealedHeader.read(sealed)
    for name, digest in header.sha256.items():
        assert hashlib.sha256((sealed / f"{name}.sealed").read_bytes()).hexdigest() == digest
    raw = json.loads((sealed / HEADER).read_text())
    raw["files"]["rows.bf16"]["sha256"] = "00" * 32
    (sealed / HEADER).write_text(json.dumps(raw))
    assert SealedHeader.read(sealed).digest != header.digest


def test_another_key_bundle_or_epoch_is_refused(sealed: Path) -> None:
    with pytest.raises(SealError, match="does not open"):
        open_sealed(sealed, bytes(32))
    with pytest.raises(SealError, match="not the one"):
        open_sealed(sealed, KEY, bundle="00" * 32)
    with pytest.raises(SealError, match="epoch"):
        open_sealed(sealed, KEY, epoch=2)


def test_files_cannot_be_swapped_between_names_epochs_or_bundles(sealed: Path, tmp_path: Path) -> None:
    other = dict(FILES, **{"tokenizer.json": b'{"tokenizer": "evil"}'})
    seal(make_bundle(tmp_path / "other"), tmp_path / "epoch2", KEY, epoch=2)
    seal(make_bundle(tmp_path / "evil", other), tmp_path / "evil-sealed", KEY)
    good = (sealed / "tokenizer.json.sealed").read_bytes()
    for source in (tmp_path / "epoch2", tmp_path / "evil-sealed"):
        (sealed / "tokenizer.json.sealed").write_bytes((source / "tokenizer.json.sealed").read_bytes())
        with pytest.raises(SealError):
            open_sealed(sealed, KEY)
    (sealed / "tokenizer.json.sealed").write_bytes(good)
    (sealed / "table.npz.sealed").write_bytes(good)
    with pytest.raises(SealError):
        open_sealed(sealed, KEY)


def test_a_doctored_header_is_refused(sealed: Path) -> None:
    good = json.loads((sealed / HEADER).read_text())
    for change in (
        {"bundle": "00" * 32},
        {"epoch": 7},
        {"format": 2},
        {"files": {}},
        {"files": {**good["files"], "../escape": {"bytes": 1, "sha256": ""}}},
        {"files": {**good["files"], "rows.bf16": {"bytes": 1 << 60, "sha256": ""}}},
        {"files": {**good["files"], "rows.bf16": {"bytes": -1, "sha256": ""}}},
        {"files": {**good["files"], "manifest.json": {"bytes": 1 << 40, "sha256": ""}}},
    ):
        (sealed / HEADER).write_text(json.dumps({**good, **change}))
        with pytest.raises(SealError):
            open_sealed(sealed, KEY)
    (sealed / HEADER).write_text("not json")
    with pytest.raises(SealError, match=r"sealed\.json"):
        open_sealed(sealed, KEY)


def test_missing_and_cut_files_are_refused(sealed: Path) -> None:
    rows = sealed / "rows.bf16.sealed"
    data = rows.read_bytes()
    rows.write_bytes(data[:-1])
    with pytest.raises(SealError, match="size"):
        open_sealed(sealed, KEY)
    rows.unlink()
    with pytest.raises(SealError, match="missing"):
        open_sealed(sealed, KEY)


def test_only_what_the_manifest_describes_is_sealed(tmp_path: Path) -> None:
    client = make_bundle(tmp_path / "client")
    (client / "tokenizer.json").write_bytes(b"altered")
    with pytest.raises(BundleError, match=r"tokenizer\.json"):
        seal(client, tmp_path / "sealed", KEY)
    (client / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match="missing"):
        seal(client, tmp_path / "sealed", KEY)
    (client / "manifest.json").write_text("{}")
    with pytest.raises(BundleError, match="manifest"):
        seal(client, tmp_path / "sealed", KEY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["client"]


def test_nothing_is_overwritten(sealed: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists"):
        seal(tmp_path / "client", sealed, KEY)
    with pytest.raises(InputError, match="epoch"):
        seal(tmp_path / "client", tmp_path / "new", KEY, epoch=0)
    path = tmp_path / "content.key"
    key = write_new_key(path)
    assert read_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="exists"):
        write_new_key(path)


def test_key_files_are_never_quoted(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for text in ("secret text", "aa" * 31):
        path.write_text(text)
        with pytest.raises(InputError) as error:
            read_key(path)
        assert text not in str(error.value)


_MEASURE = """
import sys
from pathlib import Path
import numpy, cmif.attest.sealed, cmif_server.provider.seal
def now(field): return next(int(l.split()[1]) * 1024 for l in open("/proc/self/status") if l.startswith(field))
before = now("VmRSS:")
if sys.argv[1] == "seal":
    cmif_server.provider.seal.seal(Path(sys.argv[2]), Path(sys.argv[3]), bytes(32))
else:
    opened = cmif.attest.sealed.open_sealed(Path(sys.argv[3]), bytes(32))
    before += sum(a.nbytes for a in opened.files.values())
print(now("VmHWM:") - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("size", [int(os.environ.get("CMIF_SEAL_BYTES", 256 << 20))])
def test_sealing_and_opening_use_bounded_memory(tmp_path: Path, size: int) -> None:
    """At most 100 MiB beyond the table (256 MiB here; the issue's 1 GiB with CMIF_SEAL_BYTES=1073741824)."""
    client = tmp_path / "client"
    client.mkdir()
    with (client / "rows.bf16").open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    with (client / "rows.bf16").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    (client / "manifest.json").write_text(
        json.dumps({"format": 1, "files": {"rows.bf16": {"sha256": digest}}})
    )
    for step in ("seal", "open"):
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE, step, str(client), str(tmp_path / "sealed")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        beyond = int(done.stdout)
        print(f"{step}: {beyond / 2**20:.1f} MiB beyond the table of {size / 2**20:.0f} MiB")
        assert beyond <= 100 << 20
