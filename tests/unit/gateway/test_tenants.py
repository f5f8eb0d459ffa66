from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cmif.errors import InputError, UnauthorisedError
from cmif.gateway.tenants import Tenants


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_key_names_its_tenant(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"key-a").hexdigest()
    tenants = Tenants.open(write(tmp_path / "t.toml", f'[tenants]\nward = "{digest}"\n'))
    assert tenants.identify("Bearer key-a") == "ward"
    for wrong in (None, "", "Bearer", "Bearer key-b", "Basic key-a", f"Bearer {digest}"):
        with pytest.raises(UnauthorisedError):
            tenants.identify(wrong)


def test_without_a_file_everybody_is_the_default_tenant() -> None:
    assert Tenants.open(None).identify(None) == "default"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[tenants]\n",
        "[tenants]\na = 'short'\n",
        "not toml [",
        f"[tenants]\na='{'0' * 64}'\nb='{'0' * 64}'\n",
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        Tenants.open(write(tmp_path / "t.toml", text))
