"""The demo: real jobs through a real gateway; what it says was kept from the engine was."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmif_server.cli import demo
from cmif_server.cli.show import Demonstration

HIDDEN = ("Whitfield", "4471-9025", "Okafor", "Gregory", "88213467", "Castellanos")


def test_what_is_kept_is_what_stands_otherwise() -> None:
    assert demo.withheld("Ann Lee, MRN 12-3, ill on 2 May.", "Bo Ray, MRN 99-9, ill on 7 June.") == [
        "Ann Lee",
        "12-3",
        "2 May",
    ]
    assert demo.withheld("the same", "the same") == []


@pytest.mark.slow
def test_two_turns_and_off_go_through_the_real_gateway(
    default_split: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "MAX_TOKENS", 4)
    monkeypatch.setattr(demo, "JOBS", demo.JOBS[-1:])
    show, streamed = Demonstration(), list[str]()
    told = demo.run(default_split, show.typed, streamed.append, show.answered)
    first, second = told["prompts"]
    assert second["typed"] == "When should she call again?"
    assert second["engine_saw"].startswith(first["engine_saw"]), "a second turn's prompt begins with the first's"
    assert not any(name in second["engine_saw"] for name in HIDDEN)
    assert any("Okafor" in part for part in first["kept"])
    assert first["epsilon"] == 0
    assert {"detect", "sanitise", "engine", "restore"} <= set(first["steps_ms"])
    assert streamed[-1] == told["off"]["answer"]
    assert "Okafor" in told["off"]["engine_saw"]
    assert told["off"]["kept"] == []
    shown = capsys.readouterr().out
    assert shown.count("you read") == 3, "two turns and the one with `off`"
    assert "kept from the engine" in shown


def test_every_job_s_secrets_are_found(default_split: Path) -> None:
    from cmif.enclave.inspect import inspect
    from cmif.enclave.policy import PrivacyPolicy, detectors_for
    from cmif.gateway.bundles import open_bundle

    policy = PrivacyPolicy.named(demo.POLICY)
    table = open_bundle(default_split / "client").table
    for job in demo.JOBS:
        sent = inspect({"prompt": "\n".join(job.turns)}, policy, detectors_for(policy), table).as_json()["sent_text"]
        assert not any(name in sent for name in HIDDEN), job.title
