"""Memory of a gateway started from a sealed bundle: `python lab/benchmarks/gateway_memory.py CLIENT [VOCAB HIDDEN]`.

CLIENT is any client bundle (`cmif split`); its rows are replaced by random ones of the given size (default: Llama-2-7B,
32000 x 4096, 250 MiB), everything else is kept. Seals it, releases it to the simulated TEE, waits until the gateway has
unsealed it, sends it through one request, and prints resident, peak and mapped memory in MiB as one JSON line.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from cmif.gateway.config import Protection, read_policy, read_provider_key
from cmif_server.cli.processes import server
from cmif_server.provider.release import signing_key


def enlarge(client: Path, out: Path, vocab: int, hidden: int) -> None:
    """The bundle in ``client`` with random rows of another size, and a manifest that fits."""
    out.mkdir()
    for path in client.iterdir():
        if path.name != "rows.bf16":
            (out / path.name).write_bytes(path.read_bytes())
    generator, digest = np.random.default_rng(0), hashlib.sha256()
    with (out / "rows.bf16").open("wb") as file:
        for _ in range(vocab // 1000):
            block = generator.integers(0x3C00, 0x3D00, size=(1000, hidden), dtype=np.uint16)
            file.write(block)
            digest.update(block)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest |= {"vocab": vocab // 1000 * 1000, "hidden": hidden}
    manifest["files"]["rows.bf16"]["sha256"] = digest.hexdigest()
    (out / "manifest.json").write_text(json.dumps(manifest))


def memory(pid: int) -> dict[str, float]:
    """MiB: resident now, resident at most, of which anonymous."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
    return {
        name: round(fields[key] / 1024, 1)
        for name, key in (("rss", "VmRSS"), ("peak", "VmHWM"), ("anonymous", "RssAnon"))
    }


def run(client: Path, vocab: int, hidden: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        enlarge(client, folder / "client", vocab, hidden)
        environment = {**os.environ, "CMIF_SIMULATED_TEE_KEY": str(folder / "device.key")}
        key = str(folder / "content.key")
        seal = ("seal", str(folder / "client"), "--out", str(folder / "sealed"), "--key", key)
        subprocess.run([sys.executable, "-m", "cmif", *seal], check=True, stdout=subprocess.DEVNULL)
        signing_key(folder / "provider.key")
        public = folder / "provider.key.pub"
        digest = Protection(read_policy("sensitive"), read_provider_key(public)).digest().hex()
        rule = subprocess.run(
            ["cmif-simulated-tee", "policy"], check=True, capture_output=True, text=True, env=environment
        ).stdout
        text = rule.replace("version = 1", f'version = 1\nconfig_digests = ["{digest}"]')
        (folder / "policy.toml").write_text(text.replace('reason = ""', 'reason = "benchmark"'))
        release = (
            "release", str(folder / "sealed"), "--key", key, "--signing-key", str(folder / "provider.key"),
            "--policy", str(folder / "policy.toml"), "--record", str(folder / "record"), "--engine-spki", "00" * 32,
            "--allow-simulated", "--port", "0",
        )  # fmt: skip
        with server(*release, environment=environment) as provider:
            gateway = (
                "gateway", "--engine", "https://127.0.0.1:1", "--sealed", str(folder / "sealed"), "--tee", "simulated",
                "--provider", provider["url"], "--provider-key", str(public), "--state", str(folder / "state"),
                "--port", "0",
            )  # fmt: skip
            with server(*gateway, environment=environment) as started:
                waiting = memory(started["pid"])
                start = time.monotonic()
                while "attestation" in (reasons := readiness(started["url"])):
                    time.sleep(0.2)
                unsealed = {"seconds": round(time.monotonic() - start, 1), **memory(started["pid"])}
                chat(started["url"])
                return {
                    "table_mib": round(vocab * hidden * 2 / 2**20, 1),
                    "waiting": waiting,
                    "unsealed": unsealed,
                    "after_a_request": memory(started["pid"]),
                    "readyz": reasons,
                }


def readiness(url: str) -> str:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=60) as answer:
            return str(answer.read())
    except urllib.error.HTTPError as error:
        return error.read().decode()


def chat(url: str) -> None:
    """One request through detection, sanitising and embedding; the engine is away, so it ends in 502."""
    with urllib.request.urlopen(f"{url}/v1/models", timeout=60) as answer:
        model = json.loads(answer.read())["data"][0]["id"]
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "I, Alice Baker, have diabetes."}],
        "max_tokens": 4,
    }
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=60).close()
    except urllib.error.HTTPError as error:
        if error.code != 502:
            raise


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[2:]] or [32000, 4096]
    print(json.dumps(run(Path(sys.argv[1]), *sizes)))
