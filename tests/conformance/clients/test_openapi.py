"""The whole surface, fuzzed from an OpenAPI document whose answers are the types of OpenAI's and Anthropic's clients."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.conformance.clients.test_clients import HERE, PYTHON, served, wide_split
from tests.hostile.engine import ScriptedEngine

__all__ = ["served", "wide_split"]
SECONDS = 300
# The document allows less than the gateway does, and what it allows may still not go together (tools and a schema).
# Another method is a 405 (test_api), but for a POST that does not say that its body is JSON.
NOT_CHECKED = "negative_data_rejection,positive_data_acceptance,unsupported_method"


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason="needs the clients: scripts/install-clients")
def test_nothing_that_a_client_may_send_breaks_the_gateway(
    served: tuple[str, ScriptedEngine], tmp_path: Path
) -> None:
    document = subprocess.run([str(PYTHON), str(HERE / "python" / "openapi.py")], capture_output=True, text=True, check=True)
    (tmp_path / "openapi.json").write_text(document.stdout)
    run = subprocess.run(
        [str(PYTHON.parent / "schemathesis"), "run", "openapi.json", "--url", served[0], "--max-time", str(SECONDS),
         "--exclude-checks", NOT_CHECKED, "--generation-database", "none", "--request-timeout", "30"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-8000:]
    tested = re.search(r"(\d+) generated", run.stdout)
    assert tested is not None
    assert int(tested.group(1)) > 500
