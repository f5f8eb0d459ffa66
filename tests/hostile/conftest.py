from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny import make_model


@pytest.fixture(scope="session")
def wide_split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with room for whole conversations."""
    from cmif_server.provider.split import split

    folder = tmp_path_factory.mktemp("wide")
    split(str(make_model(folder / "model", max_position_embeddings=16384)), folder / "split")
    return folder / "split"
