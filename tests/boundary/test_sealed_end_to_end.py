"""split -> seal -> release -> gateway -> chat, each its own process, talking over sockets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cmif.attest.spki import spki_sha256
from cmif.gateway.selfsigned import self_signed
from cmif_server.provider.record import check_record
from tests.boundary.simulated import rules
from tests.boundary.test_upkeep import KEYS, run

pytest.importorskip(
    "cmif_simulated_tee", reason="needs the distribution cmif-simulated-tee (pip install ./simulated-tee)"
)

LABEL = "SIMULATED (not a TEE: protects nothing)"


def command(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cmif", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=False,
    )


@contextmanager
def running(*arguments: str, environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A server until the block ends; yields its ready line."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"{arguments[1]} ended with {process.wait()}"
        yield {**json.loads(line), "pid": process.pid}
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def get(url: str, body: Any = None) -> tuple[int, Any, dict[str, str]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read()), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}"), dict(error.headers)


def until(url: str, wanted: str | None, seconds: float = 120) -> list[str]:
    """Wait for /readyz to be true (``wanted`` None) or to give a reason that begins with ``wanted``."""
    end = time.monotonic() + seconds
    reasons: list[str] = []
    while time.monotonic() < end:
        status, told, _ = get(f"{url}/readyz")
        reasons = told.get("reasons", [])
        if (status == 200) if wanted is None else any(reason.startswith(wanted) for reason in reasons):
            return reasons
        time.sleep(0.1)
    raise AssertionError(f"not {'ready' if wanted is None else wanted} in {seconds} s: {reasons}")


@dataclass
class Deployment:
    """A sealed bundle, a serving engine, and the files that provider and gateway hold."""

    folder: Path
    engine: str
    engine_spki: str
    environment: dict[str, str]

    def seal_arguments(self) -> list[str]:
        return [str(self.folder / "sealed"), "--key", str(self.folder / "content.key")]

    def release(self, policy: Path, *more: str, spki: str | None = None) -> list[str]:
        return [
            "release", *self.seal_arguments(), "--signing-key", str(self.folder / "provider.key"), "--policy", str(policy),
            "--record", str(self.folder / "record.jsonl"), "--engine-spki", spki or self.engine_spki, "--port", "0", *more,
        ]  # fmt: skip

    def gateway(self, provider: str, tee: str, *more: str) -> list[str]:
        return [
            "gateway", "--engine", self.engine, "--sealed", str(self.folder / "sealed"), "--provider", provider,
            "--provider-key", str(self.folder / "provider.key.pub"), "--tee", tee, "--port", "0",
            "--state", str(self.folder / f"state-{tee}-{len(more)}"), *more,
        ]  # fmt: skip

    def measured(self, provider: str, *tls_names: str, policy: str = "sensitive") -> list[str]:
        """The same by the entry point of a TEE: what an image would hold in a file, its own addresses beside it."""
        options = {
            "engine": self.engine, "sealed": str(self.folder / "sealed"), "provider": provider, "tee": "simulated", "port": 0,
            "provider-key": str(self.folder / "provider.key.pub"), "state": str(self.folder / "state-measured"),
            "tls-name": list(tls_names), "policy": policy,
        }  # fmt: skip
        file = self.folder / "gateway.toml"
        file.write_text("[gateway]\n" + "".join(f"{n} = {json.dumps(v)}\n" for n, v in options.items()), "utf-8")
        return ["cmif.gateway.enclave", str(file)]

    def policy(self, name: str, rules: str, *privacy: str) -> Path:
        """An appraisal policy with these rules, for gateways of the default privacy policy and of ``privacy``, every reason
        filled in."""
        asked = ("attest", "config-digest", "--provider-key", str(self.folder / "provider.key.pub"), "--policy")
        digests = [command(*asked, policy).stdout.strip() for policy in ("sensitive", *privacy)]
        text = rules.replace("version = 1\n", f"version = 1\nconfig_digests = {json.dumps(digests)}\n")
        path = self.folder / name
        path.write_text(text.replace('reason = ""', 'reason = "test"'), "utf-8")
        return path


def image(folder: Path) -> Path:
    """A copy of the code that nobody edits while it is measured, as an enclave's image is."""
    import cmif

    leave = shutil.ignore_patterns("__pycache__", "default")
    shutil.copytree(Path(cmif.__file__).parent, folder / "cmif", ignore=leave)
    return folder


