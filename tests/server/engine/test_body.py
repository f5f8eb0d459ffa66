from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmif.errors import ArchitectureError, BundleError
from cmif_server.engine.body import load_body
from tests.bodies import HIDDEN, VOCAB, make_body, write_manifest


@pytest.fixture
def body(tmp_path: Path) -> Path:
    return make_body(tmp_path)


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_whole_body_loads(body: Path) -> None:
    loaded = load_body(body)
    assert (loaded.info.hidden, loaded.info.vocab) == (HIDDEN, VOCAB)


def test_one_flipped_bit_is_found(body: Path) -> None:
    file = body / "model.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with pytest.raises(BundleError, match=r"model\.safetensors .* altered"):
        load_body(body)


def test_a_missing_a_grown_and_an_unlisted_file_are_found(body: Path) -> None:
    (body / "extra.py").write_text("pass")
    with pytest.raises(BundleError, match="does not list"):
        load_body(body)
    (body / "extra.py").unlink()
    with (body / "config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(BundleError, match="altered"):
        load_body(body)
    (body / "config.json").unlink()
    with pytest.raises(BundleError, match="missing"):
        load_body(body)


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.update(format=2),
        lambda b: b.update(model="AB" * 32),
        lambda b: b.update(max_norm=float("inf")),
        lambda b: b.update(max_norm="x"),
        lambda b: b.update(hidden=0),
        lambda b: b.pop("files"),
        lambda b: b["files"].update({"../config.json": b["files"]["config.json"]}),
        lambda b: b["files"].pop("config.json"),
    ],
)
def test_a_malformed_manifest_is_refused(body: Path, change: Callable[[dict[str, Any]], None]) -> None:
    edit(body / "body.json", change)
    with pytest.raises(BundleError):
        load_body(body)


def test_no_manifest_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        load_body(tmp_path)


def test_an_unknown_architecture_is_refused_by_name(body: Path) -> None:
    edit(body / "config.json", lambda c: c.update(architectures=["GemmaForCausalLM"]))
    write_manifest(body, hidden=HIDDEN, vocab=VOCAB, max_norm=10.0)
    with pytest.raises(ArchitectureError, match="GemmaForCausalLM"):
        load_body(body)
