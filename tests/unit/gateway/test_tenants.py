from __future__ import annotations

import os
from pathlib import Path

import pytest

from cmif.errors import InputError, NotReadyError, UnauthorisedError
from cmif.gateway.ledger import Tenant
from cmif.gateway.store import SqliteStore
from cmif.gateway.tenants import Anyone, FileTenants, Keys, LedgerTenants, Tenants, sha256

WRONG = (None, "", "Bearer", "Bearer ", "Bearer key-b", "Basic key-a", f"Bearer {sha256('key-a')}")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def tenants_of(kind: str, folder: Path) -> Tenants:
    if kind == "file":
        return FileTenants(write(folder / "t.toml", f'[tenants]\nward = "{sha256("key-a")}"\n'))
    store = SqliteStore(folder / "l.sqlite")
    store.add_key(Tenant("ward", (sha256("key-a"),)))
    return LedgerTenants(store)


@pytest.mark.parametrize("kind", ["file", "ledger"])
async def test_a_key_names_its_tenant_and_anything_else_nobody(kind: str, tmp_path: Path) -> None:
    tenants = tenants_of(kind, tmp_path)
    assert await tenants.identify("Bearer key-a") == "ward"
    assert await tenants.identify("bearer  key-a ") == "ward"
    for wrong in WRONG:
        with pytest.raises(UnauthorisedError):
            await tenants.identify(wrong)


async def test_without_tenants_everybody_is_the_default_tenant() -> None:
    assert await Anyone().identify(None) == "default"


async def test_a_changed_file_counts_from_the_next_request_on(tmp_path: Path) -> None:
    path = write(tmp_path / "t.toml", f'[tenants]\nward = "{sha256("key-a")}"\n')
    tenants = FileTenants(path)
    assert await tenants.identify("Bearer key-a") == "ward"
    replacement = write(tmp_path / "new.toml", f'[tenants]\nward = "{sha256("key-b")}"\n')
    os.replace(replacement, path)
    with pytest.raises(UnauthorisedError):
        await tenants.identify("Bearer key-a")
    assert await tenants.identify("Bearer key-b") == "ward"


async def test_while_the_file_cannot_be_read_nobody_is_served(tmp_path: Path) -> None:
    good = f'[tenants]\nward = "{sha256("key-a")}"\n'
    path = write(tmp_path / "t.toml", good)
    tenants = FileTenants(path)
    for broken in (None, "[tenants"):
        path.unlink() if broken is None else write(path, broken)
        for _ in range(2):
            with pytest.raises(NotReadyError):
                await tenants.identify("Bearer key-a")
    write(path, good)
    assert await tenants.identify("Bearer key-a") == "ward"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[tenants]\n",
        "[tenants]\na = 'short'\n",
        "not toml [",
        f"[tenants]\na='{'0' * 64}'\nb='{'0' * 64}'\n",
        f"[tenants]\n'a b\"'='{'0' * 64}'\n",
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError):
        Keys.read(write(tmp_path / "t.toml", text))
