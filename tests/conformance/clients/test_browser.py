"""The page of `cmif gateway --ui` in Chromium. The pictures in docs/ are this test's: CMIF_PICTURES=docs/pictures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cmif.gateway.bundles import open_bundle
from cmif.gateway.ui.frontier import Frontier
from tests.conformance.clients.test_clients import HERE, PYTHON
from tests.conformance.scripts import obedient
from tests.hostile.conftest import wide_split
from tests.hostile.engine import scripted
from tests.servers import gateway

__all__ = ["wide_split"]
AXE = HERE / "node" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = shutil.which("chromium")
TEXT = (
    "Dear Dr Eleanor Whitfield, my asthma got worse since 3 May 2024. Write to jo.berg@birch.example or call "
    "202 555 0147. Paris was lovely. <img src=x onerror='window.ran = 1'>"
)


@pytest.mark.clients
@pytest.mark.skipif(not PYTHON.exists(), reason="needs the clients: scripts/install-clients")
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, a package of Debian's")
@pytest.mark.skipif(not AXE.exists(), reason="needs Node's clients: scripts/install-clients")
def test_the_page_works_by_keyboard_and_axe_finds_no_fault(wide_split: Path, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("CMIF_PICTURES", tmp_path)).resolve()
    with (
        scripted(wide_split, obedient) as (url, engine),
        gateway(wide_split, url, tmp_path / "state", "--name", "a-model", "--ui", "0") as gate,
    ):
        asked = {"ui": gate["ui"], "axe": str(AXE), "chromium": CHROMIUM, "text": TEXT, "pictures": str(pictures)}
        run = subprocess.run(
            [str(PYTHON), str(HERE / "python" / "browser.py")], input=json.dumps(asked), capture_output=True,
            text=True, timeout=300,
        )  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]
    told = json.loads(run.stdout)
    assert told["axe"] == []
    assert told["elsewhere"] == []
    assert not told["script ran"]
    # The only complaint of the browser is the refusal that the second tab asked for.
    assert [problem for problem in told["problems"] if "401" not in problem] == []
    assert told["address"] == "/", "the token leaves the address bar"
    assert told["first stop"] == "Skip to the message"
    turn = told["turn"]
    assert turn["typed"] == TEXT
    assert turn["reads"] == f"You said: {TEXT}"
    assert turn["wrote"] == f"You said: {turn['sees']}"
    assert "Whitfield" not in turn["sees"]
    assert turn["sees"] in engine.seen[0].prompt
    assert len(engine.seen) == 1, "comparing policies sends nothing"
    why = {row[0]: row[3] for row in told["rows"]}
    assert (why["Eleanor"], why["Paris"]) == ("surrogate", "kept as public")
    assert told["focus"] == "message"
    assert told["status"].startswith("Turn 1 is answered: You said")
    assert told["policies"] == ["off", "entities", "sensitive", "content", "all"]
    assert told["points"] == told["drawn"] > 5, "the table says what the plot shows"
    table = open_bundle(wide_split / "client").table
    own = Frontier.of(table.certificate.law, table.k, table.eps_in).own
    assert told["own"] == (own is not None), "ringed where it was measured, and only there"
    assert told["line"] == "none", "the plot's style is the page's own file"
    assert not told["scrolls sideways"]
    assert told["opened again"].startswith("This page was opened already")
    assert {p.name for p in pictures.glob("page-*.png")} >= {"page-light.png", "page-dark.png"}
