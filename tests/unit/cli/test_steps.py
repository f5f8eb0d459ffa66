"""Long work says what it does, how far it is and how long it will still take at most."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace

import pytest

from cmif.cli import options


def test_a_long_step_tells_the_time_left_once_in_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = count(step=4)
    monkeypatch.setattr(options, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    with options.steps() as report:  # 0
        report("vectors")  # 4
        for done in (0.2, 0.4, 0.6, 0.8):  # 8, 12, 16, 20
            report("vectors", done)
        report("self-test")  # 24
    assert capsys.readouterr().err.splitlines() == [
        "[   4 s] vectors",
        "[  16 s] vectors (60%, at most 8 s left)",
        "[  24 s] self-test",
    ]
