from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The public data and vectors beside the developers' checkout; a user's clone has none."""
    path = Path(__file__).parents[2] / "shared"
    if not path.is_dir():
        pytest.skip("needs ../shared (public data beside the developers' checkout)")
    return path
