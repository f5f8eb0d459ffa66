"""The command `cmif` starts only with this project's package of that name: the registry's `cmif` is another's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cmif_command

SOURCE = Path(cmif_command.__file__).parent


def start(folder: Path, *first: Path) -> subprocess.CompletedProcess[str]:
    """`cmif --help` of a copy of the command that stands in ``folder``, which comes after the folders ``first``."""
    code = f"import sys; sys.path[:0] = {[*map(str, first), str(folder)]}; import cmif_command; cmif_command.main()"
    return subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=False)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder like site-packages, with the command and the package in it."""
    folder = tmp_path / "site"
    folder.mkdir()
    shutil.copy(SOURCE / "cmif_command.py", folder)
    (folder / "cmif").symlink_to(SOURCE / "cmif")
    return folder


def test_it_starts_with_its_own_package(installed: Path) -> None:
    told = start(installed)
    assert told.returncode == 0
    assert "gateway" in told.stdout


def test_a_package_of_that_name_found_first_is_refused_and_not_run(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "first/cmif").mkdir(parents=True)
    (tmp_path / "first/cmif/__init__.py").write_text("raise SystemExit('it ran')\n")
    told = start(installed, tmp_path / "first")
    assert told.returncode == 1
    assert "Another project's package `cmif` is found first" in told.stderr
    assert "pip uninstall cmif" in told.stderr


def test_a_package_of_that_name_installed_over_this_one_is_refused(installed: Path) -> None:
    metadata = installed / "cmif-2022.11.27.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: cmif\nVersion: 2022.11.27\n")
    (metadata / "RECORD").write_text("cmif/model.py,,\ncmif/__init__.py,,\n")
    told = start(installed)
    assert told.returncode == 1
    assert "installed over this one" in told.stderr


def test_an_installation_from_when_this_project_was_called_cmif_does_no_harm(installed: Path) -> None:
    """Its editable install owns a path file and no file of the package."""
    metadata = installed / "cmif-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: cmif\nVersion: 0.1.0\n")
    (metadata / "RECORD").write_text("_editable_impl_cmif.pth,,\n")
    assert start(installed).returncode == 0
