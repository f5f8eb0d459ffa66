from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from cmif_server.provider.lexicon import PublicLexicon
from tests.servers import engine
from tests.tiny import make_model

os.environ.setdefault("HF_HUB_OFFLINE", "1")
settings.register_profile("cmif", deadline=None)  # no test measures time: the machine may be busy
settings.load_profile("cmif")


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


@pytest.fixture(scope="session", autouse=True)
def _small_lexicon() -> Iterator[None]:
    """Splits made inside this process take every eighth public word, and "severe", whose epsilon tests count: the same
    table, built in seconds.
    """
    from cmif_server.provider import split

    whole = split.public_lexicon

    def some() -> PublicLexicon:
        lexicon = whole()
        kept = sorted({*range(0, len(lexicon.words), 8), lexicon.words.index("severe")})
        return PublicLexicon(tuple(lexicon.words[i] for i in kept), lexicon.classes[kept], lexicon.counts[kept])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "public_lexicon", some)
        yield


@pytest.fixture(scope="session")
def tiny_split(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``client`` and ``server`` of the tiny model."""
    from cmif_server.provider.split import split

    out = tmp_path_factory.mktemp("split") / "tiny"
    split(str(tiny_model), out)
    return out


@pytest.fixture(scope="session")
def tiny_engine(tiny_split: Path) -> Iterator[dict[str, Any]]:
    """One engine process on the tiny model, for tests that only need one to be there."""
    with engine(tiny_split) as told:
        yield told


@pytest.fixture(scope="session")
def default_split() -> Path:
    """``client`` and ``server`` of SmolLM2, split once into the user's cache by another process: with every word."""
    code = "from cmif.cli.options import default_split; print(default_split('client', 'server'))"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())
