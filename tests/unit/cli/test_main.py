"""The command line as a whole: where options come from, and that a wrong one is one line, never a traceback."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cmif import __version__
from cmif.cli.main import main
from cmif.gateway import serving

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """``cmif ARGUMENTS`` in this process: its exit status and what it wrote. A gateway binds and does not serve."""
    monkeypatch.setattr(
        serving, "run", lambda _app, bound, told, **_: print(json.dumps([bound.getsockname()[1], told]))
    )
    monkeypatch.setattr(
        "logging.root.handlers", list(logging.root.handlers)
    )  # the command's own ends with its stream

    def one(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cmif", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return int(ended.value.code or 0), out, err

    return one


@pytest.fixture
def fixed(tiny_split: Path, tmp_path: Path) -> tuple[str, ...]:
    return ("gateway", "--bundle", str(tiny_split / "client"), "--state", str(tmp_path / "state"))


ENGINE = ("--engine", "http://127.0.0.1:9")


def told(out: str) -> tuple[int, dict[str, Any]]:
    port, rest = json.loads(out)
    return port, rest


def test_version_and_help_are_asked_for_as_everywhere(run: Run) -> None:
    assert run("--version") == (0, f"cmif {__version__}\n", "")
    for command in ([], ["gateway"], ["tenants", "add"]):
        long, short = (run(*command, how) for how in ("--help", "-h"))
        assert long == short
        assert long[0] == 0


def test_an_option_comes_from_the_command_line_then_the_environment_then_the_file(
    run: Run, fixed: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cmif.toml"
    file.write_text(
        '[gateway]\nengine = "http://127.0.0.1:9"\npolicy = "content"\nport = 0\nalias = ["a", "b"]\nlog-format = "json"\n'
    )
    config = ("--config", str(file))
    assert told(run(*config, *fixed)[1])[1]["policy"] == "content"
    monkeypatch.setenv("CMIF_GATEWAY_POLICY", "entities")
    assert told(run(*config, *fixed)[1])[1]["policy"] == "entities"
    assert told(run(*config, *fixed, "--policy", "off")[1])[1]["policy"] == "off"
    monkeypatch.setenv("CMIF_GATEWAY_ENGINE", "http://127.0.0.1:9")
    monkeypatch.setenv("CMIF_GATEWAY_PORT", "0")
    monkeypatch.setenv("CMIF_CONFIG", str(file))
    monkeypatch.delenv("CMIF_GATEWAY_POLICY")
    assert told(run(*fixed)[1])[1]["policy"] == "content"


def test_the_address_of_a_kubernetes_service_is_no_port(
    run: Run, fixed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CMIF_GATEWAY_PORT", "tcp://10.0.0.7:8000")
    status, _, err = run(*fixed, *ENGINE, "--port", "0")
    assert (status, err) == (0, "")
    assert "CMIF_GATEWAY_PORT" not in os.environ


@pytest.mark.parametrize(
    "text",
    [
        "[gateway",
        'gateway = "x"',
        "[gatway]\n",
        '[gateway]\npolcy = "content"\n',
        "[gateway]\nport = 'x'\n",
        "[gateway]\nport = -1\n",
        "[tenants.ad]\n",
        "\xff",
        None,
    ],
)
def test_a_config_file_with_anything_unknown_is_refused(
    run: Run, fixed: tuple[str, ...], tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "cmif.toml"
    if text is not None:
        file.write_bytes(text.encode("latin-1"))
    status, out, err = run("--config", str(file), *fixed, *ENGINE)
    assert (status, out) == (2, "")
    assert err


@pytest.mark.parametrize(
    "wrong",
    [
        ("--state", "FILE"),
        ("--state", "FILE/below"),
        ("--state", "/proc/none"),
        ("--state", "DAMAGED"),
        ("--state", "postgresql://127.0.0.1:1/none"),
        ("--state", "postgresql://[", "--enclave-key", "KEY"),
        ("--enclave-key", "FILE"),
        ("--enclave-key", "none/below"),
        ("--policy", "strict"),
        ("--policy", "FILE"),
        ("--policy", "DIRECTORY.toml"),
        ("--policy", "BINARY.toml"),
        ("--policy", "WRONG.toml"),
        ("--tenants", "none.toml"),
        ("--tenants", "FILE"),
        ("--tenants", "BINARY.toml"),
        ("--tenants", "DIRECTORY.toml"),
        ("--bundle", "none"),
        ("--bundle", "FILE"),
        ("--engine", "ftp://x"),
        ("--engine", "http://["),
        ("--engine", "http://x:port"),
        ("--wire", "bf17"),
        ("--host", "256.0.0.1"),
        ("--port", "66000"),
        ("--log-level", "loud"),
        ("--sealed", "none"),
        ("--unknown",),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(
    run: Run, fixed: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    Path("FILE").write_text("neither\n")
    Path("BINARY.toml").write_bytes(b"\xff\xfe\x00")
    Path("DIRECTORY.toml").mkdir()
    Path("WRONG.toml").write_text('level = "content"\ntenant_budget = "much"\n')
    Path("DAMAGED").mkdir()
    Path("DAMAGED/ledger.sqlite").write_bytes(b"no database" * 100)
    status, out, err = run(*fixed, *ENGINE, "--port", "0", *wrong)
    assert status in (1, 2)
    assert out == ""
    assert sum(line.startswith("cmif: ") for line in err.splitlines()) == 1 or "Usage:" in err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--policy", "none.toml"), "There is no policy file 'none.toml'."),
        (("--tenants", "none.toml"), "The tenants file cannot be read (No such file or directory)."),
        (("--tls-certificate", "c.pem"), "--tls-certificate and --tls-key go together."),
        (("--tls-certificate", "c.pem", "--tls-key", "k.pem"), "c.pem cannot be read (No such file or directory)."),
        (("--host", "256.0.0.1"), "Give an address of this machine as --host."),
        (("--host", "192.0.2.1"), "Give an address of this machine as --host."),
        (("--cors-origin", "app.example"), "such as https://app.example"),
        (("--bundle", "none"), "There is no client bundle in 'none'."),
    ],
)
def test_a_wrong_option_says_which_file_or_address_it_is_about(
    run: Run, fixed: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in run(*fixed, *ENGINE, "--port", "0", *wrong)[2]


def test_a_command_s_option_is_in_the_file_as_it_is_on_the_command_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--json` and `--format` too, whose parameters are called otherwise."""
    state = str(tmp_path / "state")
    run("tenants", "add", "ward", "--state", state)
    file = tmp_path / "cmif.toml"
    file.write_text('[tenants.list]\njson = true\n[ledger]\nformat = "csv"\n')
    assert json.loads(run("--config", str(file), "tenants", "list", "--state", state)[1])[0]["tenant"] == "ward"
    assert run("--config", str(file), "ledger", "--state", state)[1].startswith("tenant,")


