from __future__ import annotations

import importlib.metadata
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from cmif.enclave.detect import GROUP, detect_all, plugin, plugins
from cmif.enclave.policy import PrivacyPolicy, detectors_for
from cmif.errors import DetectorError, InputError
from cmif.types import Kind, Span


class Numbers:
    name = "numbers"

    def detect(self, text: str) -> list[Span]:
        return [Span(i, i + 1, Kind.ID, self.name) for i, char in enumerate(text) if char.isdigit()]


def broken() -> Numbers:
    raise RuntimeError("Anna Weber")


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    here = __name__
    points = EntryPoints(
        (
            EntryPoint("numbers", f"{here}:Numbers", GROUP),
            EntryPoint("broken", f"{here}:broken", GROUP),
            EntryPoint("absent", "cmif_no_such_module:x", GROUP),
            EntryPoint("other", f"{here}:Numbers", "another.group"),
        )
    )
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **by: points.select(**by))


def test_a_plug_in_runs_when_it_is_named() -> None:
    assert plugins() == ("absent", "broken", "numbers")
    assert detect_all("a1", [plugin("numbers")]) == (Span(1, 2, Kind.ID, "numbers"),)


def test_a_policy_names_its_plug_ins() -> None:
    chosen = detectors_for(PrivacyPolicy.parse({"detectors": ["numbers"]}))
    assert [d.name for d in chosen][-1] == "numbers"
    assert "numbers" not in [d.name for d in detectors_for(PrivacyPolicy())]
    with pytest.raises(InputError):
        detectors_for(PrivacyPolicy.parse({"detectors": ["no such"]}))


def test_an_unknown_name_says_what_is_installed() -> None:
    with pytest.raises(InputError, match="numbers"):
        plugin("other")


@pytest.mark.parametrize("name", ["broken", "absent"])
def test_a_plug_in_that_cannot_be_built_closes(name: str) -> None:
    with pytest.raises(DetectorError) as caught:
        plugin(name)
    assert "Anna" not in str(caught.value)
    assert caught.value.__cause__ is None
