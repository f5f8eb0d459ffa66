"""split -> seal -> release -> an engine in a TEE -> a gateway in a TEE -> chat: the real commands, each its own process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.boundary.simulated import rules
from tests.boundary.test_attested_engine import TYPED, asked, asked_closed
from tests.boundary.test_sealed_end_to_end import (  # fixtures are found by their names here
    LABEL,
    Deployment,
    command,
    deployment,  # noqa: F401
    running,
    until,
)

pytestmark = pytest.mark.slow
FIRST = [{"role": "user", "content": TYPED}]


class Lane:
    """A provider that consents to one policy for engines, and the measured file of a gateway that has it."""

    def __init__(self, deployment: Deployment, folder: Path) -> None:  # noqa: F811
        self.deployment, self.folder = deployment, folder
        (folder / "privacy.toml").write_text('level = "sensitive"\nattested = "off"\n', "utf-8")
        self.write("engine.toml", command("attest", "engine-digest").stdout.strip())
        self.write("provider.toml", self.digest("--allow-simulated"), self.digest())

    def write(self, name: str, *digests: str) -> None:
        (self.folder / name).write_text(rules(self.deployment.environment, *digests), "utf-8")

    def digest(self, *more: str) -> str:
        key, privacy, engine = self.deployment.folder / "provider.key.pub", "privacy.toml", "engine.toml"
        done = command(
            "attest", "config-digest", "--provider-key", str(key), "--policy", str(self.folder / privacy),
            "--engine-policy", str(self.folder / engine), *more,
        )  # fmt: skip
        assert len(done.stdout.strip()) == 96, done.stderr
        return done.stdout.strip()

    @contextmanager
    def provider(self) -> Iterator[str]:
        """It knows no engine's key."""
        arguments = [
            "release", *self.deployment.seal_arguments(), "--signing-key", str(self.deployment.folder / "provider.key"),
            "--policy", str(self.folder / "provider.toml"), "--record", str(self.folder / "record.jsonl"),
            "--allow-simulated", "--port", "0",
        ]  # fmt: skip
        with running("cmif", *arguments, environment=self.deployment.environment) as release:
            yield release["url"]

    @contextmanager
    def gateway(self, provider: str, engine: str, **more: Any) -> Iterator[dict[str, Any]]:
        options = {
            "engine": engine, "sealed": str(self.deployment.folder / "sealed"), "provider": provider, "tee": "simulated",
            "port": 0, "provider-key": str(self.deployment.folder / "provider.key.pub"), "state": str(self.folder / "state"),
            "policy": str(self.folder / "privacy.toml"), "engine-policy": str(self.folder / "engine.toml"),
            "allow-simulated": True,
        } | more  # fmt: skip
        file = self.folder / "gateway.toml"
        file.write_text("[gateway]\n" + "".join(f"{n} = {json.dumps(v)}\n" for n, v in options.items()), "utf-8")
        with running("cmif.gateway.enclave", str(file), environment=self.deployment.environment) as told:
            yield told


@pytest.fixture
def lane(deployment: Deployment, tmp_path: Path) -> Lane:  # noqa: F811
    return Lane(deployment, tmp_path)


@pytest.fixture
def engine(deployment: Deployment, tiny_split: Path) -> Iterator[str]:  # noqa: F811
    serve = ("cmif", "serve", str(tiny_split / "server"), "--tee", "simulated", "--port", "0")
    with running(*serve, environment=deployment.environment) as told:
        yield told["url"]


def test_gateway_and_engine_in_tees_from_the_seal_to_a_relaxed_answer(lane: Lane, engine: str) -> None:
    with lane.provider() as provider, lane.gateway(provider, engine) as gateway:
        assert gateway["config_digest"] == lane.digest("--allow-simulated")
        until(gateway["url"], None)
        status, answer, headers = asked(gateway["url"], FIRST)
        assert status == 200, answer
        assert TYPED in answer["cmif"]["engine_saw"]
        assert (headers["x-cmif-lane"], headers["x-cmif-engine-tee"]) == ("attested-engine", LABEL)
        assert headers["x-cmif-tee"] == LABEL
        verified = command(
            "attest", "verify", gateway["url"], "--policy", str(lane.folder / "provider.toml"), "--allow-simulated",
            environment=lane.deployment.environment,
        )  # fmt: skip
        assert verified.returncode == 0, verified.stdout
    granted = json.loads((lane.folder / "record.jsonl").read_text("utf-8").splitlines()[-1])
    assert (granted["event"], granted["grant"]["engine_spki"]) == ("granted", [])


def test_what_does_not_hold_keeps_the_gateway_closed_and_says_so(lane: Lane, engine: str) -> None:
    bare = lane.deployment.engine  # over TLS, and with no evidence
    with lane.provider() as provider:
        with lane.gateway(provider, bare) as gateway:
            until(gateway["url"], "statement: ")
            assert asked_closed(gateway["url"]) == (503, "not_ready")
        with lane.gateway(provider, engine, **{"allow-simulated": False}) as gateway:
            until(gateway["url"], "simulated: ")
            assert asked_closed(gateway["url"]) == (503, "not_ready")
        with (lane.folder / "engine.toml").open("a") as changed:
            changed.write("# by the host\n")
        with lane.gateway(provider, engine) as gateway:
            until(gateway["url"], "config_digest: ")
            assert asked_closed(gateway["url"]) == (503, "not_ready")