def test_the_environment_says_nothing_that_only_a_person_asks_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that calls its release CMIF_VERSION still starts."""
    monkeypatch.setenv("CMIF_VERSION", "1.2.3")
    assert "There is no ledger" in run("ledger", "--state", "none")[2]


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (("--state", "postgresql://127.0.0.1:1/x"), "do not share"),
        (("--tenants", "state"), "measured image"),
        (("--enclave-key", "k"), "made in the TEE"),
    ],
)
def test_what_the_host_could_change_is_refused_inside_a_tee(
    run: Run, fixed: tuple[str, ...], option: tuple[str, ...], reason: str
) -> None:
    status, _, err = run(*fixed, *ENGINE, "--sealed", "none", *option)
    assert (status, reason in err) == (2, True)


@pytest.mark.parametrize("state", ["none", "FILE", "postgresql://127.0.0.1:1/none"])
@pytest.mark.parametrize("command", [("ledger",), ("tenants", "list"), ("tenants", "revoke", "ward")])
def test_a_wrong_state_of_a_command_beside_the_gateway_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], state: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("")
    status, out, err = run(*command, "--state", state)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("ready", [False, True])
def test_control_c_ends_a_gateway_without_a_traceback(
    fixed: tuple[str, ...], tmp_path: Path, ready: bool
) -> None:
    """While it starts, and while it serves."""
    config = tmp_path / "cmif.toml"
    config.write_text("") if ready else os.mkfifo(config)
    command = [sys.executable, "-m", "cmif", "--config", str(config), *fixed, *ENGINE, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with ExitStack() as stack:
        if ready:
            process.stdout.readline()
        else:
            stack.enter_context(config.open("w"))  # returns when the gateway has opened it, and waits for what it says
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("typed", "word", "expected"),
    [("cmif gate", "1", "gateway"), ("cmif gateway --oblivi", "2", "--oblivious")],
)
def test_a_shell_completes_commands_and_options(typed: str, word: str, expected: str) -> None:
    asked = {"_CMIF_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": word}
    code = "import sys; sys.argv = ['cmif']; from cmif.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True
    )
    assert done.stdout.split() == [expected]