@pytest.fixture(scope="module")
def deployment(tiny_split: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("sealed")
    sealed = command(
        "seal",
        str(tiny_split / "client"),
        "--out",
        str(folder / "sealed"),
        "--key",
        str(folder / "content.key"),
    )
    assert sealed.returncode == 0, sealed.stderr
    from cmif_server.provider.release import signing_key

    signing_key(folder / "provider.key")
    certificate, key = self_signed(("127.0.0.1",))
    (folder / "engine.pem").write_bytes(certificate)
    (folder / "engine.key").write_bytes(key)
    spki = command("attest", "spki", str(folder / "engine.pem")).stdout.strip()
    environment = {
        **os.environ,
        "CMIF_SIMULATED_TEE_KEY": str(folder / "device.key"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(image(folder / "image")),
    }
    with running(
        "cmif", "serve", str(tiny_split / "server"), "--port", "0",
        "--tls-certificate", str(folder / "engine.pem"), "--tls-key", str(folder / "engine.key"), environment=environment,
    ) as engine:  # fmt: skip
        yield Deployment(folder, engine["url"], spki, environment)


def chat(url: str) -> tuple[int, Any, dict[str, str]]:
    body = {
        "model": "any",
        "messages": [{"role": "user", "content": "Hello from Alice Baker."}],
        "max_tokens": 4,
    }
    status, models, _ = get(f"{url}/v1/models")
    if status == 200:
        body["model"] = models["data"][0]["id"]
    return get(f"{url}/v1/chat/completions", body)


def accepting(deployment: Deployment, *privacy: str) -> Path:
    """An appraisal policy that accepts this machine's simulated TEE; ``privacy`` as of :meth:`Deployment.policy`."""
    return deployment.policy("simulated.toml", rules(deployment.environment), *privacy)


@pytest.fixture(scope="module")
def simulated_policy(deployment: Deployment) -> Path:
    return accepting(deployment)


def test_simulated_tee_from_seal_to_chat(deployment: Deployment, simulated_policy: Path) -> None:
    with ExitStack() as stack:
        release = stack.enter_context(
            running(
                "cmif",
                *deployment.release(simulated_policy, "--allow-simulated"),
                environment=deployment.environment,
            )
        )
        assert release["warning"] == LABEL
        gateway = stack.enter_context(
            running(
                "cmif", *deployment.gateway(release["url"], "simulated"), environment=deployment.environment
            )
        )
        assert gateway["warning"] == LABEL
        until(gateway["url"], None)
        status, answer, headers = chat(gateway["url"])
        assert status == 200
        assert answer["choices"][0]["finish_reason"] in ("stop", "length")
        assert headers["x-cmif-tee"] == LABEL

        def verify(*more: str) -> tuple[int, dict[str, Any]]:
            arguments = [
                "attest",
                "verify",
                gateway["url"],
                "--policy",
                str(simulated_policy),
                "--json",
                *more,
            ]
            done = command(*arguments, environment=deployment.environment)
            return done.returncode, json.loads(done.stdout)

        code, told = verify("--allow-simulated")
        assert (code, told["accepted"], told["platform"]) == (0, True, LABEL)
        assert told["config_digest"] == gateway["config_digest"]
        code, told = verify()
        assert (code, told["reason"]["check"]) == (1, "simulated")
    lines = (deployment.folder / "record.jsonl").read_text("utf-8").splitlines()
    assert json.loads(lines[-1])["event"] == "granted"
    check_record(deployment.folder / "record.jsonl")
    plain = [
        path
        for path in deployment.folder.rglob("*")
        if path.name in ("rows.bf16", "tokenizer.json", "table.npz")
    ]
    assert plain == []


@pytest.mark.slow
def test_attested_tls_ends_in_the_gateway_that_a_measured_file_starts(deployment: Deployment, simulated_policy: Path) -> None:
    with ExitStack() as stack:
        release = stack.enter_context(
            running(
                "cmif",
                *deployment.release(simulated_policy, "--allow-simulated"),
                environment=deployment.environment,
            )
        )
        arguments = deployment.measured(release["url"], "127.0.0.1")
        gateway = stack.enter_context(running(*arguments, environment=deployment.environment))
        saved = deployment.folder / "gateway.pem"
        done = command(
            "attest", "verify", gateway["url"], "--policy", str(simulated_policy), "--json", "--allow-simulated",
            "--save-certificate", str(saved), environment=deployment.environment,
        )  # fmt: skip
        told = json.loads(done.stdout)
        assert (told["accepted"], told["channel"]) == (True, "bound to the TEE")
        import ssl

        assert (
            spki_sha256(ssl.PEM_cert_to_DER_cert(saved.read_text()))
            == told["tls_spki"]
            == gateway["tls_spki"]
        )
        trusting = ssl.create_default_context(cafile=str(saved))
        with urllib.request.urlopen(f"{gateway['url']}/healthz", timeout=10, context=trusting) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("more", "spki", "reason"),
    [((), None, "simulated: "), (("--allow-simulated",), "00" * 32, "engine_spki: ")],
    ids=["simulated-evidence-not-named", "wrong-engine-key"],
)
def test_a_gateway_that_is_refused_never_becomes_ready(
    deployment: Deployment, simulated_policy: Path, more: tuple[str, ...], spki: str | None, reason: str
) -> None:
    with ExitStack() as stack:
        release = stack.enter_context(
            running(
                "cmif",
                *deployment.release(simulated_policy, *more, spki=spki),
                environment=deployment.environment,
            )
        )
        gateway = stack.enter_context(
            running(
                "cmif", *deployment.gateway(release["url"], "simulated"), environment=deployment.environment
            )
        )
        until(gateway["url"], reason)
        assert chat(gateway["url"])[0] == 503
        assert get(f"{gateway['url']}/readyz")[0] == 503


@pytest.mark.slow
def test_an_expired_lease_stops_the_gateway_and_a_new_one_starts_it(
    deployment: Deployment, simulated_policy: Path
) -> None:
    with ExitStack() as stack:
        with running(
            "cmif",
            *deployment.release(simulated_policy, "--allow-simulated", "--lease-s", "3"),
            environment=deployment.environment,
        ) as release:
            port = release["url"].rsplit(":", 1)[1]
            gateway = stack.enter_context(
                running(
                    "cmif",
                    *deployment.gateway(release["url"], "simulated"),
                    environment=deployment.environment,
                )
            )
            until(gateway["url"], None)
        until(gateway["url"], "lease: ")
        assert chat(gateway["url"])[0] in (502, 503)
        again = deployment.release(simulated_policy, "--allow-simulated")
        again[again.index("--port") + 1] = port
        stack.enter_context(running("cmif", *again, environment=deployment.environment))
        until(gateway["url"], None)


@pytest.mark.slow
def test_a_new_epoch_ends_the_old_bundle_with_its_lease_and_serves_the_new(
    deployment: Deployment, simulated_policy: Path, tiny_split: Path, tmp_path: Path
) -> None:
    (seal,) = (line for line in KEYS if line.startswith("cmif seal"))
    run(seal, OUT=tiny_split, NEW=tmp_path)
    for name in ("provider.key", "provider.key.pub"):
        shutil.copy(deployment.folder / name, tmp_path)
    second, environment = replace(deployment, folder=tmp_path), deployment.environment
    with ExitStack() as stack:
        offered = deployment.release(simulated_policy, "--allow-simulated", "--lease-s", "3")
        with running("cmif", *offered, environment=environment) as release:
            old = deployment.gateway(release["url"], "simulated", "--name", "old")
            gateway = stack.enter_context(running("cmif", *old, environment=environment))
            until(gateway["url"], None)
        offered = second.release(simulated_policy, "--allow-simulated")
        offered[offered.index("--port") + 1] = release["url"].rsplit(":", 1)[1]
        stack.enter_context(running("cmif", *offered, environment=environment))
        until(gateway["url"], "lease: ")
        new = stack.enter_context(
            running("cmif", *second.gateway(release["url"], "simulated"), environment=environment)
        )
        until(new["url"], None)
        assert chat(new["url"])[0] == 200
        assert chat(gateway["url"])[0] == 503


def test_another_signing_key_of_the_provider_is_another_configuration(deployment: Deployment, tmp_path: Path) -> None:
    from cmif_server.provider.release import signing_key

    signing_key(tmp_path / "new.key")
    digests = {
        command("attest", "config-digest", "--provider-key", str(public)).stdout.strip()
        for public in (deployment.folder / "provider.key.pub", tmp_path / "new.key.pub")
    }
    assert len(digests) == 2
    assert "" not in digests


@pytest.mark.slow
def test_the_attestation_page_tells_what_verify_tells_and_when_the_lease_has_ended(
    deployment: Deployment, simulated_policy: Path
) -> None:
    def shown(url: str) -> tuple[str, str]:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read().decode(), answer.headers["content-security-policy"]

    environment = deployment.environment
    with ExitStack() as stack:
        offered = deployment.release(simulated_policy, "--allow-simulated", "--lease-s", "4")
        with running("cmif", *offered, environment=environment) as release:
            arguments = deployment.gateway(release["url"], "simulated", "--tls-name", "127.0.0.1", "--name", "shown")
            gateway = stack.enter_context(running("cmif", *arguments, environment=environment))
            asked = ("cmif", "attest", "page", gateway["url"], "--policy", str(simulated_policy))
            page = stack.enter_context(running(*asked, "--allow-simulated", environment=environment))
            strict = stack.enter_context(running(*asked, environment=environment))
            end = time.monotonic() + 60
            while "In force" not in (html := shown(page["url"])[0]):
                assert time.monotonic() < end, html
        assert LABEL in html
        assert gateway["config_digest"] in html
        assert gateway["tls_spki"] in html
        assert "bound to the TEE" in html
        html, policy = shown(strict["url"])
        assert "Do not use this gateway" in html
        assert gateway["config_digest"] not in html
        assert policy.startswith("default-src 'none'")
        end = time.monotonic() + 60
        while "Not serving: lease" not in (html := shown(page["url"])[0]):
            assert time.monotonic() < end, html
        evil = urllib.request.Request(page["url"], headers={"host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(evil)
    with running(*asked[:3], "http://127.0.0.1:9", *asked[4:], environment=environment) as nobody:
        assert "does not answer" in shown(nobody["url"])[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sgx", "tdx", "snp", "nitro"])
def test_each_platform_from_seal_to_chat_over_its_fake(deployment: Deployment, kind: str) -> None:
    """The real commands with a policy file for the kind; a forged vendor stands where hardware would."""
    folder = deployment.folder / kind
    folder.mkdir()
    with ExitStack() as stack:
        import socket

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        arguments = deployment.gateway(f"http://127.0.0.1:{port}", kind)
        gateway = stack.enter_context(
            running(
                "tests.boundary.fake_tee",
                "gateway",
                kind,
                str(folder),
                *arguments[1:],
                environment=deployment.environment,
            )
        )
        policy = deployment.policy(f"{kind}.toml", (folder / "evidence.toml").read_text("utf-8"))
        release = deployment.release(policy)
        release[release.index("--port") + 1] = port
        stack.enter_context(
            running(
                "tests.boundary.fake_tee",
                "release",
                kind,
                str(folder),
                *release[1:],
                environment=deployment.environment,
            )
        )
        until(gateway["url"], None)
        status, answer, headers = chat(gateway["url"])
        assert status == 200
        assert answer["choices"]
        assert "x-cmif-tee" not in headers
        verified = command("attest", "verify", gateway["url"], "--policy", str(policy), "--json")
        assert json.loads(verified.stdout)["reason"]["check"] in (
            "root",
            "signature",
        )  # no command believes a forged vendor
