"""The rings of the design: who may import whom, what the enclave drags in, and that it cannot reach the network."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cmif.enclave.conversation import Who
from cmif.enclave.detect import default_detectors
from cmif.enclave.memo import Forgetful
from cmif.enclave.pipeline import Pipeline
from cmif.enclave.policy import PrivacyPolicy
from cmif.gateway.bundles import open_bundle

ROOT = Path(__file__).parents[2]
_HEAVY = {"torch", "transformers", "scipy", "sklearn", "matplotlib", "dcap_qvl", "openai"}


def test_every_import_points_down() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]


def _closure(module: str) -> set[str]:
    code = f"import json, sys, {module}; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "module", ["cmif.enclave.pipeline", "cmif.gateway.app", "cmif.gateway.bundles", "cmif.gateway.start"]
)
def test_what_runs_in_the_tee_is_small(module: str) -> None:
    assert not _closure(module) & _HEAVY


def test_a_gateway_in_a_tee_loads_no_verifier() -> None:
    code = "import sys, cmif.gateway.enclave, cmif.gateway.selfsigned; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "cmif.attest.prove.produce" in loaded
    assert not [name for name in loaded if name.startswith("cmif.attest.verify")]


def test_the_enclave_needs_no_server_and_no_database() -> None:
    assert not _closure("cmif.enclave.pipeline") & {
        "aiohttp",
        "starlette",
        "uvicorn",
        "sqlite3",
        "httpx",
        "requests",
    }


def test_the_whole_pipeline_runs_with_sockets_disabled(
    tiny_split: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """import-linter cannot see egress inside third-party code, so every way to a socket raises here."""
    bundle = open_bundle(tiny_split / "client")

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("the enclave opened a socket")

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
    pipeline = Pipeline(bundle, PrivacyPolicy.named("content"), default_detectors(), Forgetful(), b"k" * 32)
    request = {
        "messages": [
            {"role": "user", "content": "John Smith, +44 20 7946 0958, mail j@smith.org, has diabetes."}
        ]
    }
    prepared = pipeline.prepare(request, who=Who("t"), max_tokens=8)
    assert prepared.rows.unique.shape[1] == bundle.manifest.hidden
    assert "7946 0958" not in prepared.sent_text  # a surname that is drawn may be Smith


def test_a_python_whose_regular_expressions_lose_letters_is_refused() -> None:
    """CPython before 3.11.5: "Joh" of "John" would be found, and its last letter sent. Run where there is one."""
    old = [path for path in map(Path, ("/usr/bin/python3", "/usr/bin/python3.11")) if path.exists()]
    told = "import sys; print(sys.version_info[:3] < (3, 11, 5) and sys.version_info[:2] == (3, 11))"
    broken = [p for p in old if "True" in subprocess.run([p, "-c", told], capture_output=True, text=True, check=False).stdout]
    if not broken:
        pytest.skip("needs a CPython 3.11.0 to 3.11.4 on this machine, such as Debian 12's")
    environment = {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [broken[0], "-c", "import cmif.enclave.words"], capture_output=True, text=True, env=environment, check=False
    )
    assert "needs Python 3.11.5" in done.stderr
