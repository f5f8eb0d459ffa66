"""The clients that people have, unchanged, against a real gateway and an engine that writes what it is told.

Each client is a program of its own, in its own environment (`scripts/install-clients`), that gets the questions on its
standard input and prints what it read. Here stands what every one of them must have read.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.scripts import obedient
from tests.hostile.conftest import wide_split
from tests.hostile.engine import ScriptedEngine, scripted
from tests.servers import gateway

__all__ = ["wide_split"]
HERE = Path(__file__).parent
PYTHON = Path(__file__).parents[3] / ".venv-clients" / "bin" / "python"
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not PYTHON.exists(), reason="needs the clients: scripts/install-clients"),
]
NAME = 'Jo "Ace" O\'Neil'
SOMEBODY = f"Somebody named <private>{NAME}</private>."
SCHEMA = {
    "type": "object",
    "properties": {"who": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["who", "n"],
    "additionalProperties": False,
}
ASKED = {
    "model": "ours",
    "hello": "I am named Eleanor Whitfield.",
    "call": f'{SOMEBODY} CALL save {{"who": "{{seen}}", "n": 3}}',
    "extract": f"{SOMEBODY} Who is it?",
    "long": "pain " * 20_000,
    "tool": {"name": "save", "description": "Save a person.", "parameters": SCHEMA},
}
HELLO = f"You said: {ASKED['hello']}"
CALL = {"who": NAME, "n": 3}
DONE = "The tool said done"
TALK = {"text": HELLO, "streamed": HELLO}
TOOLS = {"call": CALL, "after the tool": DONE}
ERRORS = {"another model": 404, "too long": 400}
READ: dict[str, dict[str, Any]] = {
    "openai_python": {
        **TALK, **TOOLS, **ERRORS, "awaited": HELLO, "streamed and awaited": HELLO, "streamed call": CALL,
        "forced call": CALL, "parsed": {"who": NAME}, "parsed tool": CALL, "models": ["ours", "gpt-4o"],
        "completion": True, "response": HELLO, "streamed response": HELLO, "response's call": CALL,
        "after the response's tool": DONE, "parsed response": {"who": NAME}, "too long, as the client knows it": True,
    },
    "anthropic_python": {
        **TALK, **TOOLS, **ERRORS, "awaited": HELLO, "streamed call": CALL, "parsed": {"who": NAME}, "tool runner": DONE,
        "counted": True, "stop": ["stop_sequence", "cheese"],
    },
    "langchain": {
        **TALK, **TOOLS, "awaited": HELLO, "streamed call": CALL, "parsed": {"who": NAME}, "forced call": CALL,
        "response": HELLO, "batch": [HELLO, HELLO], **ERRORS,
    },
    "litellm_client": {
        **TALK, **TOOLS, "awaited": HELLO, "streamed call": CALL, "parsed": {"who": NAME},
        "another model": "NotFoundError", "too long": "ContextWindowExceededError",
        "anthropic": HELLO, "response": HELLO,
    },
    "llm_client": {**TALK, "tool loop": DONE, "conversation": "You said: And you?", "parsed": {"who": NAME}},
    "pydantic_ai_client": {
        **TALK, "tool loop": [CALL, DONE], "typed": CALL, "native": {"who": NAME}, "anthropic": HELLO, "response": HELLO,
        **ERRORS,
    },
    "openai.mjs": {
        **TALK, **TOOLS, **ERRORS, "streamed call": CALL, "parsed": {"who": NAME}, "response": HELLO,
        "streamed response": HELLO, "tool loop": DONE, "models": ["ours", "gpt-4o"],
    },
    "ai.mjs": {**TALK, "tool loop": [CALL, DONE], "streamed tool loop": DONE, "parsed": {"who": NAME}, **ERRORS},
}  # fmt: skip


@pytest.fixture(scope="module")
def served(wide_split: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ScriptedEngine]]:
    state = tmp_path_factory.mktemp("gateway")
    with scripted(wide_split, obedient) as (url, engine):
        with gateway(wide_split, url, state, "--policy", "entities", "--name", "ours", "--alias", "gpt-4o") as told:
            yield told["url"], engine


@pytest.mark.parametrize("client", READ)
def test_a_client_works_unchanged(served: tuple[str, ScriptedEngine], client: str, tmp_path: Path) -> None:
    url, engine = served
    if client.endswith(".mjs"):
        if not (HERE / "node" / "node_modules").is_dir() or shutil.which("node") is None:
            pytest.skip("needs Node's clients: scripts/install-clients")
        command = ["node", str(HERE / "node" / client)]
    else:
        command = [str(PYTHON), str(HERE / "python" / f"{client}.py")]
    before = len(engine.seen)
    run = subprocess.run(
        command, input=json.dumps({**ASKED, "url": url}), capture_output=True, text=True, timeout=300, cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]
    assert json.loads(run.stdout.splitlines()[-1]) == READ[client]
    reached = [seen.prompt + seen.schema for seen in engine.seen[before:]]
    assert reached
    assert not [prompt for prompt in reached if "Whitfield" in prompt or "O'Neil" in prompt]
