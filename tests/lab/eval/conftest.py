from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.eval import tiny


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return tiny.save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    return tiny.save_task(tmp_path / "data")
