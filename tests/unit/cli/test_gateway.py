"""What the gateway's options are wired to."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cmif.cli.main import app


@pytest.mark.parametrize("asked", [True, False])
def test_oblivious_look_up_is_used_when_and_only_when_it_is_asked_for(
    tiny_split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    from cmif.gateway import serving

    made: list[Any] = []
    real = serving.oblivious
    monkeypatch.setattr(serving, "oblivious", lambda rows: made.append(rows) or real(rows))
    monkeypatch.setattr(serving, "run", lambda *_, **__: None)
    monkeypatch.setattr("logging.root.handlers", list(logging.root.handlers))  # the command's own ends with its stream
    arguments = ["gateway", "--engine", "http://127.0.0.1:9", "--bundle", str(tiny_split / "client"), "--port", "0"]
    arguments += ["--state", str(tmp_path), *(["--oblivious"] if asked else [])]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert len(made) == asked
