"""The page of `cmif gateway --ui` in Chromium. The pictures in docs/ are this test's: CMIF_PICTURES=docs/pictures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cmif.gateway.bundles import open_bundle
from cmif.gateway.ui.frontier import Frontier
from tests.boundary.simulated import rules
from tests.boundary.test_sealed_end_to_end import LABEL, command, running, until
from tests.conformance.clients.chromium import in_chromium, needs_chromium
from tests.conformance.scripts import obedient
from tests.hostile.conftest import wide_split
from tests.hostile.engine import scripted
from tests.servers import gateway

__all__ = ["wide_split"]
TEXT = (
    "Dear Dr Eleanor Whitfield, my asthma got worse since 3 May 2024. Write to jo.berg@birch.example or call "
    "202 555 0147. Paris was lovely. <img src=x onerror='window.ran = 1'>"
)


@needs_chromium
def test_the_page_works_by_keyboard_and_axe_finds_no_fault(wide_split: Path, tmp_path: Path) -> None:
    with (
        scripted(wide_split, obedient) as (url, engine),
        gateway(wide_split, url, tmp_path / "state", "--name", "a-model", "--ui", "0") as gate,
    ):
        told = in_chromium("browser", tmp_path, ui=gate["ui"], text=TEXT, picture="page")
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
    assert told["engine"] is None, "this engine shows no evidence"
    assert told["pictures"] >= {"page-light.png", "page-dark.png"}


@needs_chromium
def test_the_page_says_what_an_attested_engine_runs_in(tiny_split: Path, tmp_path: Path) -> None:
    pytest.importorskip("cmif_simulated_tee", reason="needs the distribution cmif-simulated-tee")
    environment = {**os.environ, "CMIF_SIMULATED_TEE_KEY": str(tmp_path / "device.key"), "OMP_NUM_THREADS": "1"}
    policy = tmp_path / "engine.toml"
    policy.write_text(rules(environment, command("attest", "engine-digest").stdout.strip()), "utf-8")
    serve = ("cmif", "serve", str(tiny_split / "server"), "--tee", "simulated", "--port", "0")
    with running(*serve, environment=environment) as engine:
        asked = ("--engine-policy", str(policy), "--allow-simulated", "--name", "a-model", "--ui", "0")
        with gateway(tiny_split, engine["url"], tmp_path / "state", *asked) as gate:
            until(gate["url"], None)
            told = in_chromium("browser", tmp_path, ui=gate["ui"], text="Hello from Alice Whitfield.", picture="page-attested")
    assert told["engine"] == f"The engine runs in: {LABEL}. Its evidence held when turn 1 was sent."
    assert "Whitfield" not in told["turn"]["sees"]
