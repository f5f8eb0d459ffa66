"""What a gateway opens while it really works is in the documented closure and in the list that an enclave is measured by.

`TRACE_PYTHON=PATH pytest tests/boundary/test_traced.py` writes `deploy/gramine/trusted-files.txt` anew, from a gateway run by
the interpreter of a production install (`pip install .` and `./simulated-tee`, no extras).
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.boundary.test_closure_documented import DOCUMENT, documented
from tests.boundary.test_sealed_end_to_end import (  # fixtures are found by their names here
    Deployment,
    accepting,
    deployment,  # noqa: F401
    get,
    running,
    until,
)
from tests.tiny import make_model

pytestmark = pytest.mark.slow
GRAMINE = Path(__file__).parents[2] / "deploy/gramine"
HEAD = """# What gateways opened from their start to their stop while they answered every route, streamed and not, with phone numbers,
# dates, identifiers, tools and refusals in them, under three privacy policies that together use whatever a sealed start can:
# written by tests/boundary/test_traced.py in a production install (no extras) with CPython 3.11. Write it anew for every
# image: versions change names.
"""
POLICIES = (
    'level = "content"\nwords = ["magnolia"]\nprivate = ["Blue Falcon"]\nhosts = ["nordfell.com"]\nuser_budget = 1e6\n',
    'level = "sensitive"\npublic = "protect"\ncover = {k = 2, words = 8}\nconversation_budget = 1e6\n',
)
TEXTS = (
    "Call 202 555 0147 or (020) 7946 0958, ring 030 901820 or +1 202 555 0147.",
    "On 3 May 2024, 2024-05-03, 05/03/24 and next Tuesday at 14:30.",
    "IBAN DE89 3704 0044 0532 0130 00, card 4539 1488 0343 6467, NHS 943 476 5919, SSN 536-90-4399, BSN 111222333.",
    "CPF 111.444.777-35, NIF 12345678Z, INSEE 2 95 10 99 126 111 93, PESEL 44051401359, Steuer-ID 36 574 261 809.",
    "Anna Berg lives at 12 Rue de la Paix, 75002 Paris; mail a.berg@nordfell.com, http://10.0.0.8/x?id=7, 10.1.2.3.",
    "password: magpie88Xq; key sk-abcdefghijklmnopqrstuvwxyz123456; <private>the merger</private>; severe asthma, in debt.",
    "| name | phone |\n|---|---|\n| Xu Li | 415 555 2671 |\n```python\nname = 'Xu Li'\n```\n{\"who\": \"Xu Li\", \"born\": \"1.2.1980\"}",
)  # fmt: skip
MEASURED_FIRST = """import runpy, sys, cmif_simulated_tee.tee
cmif_simulated_tee.tee.measure(False)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
# The simulated TEE reads all code to measure it, as no hardware does: once, before what is opened is watched.
TOOL = {
    "type": "function",
    "function": {"name": "find", "parameters": {"type": "object", "properties": {"who": {"type": "string"}}}},
}


def traffic(url: str) -> None:
    """Every route as clients use it. An answer of the tiny model says nothing, so only statuses count."""
    model = get(f"{url}/v1/models")[1]["data"][0]["id"]
    text = "\n".join(TEXTS)
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "find", "arguments": '{"who": "Xu Li, 202 555 0147"}'},
    }
    tool_messages = [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Find Xu Li."}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "born on 3 May 1980"},
    ]  # fmt: skip
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    for line in TEXTS:
        answered(
            f"{url}/v1/chat/completions",
            {"model": model, "messages": [{"role": "user", "content": line}], "max_tokens": 4},
        )
    for more in (
        {},
        {"stream": True},
        {"n": 2, "logprobs": True},
        {"tools": [TOOL]},
        {"response_format": schema},
    ):
        answered(
            f"{url}/v1/chat/completions", {"model": model, "messages": tool_messages, "max_tokens": 4, **more}
        )
    answered(f"{url}/v1/completions", {"model": model, "prompt": [TEXTS[0], TEXTS[1]], "max_tokens": 4})
    answered(
        f"{url}/v1/messages",
        {"model": model, "messages": [{"role": "user", "content": TEXTS[0]}], "max_tokens": 4},
    )
    answered(
        f"{url}/v1/responses", {"model": model, "input": TEXTS[1], "max_output_tokens": 16, "store": False}
    )
    answered(f"{url}/attestation?nonce={'ab' * 32}", None)
    assert (
        get(
            f"{url}/v1/chat/completions",
            {"model": model, "messages": [{"role": "user", "content": text * 50}]},
        )[0]
        == 400
    )
    assert get(f"{url}/nowhere")[0] == 404
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as metrics:
        assert metrics.status == 200


