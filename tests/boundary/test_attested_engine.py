"""An engine and a gateway that asks it what it runs in: the real commands, each its own process, over loopback TLS."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.boundary.simulated import rules
from tests.boundary.test_sealed_end_to_end import LABEL, command, get, image, running, until
from tests.unit.attest.fake_nvattest import program, table

pytest.importorskip(
    "cmif_simulated_tee", reason="needs the distribution cmif-simulated-tee (pip install ./simulated-tee)"
)

TYPED = "Patient: Eleanor Whitfield was seen for diabetes."


def asked(url: str, messages: list[dict[str, Any]]) -> tuple[int, Any, dict[str, str]]:
    model = get(f"{url}/v1/models")[1]["data"][0]["id"]
    body = {"model": model, "messages": messages, "max_tokens": 4}
    data = json.dumps(body).encode()
    headers = {"content-type": "application/json", "x-cmif-explain": "1"}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/chat/completions", data, headers), timeout=60) as a:
            return a.status, json.loads(a.read()), dict(a.headers)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), dict(error.headers)


@pytest.mark.slow
def test_an_engine_in_a_simulated_tee_from_its_start_to_a_relaxed_answer(tiny_split: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CMIF_SIMULATED_TEE_KEY": str(tmp_path / "device.key"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(image(tmp_path / "image")),
    }
    digest = command("attest", "engine-digest").stdout.strip()
    appraisal = tmp_path / "engine.toml"
    appraisal.write_text(rules(environment, digest), "utf-8")
    (tmp_path / "privacy.toml").write_text('level = "sensitive"\nattested = "off"\n', "utf-8")

    def gateway(engine: str, *more: str) -> list[str]:
        return [
            "cmif", "gateway", "--engine", engine, "--bundle", str(tiny_split / "client"), "--port", "0",
            "--policy", str(tmp_path / "privacy.toml"), "--state", str(tmp_path / "state"), *more,
        ]  # fmt: skip

    attested = ("--engine-policy", str(appraisal), "--allow-simulated")
    serve = ("cmif", "serve", str(tiny_split / "server"), "--tee", "simulated", "--port")
    first = [{"role": "user", "content": TYPED}]
    with ExitStack() as stack:
        engine = stack.enter_context(running(*serve, "0", environment=environment))
        assert (engine["warning"], engine["config_digest"]) == (LABEL, digest)
        assert engine["url"].startswith("https://")
        verified = command(
            "attest", "verify", engine["url"], "--policy", str(appraisal), "--json", "--allow-simulated",
            environment=environment,
        )  # fmt: skip
        told = json.loads(verified.stdout)
        assert (told["accepted"], told["tls_spki"], told["bundle"]) == (True, engine["tls_spki"], engine["model"])

        with running(*gateway(engine["url"], *attested), environment=environment) as near:
            until(near["url"], None)
            status, answer, headers = asked(near["url"], first)
            assert status == 200
            assert TYPED in answer["cmif"]["engine_saw"]
            assert headers["x-cmif-lane"] == "attested-engine"
            assert headers["x-cmif-engine-tee"] == LABEL
            further = [*first, answer["choices"][0]["message"], {"role": "user", "content": "And now?"}]

        with running(*gateway(engine["url"], *attested[:-1]), environment=environment) as unsaid:
            until(unsaid["url"], "simulated")  # the command line's half of the consent is missing
            assert asked_closed(unsaid["url"]) == (503, "not_ready")

    certificate, key = tmp_path / "plain.pem", tmp_path / "plain.key"
    from cmif.gateway.selfsigned import self_signed

    for path, data in zip((certificate, key), self_signed(("127.0.0.1",)), strict=True):
        path.write_bytes(data)
    files = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    with running("cmif", "serve", str(tiny_split / "server"), "--port", "0", *files, environment=environment) as bare:
        with running(*gateway(bare["url"], *attested), environment=environment) as closed:
            until(closed["url"], "statement")
            assert asked_closed(closed["url"]) == (503, "not_ready")
        arguments = gateway(bare["url"], "--engine-ca", str(certificate))
        with running(*arguments, environment=environment) as strict:
            until(strict["url"], None)
            status, answer, headers = asked(strict["url"], further)
            assert (status, answer["error"]["code"]) == (403, "lane")
            status, answer, headers = asked(strict["url"], first)
            assert (status, headers["x-cmif-lane"]) == (200, "engine")
            assert "Whitfield" not in answer["cmif"]["engine_saw"]


@pytest.mark.slow
def test_an_engine_shows_its_gpus_and_a_policy_that_wants_them_takes_no_other(tiny_split: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CMIF_SIMULATED_TEE_KEY": str(tmp_path / "device.key")}
    environment["PYTHONPATH"] = str(image(tmp_path / "image"))
    nvattest, digest = program(tmp_path), command("attest", "engine-digest").stdout.strip()
    text = rules(environment, digest) + table(nvattest)
    policy = tmp_path / "engine.toml"
    policy.write_text(text, "utf-8")
    serve = ("cmif", "serve", str(tiny_split / "server"), "--tee", "simulated", "--port", "0")

    def verified(url: str) -> tuple[int, str]:
        line = ("attest", "verify", url, "--policy", str(policy), "--allow-simulated")
        done = command(*line, environment=environment)
        return done.returncode, done.stdout + done.stderr

    with running(*serve, "--nvattest", str(nvattest), environment=environment) as engine:
        status, said = verified(engine["url"])
        assert status == 0, said
        program(tmp_path, nonce="00" * 32)  # the GPUs answer something else from here on
        status, said = verified(engine["url"])
        assert (status, "gives no statement" in said) == (1, True)
    with running(*serve, environment=environment) as engine:
        status, said = verified(engine["url"])
        assert (status, "no evidence of a GPU" in said) == (1, True)


@pytest.mark.parametrize("more", [(), ("--tee", "snp")])
def test_gpus_are_attested_by_a_program_and_beside_a_tee_only(tiny_split: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    done = command("serve", str(tiny_split / "server"), "--nvattest", str(tmp_path / "none"), *more)
    assert (done.returncode, "--nvattest" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("kind", ["snp", "sgx"])
def test_an_engine_whose_machine_gives_no_evidence_does_not_start(tiny_split: Path, kind: str) -> None:
    """It would serve, and every gateway would refuse it."""
    done = command("serve", str(tiny_split / "server"), "--tee", kind, "--port", "0")
    assert (done.returncode, done.stdout) == (1, "")
    assert "The TEE gave no evidence" in done.stderr


def asked_closed(url: str) -> tuple[int, str]:
    status, told, _ = get(f"{url}/v1/chat/completions", {"model": "any", "messages": []})
    return status, told["error"]["code"]


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ("https:// engine", ("--engine", "http://127.0.0.1:1", "--engine-policy", "POLICY")),
        ("readable", ("--engine", "https://127.0.0.1:1", "--engine-policy", "missing.toml")),
        ("for --engine-policy", ("--engine", "https://127.0.0.1:1", "--allow-simulated")),
        ("--engine-ca", ("--engine", "https://127.0.0.1:1", "--engine-policy", "POLICY", "--engine-ca", "c")),
        ("text API", ("--engine", "https://127.0.0.1:1", "--engine-policy", "POLICY", "--upstream", "text", "--upstream-model", "m")),
    ],
)  # fmt: skip
def test_options_that_would_not_hold_are_refused(tiny_split: Path, tmp_path: Path, said: str, more: tuple[str, ...]) -> None:
    policy = tmp_path / "engine.toml"
    policy.write_text("version = 1\n", "utf-8")
    given = [str(policy) if word == "POLICY" else word for word in more]
    done = command("gateway", "--bundle", str(tiny_split / "client"), "--state", str(tmp_path / "state"), *given)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
