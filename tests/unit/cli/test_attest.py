from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cmif.attest.verify.appraise import Roots, verify
from cmif.attest.verify.suggest import policy_for
from cmif.cli.main import app
from cmif.errors import AttestationError, InputError
from cmif.gateway.selfsigned import self_signed
from tests.unit.attest.forge_snp import Amd

RUNNER = CliRunner()
NOW = datetime.now(UTC)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments for a forged report that this process, and only it, believes."""
    amd = Amd()
    roots = Roots(amd=amd.roots)
    monkeypatch.setattr("cmif.attest.verify.appraise.Roots", lambda: roots)
    (tmp_path / "report.bin").write_bytes(amd.report())
    for number, certificate in enumerate(amd.chain):
        (tmp_path / f"{number}.der").write_bytes(certificate)
    (tmp_path / "policy.toml").write_text(policy_for(verify(amd.evidence(), NOW, roots)))
    chain = [str(tmp_path / f"{number}.der") for number in range(3)]
    return ["--kind", "snp", "--evidence", str(tmp_path / "report.bin"), "--chain", *chain]


def run(*arguments: str) -> tuple[int, str]:
    done = RUNNER.invoke(app, ["attest", *arguments])
    return done.exit_code, done.stdout


def test_accepted_and_refused_in_words(files: list[str], tmp_path: Path) -> None:
    policy = ["--policy", str(tmp_path / "policy.toml")]
    code, text = run("appraise", *files, *policy)
    assert (code, text.splitlines()[0]) == (0, "accepted")
    (tmp_path / "policy.toml").write_text(
        (tmp_path / "policy.toml").read_text().replace("11" * 48, "99" * 48)
    )
    code, text = run("appraise", *files, *policy)
    assert (code, text.splitlines()[0]) == (1, "REFUSED")
    assert 'check: "measurement"' in text


@pytest.mark.parametrize("text", ["unknown = 1", "not toml", "[[snp]]\n", '[[snp]]\nplatform = "x"'])
def test_a_policy_that_cannot_be_used_refuses_and_says_what_is_wrong(
    files: list[str], tmp_path: Path, text: str
) -> None:
    (tmp_path / "policy.toml").write_text(text)
    code, out = run("appraise", *files, "--policy", str(tmp_path / "policy.toml"), "--json")
    told = json.loads(out)
    assert (code, told["accepted"], told["reason"]["check"]) == (1, False, "policy")
    assert told["reason"]["seen"]


def test_options_repeat_and_several_files_may_follow_one(files: list[str], tmp_path: Path) -> None:
    head, chain = files[:5], files[5:]
    repeated = [part for name in chain for part in ("--chain", name)]
    for given in (
        [*head[:4], *repeated],
        [*head[:4], "--chain", chain[0], "--at", NOW.isoformat(), *chain[1:]],
    ):
        assert run("appraise", *given, "--policy", str(tmp_path / "policy.toml"))[0] == 0


def test_wrong_input_is_not_a_refusal(files: list[str], tmp_path: Path) -> None:
    policy = ["--policy", str(tmp_path / "policy.toml")]
    for arguments in (
        [*files, "--policy", str(tmp_path / "none.toml")],
        [*files, *policy, "--at", "yesterday"],
    ):
        done = RUNNER.invoke(app, ["attest", "appraise", *arguments])
        assert isinstance(done.exception, InputError)
    (tmp_path / "report.hex").write_text("not hex")
    done = RUNNER.invoke(
        app, ["attest", "appraise", "--kind", "snp", "--evidence", str(tmp_path / "report.hex"), *policy]
    )
    assert isinstance(done.exception, InputError)


def test_policy_for_refuses_a_forgery(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    done = RUNNER.invoke(app, ["attest", "policy-for", *files])
    assert isinstance(done.exception, AttestationError)


def test_spki_of_a_certificate_and_digest_of_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_bytes(self_signed(("a.example",))[0])
    assert len(run("spki", str(tmp_path / "c.pem"))[1].strip()) == 64
    (tmp_path / "key.pub").write_text("ab" * 32)
    (tmp_path / "engine.toml").write_text("version = 1\n")
    (tmp_path / "other.toml").write_text("version = 1\n# a comment\n")
    engine, other = (["--engine-policy", str(tmp_path / name)] for name in ("engine.toml", "other.toml"))
    asked = ([], ["--policy", "off"], ["--wire", "int8"], ["--oblivious"], engine, other, [*engine, "--allow-simulated"])
    digests = {run("config-digest", "--provider-key", str(tmp_path / "key.pub"), *more)[1] for more in asked}
    assert len(digests) == len(asked)
    for wrong in (["--allow-simulated"], ["--engine-policy", str(tmp_path / "none.toml")]):
        given = ["attest", "config-digest", "--provider-key", str(tmp_path / "key.pub"), *wrong]
        assert isinstance(RUNNER.invoke(app, given).exception, InputError)
    (tmp_path / "key.pub").write_text("ab")
    done = RUNNER.invoke(app, ["attest", "config-digest", "--provider-key", str(tmp_path / "key.pub")])
    assert isinstance(done.exception, InputError)


def test_words_and_phrases_of_a_deployment_are_not_in_the_digest(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text("ab" * 32)
    digests = set()
    for words in ('words = ["lupus"]', 'private = ["Project Falcon"]', ""):
        (tmp_path / "policy.toml").write_text(f'level = "content"\n{words}\n')
        digests.add(
            run(
                "config-digest",
                "--provider-key",
                str(tmp_path / "key.pub"),
                "--policy",
                str(tmp_path / "policy.toml"),
            )[1]
        )
    assert len(digests) == 1


@pytest.mark.parametrize("url", ["gateway", "ftp://gateway", "http://"])
def test_verify_wants_a_url(tmp_path: Path, url: str) -> None:
    (tmp_path / "policy.toml").write_text("")
    done = RUNNER.invoke(app, ["attest", "verify", url, "--policy", str(tmp_path / "policy.toml")])
    assert isinstance(done.exception, InputError)


def test_verify_says_when_nobody_is_there(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("")
    asked = ["verify", "http://127.0.0.1:1", "--policy", str(tmp_path / "policy.toml")]
    code, text = run(*asked)
    assert (code, text.splitlines()[0]) == (1, "REFUSED")
    assert "The gateway does not answer." in text
    code, text = run(*asked, "--json")
    assert (code, json.loads(text)["reason"]["check"]) == (1, "gateway")


def test_verify_of_a_server_without_a_tee_says_so_as_data(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("")
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request).start()
        url = f"http://127.0.0.1:{server.server_port}"
        code, text = run("verify", url, "--policy", str(tmp_path / "policy.toml"), "--json")
    told = json.loads(text)
    assert (code, told["accepted"], told["reason"]["seen"]) == (1, False, 404)
    assert "not started in a TEE" in told["reason"]["message"]
