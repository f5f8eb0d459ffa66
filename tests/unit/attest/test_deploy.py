"""What `deploy/` holds is at least well formed, and consistent with the code."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cmif.attest.evidence import TeeKind
from cmif.attest.verify.policy import AppraisalPolicy
from cmif.gateway.config import GatewayConfig, read_policy, read_provider_key
from cmif.gateway.enclave import load
from cmif.gateway.tenants import Keys

DEPLOY = Path(__file__).parents[3] / "deploy"
SOURCE = Path(__file__).parents[3] / "src"
VALUES = {
    "python": "/usr/bin/python3.11", "python_lib": "/usr/lib", "stdlib": "/usr/lib/python3.11", "site": "/app/site",
    "arch_libdir": "/lib/x86_64-linux-gnu", "config": "/etc/cmif", "bundle": "/bundle", "state": "/state", "isvsvn": "3",
    "enclave_size": "1G", "provider_url": "https://provider.example", "engine_url": "https://engine.example",
    "tls_name": "gateway.example",
}  # fmt: skip


def listed() -> list[str]:
    return [
        line
        for line in (DEPLOY / "gramine/trusted-files.txt").read_text("utf-8").splitlines()
        if line[0] != "#"
    ]


def manifest() -> dict[str, dict[str, Any]]:
    render = runpy.run_path(str(DEPLOY / "gramine/render.py"))["render"]
    return tomllib.loads(render(VALUES))


def test_the_manifest_renders_to_toml_without_anything_from_the_host() -> None:
    told = manifest()
    assert told["sgx"]["debug"] is False
    assert told["sgx"]["remote_attestation"] == "dcap"
    assert told["sys"]["disallow_subprocesses"] is True
    text = (DEPLOY / "gramine/cmif.manifest.template").read_text("utf-8")
    assert not re.search(r"^loader\.insecure__", text, re.MULTILINE)


def test_rendering_with_values_missing_names_exactly_those() -> None:
    given = [f"{name}={value}" for name, value in VALUES.items() if name not in ("isvsvn", "tls_name")]
    done = subprocess.run(
        [sys.executable, str(DEPLOY / "gramine/render.py"), *given], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "render.py: give isvsvn=... tls_name=... as well.\n"


def baked(
    text: str, environment: dict[str, str], folder: Path, etc: Path = DEPLOY / "config"
) -> GatewayConfig:
    """The settings that an image's gateway would start with; its `/etc/cmif` is ``etc``."""
    file = folder / "gateway.toml"
    file.write_text(text.replace("/etc/cmif", str(etc)), "utf-8")
    return load(file, environment)


def test_the_manifest_starts_a_gateway_that_its_measured_options_describe(tmp_path: Path) -> None:
    loader = manifest()["loader"]
    assert "cmif.gateway.enclave" in loader["argv"][4]
    assert loader["argv"][5:] == ["/etc/cmif/gateway.toml"]
    config = baked((DEPLOY / "config/gateway.toml").read_text("utf-8"), loader["env"], tmp_path)
    assert (config.tee, config.provider, config.engine) == (TeeKind.SGX, VALUES["provider_url"], VALUES["engine_url"])
    assert config.protection.keyed


@pytest.mark.parametrize("tee", ["snp", "tdx"])
def test_the_vm_s_image_starts_a_gateway_that_its_measured_options_describe(tmp_path: Path, tee: str) -> None:
    build = (DEPLOY / "image/build").read_text("utf-8")
    block = build[build.index("{\n  cat \"$config") : build.index(' > "$root/etc/cmif/gateway.toml"')]
    chosen = {"TEE": tee, "PROVIDER_URL": "https://p.example", "ENGINE_URL": "https://e.example", "TLS_NAME": "g.example"}
    written = subprocess.run(
        ["bash", "-euc", block], capture_output=True, text=True, check=True, env={**chosen, "config": str(DEPLOY / "config")}
    )  # fmt: skip
    config = baked(written.stdout, {}, tmp_path)
    assert (config.tee, config.provider, config.engine, config.tls_name) == (tee, *list(chosen.values())[1:3], ("g.example",))
    assert (config.collateral is not None) == (tee == "tdx")
    assert "-m cmif.gateway.enclave /etc/cmif/gateway.toml" in (DEPLOY / "image/init").read_text("utf-8")


@pytest.mark.parametrize("attesting", [False, True])
def test_the_vm_s_image_holds_a_policy_for_the_engine_where_its_options_name_one(tmp_path: Path, attesting: bool) -> None:
    config, root = tmp_path / "config", tmp_path / "root"
    shutil.copytree(DEPLOY / "config", config)
    text = (config / "gateway.toml").read_text("utf-8")
    if attesting:
        shutil.copy(DEPLOY / "policies/snp.toml", config / "engine.toml")
        text = text.replace('# For an engine in a TEE, with the file beside this one: engine-policy', "engine-policy")
    build = (DEPLOY / "image/build").read_text("utf-8")
    lines = re.findall(r'^.*install .*"\$root/etc/cmif" .*$', build, re.MULTILINE)
    environment = {"PATH": os.environ["PATH"], "config": str(config), "root": str(root)}
    subprocess.run(["bash", "-euo", "pipefail", "-c", "\n".join(lines)], check=True, env=environment)
    told = manifest()["loader"]["env"]
    assert (baked(text, told, tmp_path, root / "etc/cmif").engine_policy is not None) == attesting


def test_trusted_files_are_single_files_and_none_is_of_the_simulated_tee() -> None:
    names = listed()
    assert names == sorted(set(names))
    assert not [
        name for name in names if name.endswith("/") or "simulated_tee" in name or name.startswith("/work")
    ]
    for wanted in (
        "cmif/gateway/enclave.py",
        "cmif/gateway/start.py",
        "cmif/enclave/pipeline.py",
        "cmif/attest/hpke.py",
    ):
        assert f"{{{{ site }}}}/{wanted}" in names
    assert not [name for name in names if re.search(r"/(torch|transformers|dcap_qvl|scipy)/", name)]


@pytest.mark.slow
def test_every_module_and_data_file_of_a_gateway_is_listed() -> None:
    """Write the list anew (deploy/README.md, SGX) when this fails."""
    code = (
        "import sys, cmif.gateway.enclave;"
        "from cmif.enclave.policy import PrivacyPolicy, detectors_for; detectors_for(PrivacyPolicy.named('content'));"
        "print('\\n'.join(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'cmif'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = set(listed())
    needed = {f"{{{{ site }}}}/{Path(path).relative_to(SOURCE).as_posix()}" for path in done.stdout.split()}
    assert needed - names == set()


@pytest.mark.parametrize("path", sorted((DEPLOY / "policies").glob("*.toml")), ids=lambda path: path.stem)
def test_policy_examples_are_read(path: Path) -> None:
    policy = AppraisalPolicy.parse(path.read_text("utf-8"))
    (rule,) = policy.rules
    assert str(rule.kind) == path.stem
    assert policy.config_digests
    assert rule.platforms or path.stem == "simulated"


def test_the_baked_in_configuration_is_read() -> None:
    assert read_provider_key(DEPLOY / "config/provider.key.pub") == bytes(32)
    assert read_policy(str(DEPLOY / "config/privacy.toml")).level == "sensitive"
    assert Keys.read(DEPLOY / "config/tenants.toml").by_digest
