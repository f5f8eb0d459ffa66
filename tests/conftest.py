from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tiny import make_model

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The public data and vectors beside the developers' checkout; a user's clone has none."""
    path = Path(__file__).parents[2] / "shared"
    if not path.is_dir():
        pytest.skip("needs ../shared (public data beside the developers' checkout)")
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer Llama saved like a hub model."""
    return make_model(tmp_path_factory.mktemp("tiny") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_split(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``client`` and ``server`` of the tiny model."""
    from cmif.provider.split import split

    out = tmp_path_factory.mktemp("split") / "tiny"
    split(str(tiny_model), out)
    return out


@pytest.fixture(scope="session")
def default_split() -> Path:
    """``client`` and ``server`` of the embedded default model, split once into the user's cache."""
    from cmif.cli.options import embedded_split

    return embedded_split()
