"""The entry point of a TEE: measured options, no command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cmif.attest.evidence import TeeKind
from cmif.errors import InputError
from cmif.gateway.enclave import load

MEASURED = """[gateway]
sealed = "/bundle"
provider-key = "{key}"
tee = "snp"
chain = ["ark.pem", "ask.pem"]
policy = "content"
state = "/state"
port = 8443
"""
OPEN = {"CMIF_GATEWAY_ENGINE": "https://e.example", "CMIF_GATEWAY_PROVIDER": "https://p.example"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "key.pub").write_text("ab" * 32)
    (tmp_path / "gateway.toml").write_text(MEASURED.format(key=tmp_path / "key.pub"))
    return tmp_path / "gateway.toml"


def test_options_come_from_the_measured_file_and_what_it_leaves_open_from_the_environment(file: Path) -> None:
    config = load(file, OPEN | {"CMIF_GATEWAY_TLS_NAME": "g.example", "CMIF_GATEWAY_OBLIVIOUS": "true", "HOME": "/"})
    assert (config.engine, config.port, config.tee) == ("https://e.example", 8443, TeeKind.SNP)
    assert (config.tls_name, config.oblivious, len(config.chain)) == (("g.example",), True, 2)
    assert config.provider_key == b"\xab" * 32


def test_the_environment_cannot_say_otherwise_than_the_measured_file(file: Path) -> None:
    with pytest.raises(InputError, match="CMIF_GATEWAY_POLICY is set") as refusal:
        load(file, OPEN | {"CMIF_GATEWAY_POLICY": "off"})
    assert "off" not in str(refusal.value)


def test_addresses_that_kubernetes_sets_are_no_options(file: Path) -> None:
    assert load(file, OPEN | {"CMIF_GATEWAY_PORT": "tcp://10.0.0.1:443"}).port == 8443


@pytest.mark.parametrize("text", ["", "gateway = 1", "[gateway]\n[more]\n", "[gateway]\nsealde = 1\n", "not toml"])
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "gateway.toml").write_text(text)
    with pytest.raises(InputError):
        load(tmp_path / "gateway.toml", OPEN)


def test_a_start_without_a_sealed_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[gateway]\nstate = "/s"\n')
    with pytest.raises(InputError, match="sealed bundle"):
        load(tmp_path / "gateway.toml", {"CMIF_GATEWAY_ENGINE": "https://e.example"})


def test_no_command_line_library_is_loaded() -> None:
    """Click is there because `import uvicorn` takes it along; nothing of ours uses it."""
    code = "import sys, cmif.gateway.enclave; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "starlette" in loaded
    assert not loaded & {"typer", "rich", "shellingham", "annotated_doc", "torch"}
    assert not [name for name in done.stdout.split() if name.startswith("cmif.cli")]


def test_its_errors_are_one_line_and_an_exit_status(file: Path) -> None:
    for arguments in ([], [str(file), "--policy", "off"], [str(file)]):
        done = subprocess.run(
            [sys.executable, "-m", "cmif.gateway.enclave", *arguments], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr[:6], done.stderr.count("\n")) == (2, "cmif: ", 1)
