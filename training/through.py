"""The model behind a real engine and gateway, each a process of its own: answers as a user gets them under a policy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cmif.cli.processes import server
from cmif.provider.split import split
from training.evaluate import Answer, remote


@contextmanager
def halves(model: Path) -> Iterator[tuple[Path, str]]:
    """Split ``model`` and serve its body: the client bundle and the engine's URL."""
    with tempfile.TemporaryDirectory() as folder:
        done = split(str(model), Path(folder) / "halves")
        with server("serve", str(done.server), "--port", "0") as engine:
            yield done.client, engine["url"]


@contextmanager
def gateway(client: Path, engine: str, policy: str) -> Iterator[Answer]:
    """Greedy answers through a gateway with ``policy`` (a level) and a ledger of its own."""
    with (
        tempfile.TemporaryDirectory() as state,
        server(
            "gateway", "--bundle", str(client), "--engine", engine, "--policy", policy,
            "--state", state, "--port", "0",
        ) as running,
    ):  # fmt: skip
        yield remote(f"{running['url']}/v1", "none", "")