def answered(url: str, body: Any) -> None:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.read()


@pytest.fixture(scope="module")
def tiny_split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a tiny model with room for long prompts; what `deployment` serves here."""
    from cmif_server.provider.split import split

    folder = tmp_path_factory.mktemp("wide")
    split(str(make_model(folder / "model", max_position_embeddings=16384)), folder / "split")
    return folder / "split"


@pytest.fixture(scope="module")
def traced(deployment: Deployment) -> list[str]:  # noqa: F811
    """The files of their image that gateways opened, under the names of the manifest's template."""
    written = [deployment.folder / f"privacy-{number}.toml" for number, _ in enumerate(POLICIES)]
    for path, text in zip(written, POLICIES, strict=True):
        path.write_text(text, "utf-8")
    policies = ("sensitive", *map(str, written))
    release = deployment.release(accepting(deployment, *policies[1:]), "--allow-simulated")
    with running("cmif", *release, environment=deployment.environment) as provider:
        opened = set().union(*(trace(deployment, provider["url"], policy) for policy in policies))
    # None is in an enclave: the simulated TEE, an engine's files, and what a virtual environment's start imports without Python's -S.
    files = sorted(
        file for file in opened if not re.search("simulated_tee|_distutils_hack|setuptools|/cmif_server/", file)
    )
    if "TRACE_PYTHON" in os.environ:
        (GRAMINE / "trusted-files.txt").write_text(HEAD + "\n".join(files) + "\n", "utf-8")
    return files


def trace(deployment: Deployment, provider: str, policy: str) -> set[str]:  # noqa: F811
    """What a gateway of this privacy policy opened, from its start to its stop."""
    out = deployment.folder / "trusted.txt"
    python = os.environ.get("TRACE_PYTHON", sys.executable)
    _, file = deployment.measured(provider, policy=policy)
    process = subprocess.Popen(
        [python, "-c", MEASURED_FIRST, str(GRAMINE / "trusted_files.py"), str(out), file],
        stdout=subprocess.PIPE,
        text=True,
        env=deployment.environment,
    )
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        until(url, None)
        traffic(url)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return set(out.read_text("utf-8").splitlines())


def test_real_traffic_opens_nothing_outside_the_documented_closure(traced: list[str]) -> None:
    opened = {
        match[1]
        for file in traced
        if (match := re.match(r"\{\{ site \}\}/([A-Za-z_0-9]+?)(?:\.libs)?(?:/|\.py|\.cpython|\.abi3)", file))
    }
    beside = {
        "cmif",
        "_cffi_backend",
        "typing_extensions",
    }
    assert {"phonenumbers", "stdnum", "pydantic", "prometheus_client"} <= opened
    late = re.search(
        r"^Imported when a text first needs it: (.*)\.$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )
    assert late is not None
    assert opened <= documented()["gateway"] | beside | set(late[1].split(", "))


def test_real_traffic_opens_exactly_our_files_that_the_enclave_s_list_has(traced: list[str]) -> None:
    def ours(files: list[str]) -> list[str]:
        return [file for file in files if file.startswith("{{ site }}/cmif/")]

    assert "{{ site }}/cmif/gateway/api/chat.py" in traced
    assert ours(traced) == ours((GRAMINE / "trusted-files.txt").read_text("utf-8").splitlines())
