from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cmif.errors import ArchitectureError, BundleError, InputError, TableError
from cmif.gateway.bundles import open_bundle
from cmif_server.provider.checkpoint import embedding_rows
from cmif_server.provider.split import split
from tests.tiny import make_model, read_json


def test_both_halves_share_a_digest_and_hold_the_checkpoint_s_rows(
    tiny_split: Path, tiny_model: Path
) -> None:
    bundle = open_bundle(tiny_split / "client")
    assert (
        bundle.manifest.model
        == read_json(tiny_split / "server" / "body.json")["model"]
        == bundle.table.bundle
    )
    np.testing.assert_array_equal(bundle.rows, embedding_rows(tiny_model))
    norms = np.sqrt(((bundle.rows.astype(np.uint32) << 16).view(np.float32).astype(np.float64) ** 2).sum(1))
    assert bundle.manifest.max_norm == pytest.approx(norms.max(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["mistral", "qwen2", "qwen3"])
def test_the_other_architectures_pass_the_self_test(tmp_path: Path, architecture: str) -> None:
    done = split(str(make_model(tmp_path / "model", architecture)), tmp_path / "out")
    assert done.self_test == 0.0
    open_bundle(done.client)


@pytest.mark.slow
def test_a_float32_checkpoint_is_rounded_once_for_both_halves(tmp_path: Path) -> None:
    done = split(str(make_model(tmp_path / "model", dtype="float32")), tmp_path / "out")
    assert done.self_test == 0.0
    np.testing.assert_array_equal(open_bundle(done.client).rows, embedding_rows(done.server))


@pytest.mark.slow
def test_the_constant_law_is_split_with_epsilon_0_and_no_other(tiny_model: Path, tmp_path: Path) -> None:
    table = open_bundle(split(str(tiny_model), tmp_path / "out", law="constant").client).table
    assert (table.law, table.eps_in, table.certificate.constant) == ("constant", 0, table.certificate.buckets)
    for changes in ({"law": "constant", "epsilon": 1.0}, {"law": "rr"}):
        with pytest.raises(InputError, match=r"constant|law"):
            split(str(tiny_model), tmp_path / "other", **changes)  # type: ignore[arg-type]


def test_the_table_has_the_k_and_the_epsilon_that_were_asked_for(tiny_model: Path, tmp_path: Path) -> None:
    table = open_bundle(split(str(tiny_model), tmp_path / "out", k=64, epsilon=2.0).client).table
    assert (table.k, table.eps_in) == (64, 2.0)


def copy_model(source: Path, target: Path, **config: object) -> str:
    shutil.copytree(source, target)
    file = target / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    return str(target)


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"architectures": ["Gemma3ForCausalLM"]}, ArchitectureError),
        ({"architectures": ["SomethingNewForCausalLM"]}, ArchitectureError),
        ({"hidden_size": 128}, InputError),
    ],
)
def test_a_refused_model_leaves_nothing_behind(
    tiny_model: Path, tmp_path: Path, config: dict[str, object], error: type
) -> None:
    model = copy_model(tiny_model, tmp_path / "model", **config)
    with pytest.raises(error):
        split(model, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]


@pytest.mark.parametrize("model", ["no-such-directory", "./nowhere", "a/b/c"])
def test_what_is_no_model_is_refused(tmp_path: Path, model: str) -> None:
    with pytest.raises(InputError):
        split(model, tmp_path / "out")


def test_an_offline_hub_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="hub"):
        split("some-org/some-model", tmp_path / "out")


def test_an_existing_split_is_not_overwritten(tiny_model: Path, tiny_split: Path) -> None:
    with pytest.raises(InputError, match="already exists"):
        split(str(tiny_model), tiny_split)


@pytest.mark.parametrize("name", ["rows.bf16", "tokenizer.json", "chat_template.jinja", "table.npz"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_an_altered_bundle_file_is_refused_by_name(
    tiny_split: Path, tmp_path: Path, name: str, damage: str
) -> None:
    client = shutil.copytree(tiny_split / "client", tmp_path / "client")
    file = client / name
    data = bytearray(file.read_bytes())
    if damage == "remove":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(data[:-1])
    else:
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    with pytest.raises(BundleError, match=name):
        open_bundle(client)


def test_a_table_of_another_model_is_refused(tiny_split: Path, tmp_path: Path) -> None:
    client = shutil.copytree(tiny_split / "client", tmp_path / "client")
    manifest = read_json(client / "manifest.json")
    (client / "manifest.json").write_text(json.dumps({**manifest, "model": "0" * 64}))
    with pytest.raises(TableError):
        open_bundle(client)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 9}'])
def test_a_malformed_manifest_is_refused(tiny_split: Path, tmp_path: Path, text: str) -> None:
    client = shutil.copytree(tiny_split / "client", tmp_path / "client")
    (client / "manifest.json").write_text(text)
    with pytest.raises(BundleError):
        open_bundle(client)
