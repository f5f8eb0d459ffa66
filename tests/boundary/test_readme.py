"""Every command of the README works as printed: the long ones in CI, the others here on a tiny model."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cmif.cli.main import app
from cmif_server.cli.processes import server

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
IN_CI = {"make demo", "make test"}


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def test_the_two_commands_are_what_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert set(ci) >= IN_CI
    assert set(commands()) >= IN_CI


def test_every_link_and_file_of_the_readme_exists() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    missing = [t for t in targets if not t.startswith("http") and not (ROOT / t).exists()]
    assert missing == []


def test_the_other_commands_run_as_printed(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """split, serve and gateway in order, then the Python snippet against them, then the rest. Only ports differ."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model, "my-model")
    snippet = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert snippet is not None
    ports: dict[str, str] = {}
    with ExitStack() as running:
        for command in commands():
            if command in IN_CI:
                continue
            name, *arguments = shlex.split(command)
            assert name == "cmif"
            if arguments[0] in ("serve", "gateway"):
                printed = arguments[arguments.index("--port") + 1]
                arguments = [_with_ports(a, ports) for a in arguments]
                arguments[arguments.index("--port") + 1] = "0"
                told: dict[str, Any] = running.enter_context(server(*arguments))
                ports[printed] = str(told["port"])
                if arguments[0] == "gateway":
                    _python(_with_ports(snippet.group(1), ports))
                continue
            if arguments[0] in (
                "inspect",
                "certify",
            ):  # the README means the default model; its bundle is split elsewhere
                arguments += ["--bundle", "halves/client"] if arguments[0] == "inspect" else ["halves/client"]
            # in this process, so that `split` takes the tests' smaller lexicon
            assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    assert len(ports) == 2


def _with_ports(text: str, ports: dict[str, str]) -> str:
    for printed, real in ports.items():
        text = text.replace(f":{printed}", f":{real}")
    return text


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)
