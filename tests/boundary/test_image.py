"""The confidential VM's image, built and booted: `make test-image`. QEMU stands for the TEE, so the evidence is simulated."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cmif.gateway.selfsigned import self_signed
from cmif_server.provider.release import signing_key
from tests.boundary.simulated import rules
from tests.boundary.test_sealed_end_to_end import LABEL, command, running

pytest.importorskip("cmif_simulated_tee", reason="needs the distribution cmif-simulated-tee")
TOOLS = ("mmdebstrap", "mksquashfs", "mkfs.erofs", "cpio", "readelf", "qemu-system-x86_64")
pytestmark = [
    pytest.mark.image,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        any(shutil.which(tool) is None for tool in TOOLS), reason="needs scripts/install-image-tools"
    ),
]
SOURCE = Path(__file__).parents[2]
KEY = "a key of this test"
BOOT_S = 600  # without KVM, on a machine that may be busy


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Site:
    """What stands around the VM: ports that the image names, the provider's files, the bundle's disk, the image."""

    folder: Path
    engine_port: int
    provider_port: int
    environment: dict[str, str]

    @property
    def image(self) -> Path:
        return self.folder / "image"

    def build(self, out: Path) -> dict[str, str]:
        build = [str(SOURCE / "deploy/image/build"), str(out)]
        chosen = {
            "TEE": "simulated", "TLS_NAME": "127.0.0.1", "CONFIG": str(self.folder / "config"), "PYTHON": sys.executable,
            "CACHE": str(self.folder / "packages"), "PROVIDER_URL": f"http://10.0.2.2:{self.provider_port}", "ENGINE_URL": f"https://10.0.2.2:{self.engine_port}",
        }  # fmt: skip
        subprocess.run(build, check=True, env={**os.environ, **chosen})
        measured: dict[str, str] = json.loads((out / "measured.json").read_text("utf-8"))
        return measured


@pytest.fixture(scope="module")
def site(tiny_split: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("image")
    sealed = command(
        "seal", str(tiny_split / "client"), "--out", str(folder / "bundle"), "--key", str(folder / "content.key")
    )  # fmt: skip
    assert sealed.returncode == 0, sealed.stderr
    signing_key(folder / "provider.key")
    certificate, key = self_signed(("10.0.2.2",))
    (folder / "engine.pem").write_bytes(certificate)
    (folder / "engine.key").write_bytes(key)
    config = folder / "config"
    config.mkdir()
    (config / "privacy.toml").write_text('level = "content"\n', "utf-8")
    (config / "tenants.toml").write_text(
        f'[tenants]\ntester = "{hashlib.sha256(KEY.encode()).hexdigest()}"\n', "utf-8"
    )
    shutil.copy(folder / "provider.key.pub", config / "provider.key.pub")
    shutil.copy(SOURCE / "deploy/config/gateway.toml", config / "gateway.toml")
    environment = {**os.environ, "CMIF_SIMULATED_TEE_KEY": str(folder / "bundle/device.key")}
    found = Site(folder, free_port(), free_port(), environment)
    digest = command(
        "attest", "config-digest", "--provider-key", str(folder / "provider.key.pub"), "--policy", str(config / "privacy.toml"),
        "--tenants",
    )  # fmt: skip
    (folder / "policy.toml").write_text(rules(environment, digest.stdout.strip()), "utf-8")
    subprocess.run(
        ["mkfs.erofs", "--quiet", str(folder / "bundle.erofs"), str(folder / "bundle")], check=True
    )
    found.build(found.image)
    return found


@contextmanager
def machine(site: Site, root: Path | None = None) -> Iterator[tuple[int, subprocess.Popen[bytes], Path]]:
    """The image in QEMU without KVM; its gateway's port on this machine, the process, and its console's log."""
    port, log = free_port(), site.folder / "console.log"
    drives = []
    for name, file in (("root", root or site.image / "root.img"), ("bundle", site.folder / "bundle.erofs")):
        drives += ["-drive", f"file={file},if=none,id={name},format=raw,readonly=on"]
        drives += ["-device", f"virtio-blk-pci,drive={name}"]
    arguments = [
        "qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "max", "-m", "2G", "-nodefaults", "-no-reboot",
        "-display", "none", "-serial", "stdio", "-kernel", str(site.image / "vmlinuz"), "-initrd", str(site.image / "initrd"),
        "-append", (site.image / "cmdline").read_text("ascii"), *drives,
        "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:8443", "-device", "virtio-net-pci,netdev=net",
    ]  # fmt: skip
    with log.open("wb") as console:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            yield port, process, log
        finally:
            process.kill()
            process.wait()


def ready(port: int, process: subprocess.Popen[bytes], log: Path) -> float:
    """Seconds until `/readyz` is true."""
    blind = ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    began = time.monotonic()
    while time.monotonic() - began < BOOT_S and process.poll() is None:
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"https://127.0.0.1:{port}/readyz", timeout=20, context=blind):
                return time.monotonic() - began
        time.sleep(1)
    raise AssertionError(f"not ready: {log.read_text('utf-8', 'replace')[-2000:]}")


def attested(site: Site, port: int) -> dict[str, Any]:
    """What `cmif attest verify` says of it; its certificate is in gateway.pem."""
    done = command(
        "attest", "verify", f"https://127.0.0.1:{port}", "--policy", str(site.folder / "policy.toml"), "--json",
        "--allow-simulated", "--save-certificate", str(site.folder / "gateway.pem"), environment=site.environment,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def ask(site: Site, port: int) -> tuple[dict[str, Any], dict[str, str]]:
    """A chat over TLS that ends at the attested key."""
    context = ssl.create_default_context(cafile=site.folder / "gateway.pem")
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {KEY}",
        "x-cmif-conversation": "one",
    }

    def get(path: str, body: Any = None) -> tuple[dict[str, Any], dict[str, str]]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=120, context=context) as answer:
            return json.loads(answer.read()), dict(answer.headers)

    model = get("/v1/models")[0]["data"][0]["id"]
    messages = [{"role": "user", "content": "The pain of Eleanor Whitfield is severe."}]
    return get("/v1/chat/completions", {"model": model, "messages": messages, "max_tokens": 4})


def test_the_image_boots_to_an_answered_chat_and_forgets_on_reboot(site: Site, tiny_split: Path) -> None:
    with ExitStack() as stack:
        stack.enter_context(
            running(
                "cmif", "serve", str(tiny_split / "server"), "--port", str(site.engine_port),
                "--tls-certificate", str(site.folder / "engine.pem"), "--tls-key", str(site.folder / "engine.key"),
                environment=site.environment,
            )
        )  # fmt: skip
        spki = command("attest", "spki", str(site.folder / "engine.pem")).stdout.strip()
        stack.enter_context(
            running(
                "cmif", "release", str(site.folder / "bundle"), "--key", str(site.folder / "content.key"),
                "--signing-key", str(site.folder / "provider.key"), "--policy", str(site.folder / "policy.toml"),
                "--record", str(site.folder / "record.jsonl"), "--engine-spki", spki, "--allow-simulated",
                "--port", str(site.provider_port), environment=site.environment,
            )
        )  # fmt: skip
        boots = []
        for _ in range(2):
            with machine(site) as (port, process, log):
                seconds = ready(port, process, log)
                verdict = attested(site, port)
                assert (verdict["accepted"], verdict["channel"]) == (True, "bound to the TEE")
                answer, headers = ask(site, port)
                assert answer["choices"][0]["finish_reason"] in ("stop", "length")
                assert headers["x-cmif-tee"] == LABEL
                again = ask(site, port)[1]["x-cmif-epsilon"]
                boots.append((seconds, verdict["tls_spki"], float(headers["x-cmif-epsilon"]), float(again)))
                console = log.read_text("utf-8", "replace")
                assert "Whitfield" not in console
        print("seconds from power on to ready:", [round(seconds) for seconds, *_ in boots])
        (_, first_key, paid, remembered), (_, second_key, paid_again, _) = boots
        assert paid > 0
        assert remembered == 0
        assert paid_again == paid  # what was drawn and charged went with the memory
        assert first_key != second_key


def test_a_root_with_one_changed_byte_does_not_serve(site: Site, tmp_path: Path) -> None:
    """The byte is in the first data block, which every mount reads: the kernel panics and, with -no-reboot, QEMU ends."""
    altered = tmp_path / "root.img"
    shutil.copy(site.image / "root.img", altered)
    with altered.open("r+b") as file:
        file.seek(100)
        byte = file.read(1)[0]
        file.seek(100)
        file.write(bytes([byte ^ 1]))
    with machine(site, altered) as (_, process, log):
        process.wait(BOOT_S)
        console = log.read_text("utf-8", "replace")
        assert re.search(r"device-mapper: verity: \S+: data block 0 is corrupted", console), console[-2000:]
        assert "Kernel panic - not syncing: dm-verity device corrupted" in console
        assert "cmif" not in console


def test_two_builds_give_one_measurement(site: Site, tmp_path: Path) -> None:
    first = json.loads((site.image / "measured.json").read_text("utf-8"))
    assert site.build(tmp_path / "again") == first
    assert (tmp_path / "again/root.img").read_bytes() == (site.image / "root.img").read_bytes()
