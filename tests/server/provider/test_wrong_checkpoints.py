"""Every wrong checkpoint: exit status 2, one line that says what is wrong and what to do, nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmif.cli import main as cli
from cmif_server.provider import source, split
from tests.tiny import make_gguf, read_json


def settle(model: Path, file: str, **changes: Any) -> None:
    value = {**read_json(model / file), **changes}
    (model / file).write_text(json.dumps({k: v for k, v in value.items() if v is not None}))


def cut(model: Path, file: str = "model.safetensors") -> None:
    os.truncate(model / file, (model / file).stat().st_size - 10)


def shard(model: Path, names: Any) -> None:
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def quantise(method: str) -> Callable[[Path], None]:
    return lambda m: settle(m, "config.json", quantization_config={"quant_method": method})


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda m: (m / "config.json").unlink(), "config.json"),
    "broken config": (lambda m: (m / "config.json").write_text("{"), "config.json"),
    "config is a list": (lambda m: (m / "config.json").write_text("[]"), "config.json"),
    "no architecture": (lambda m: settle(m, "config.json", architectures=None), "architecture"),
    "unknown architecture": (lambda m: settle(m, "config.json", architectures=["NewForCausalLM"]), "NewForCausalLM"),
    "no context length": (lambda m: settle(m, "config.json", max_position_embeddings=None), "context length"),
    "missing shard": (lambda m: shard(m, {"a": "model-00001-of-00002.safetensors"}), "model-00001-of-00002"),
    "broken index": (lambda m: (m / "model.safetensors.index.json").write_text("{"), "index.json"),
    "index without a map": (lambda m: shard(m, None), "index.json"),
    "index that leads elsewhere": (lambda m: shard(m, {"a": "../model.safetensors"}), "index.json"),
    "no weights": (lambda m: (m / "model.safetensors").unlink(), "No safetensors"),
    "weights cut short": (cut, "cut short"),
    "header cut short": (lambda m: os.truncate(m / "model.safetensors", 40), "header"),
    "empty weights": (lambda m: os.truncate(m / "model.safetensors", 0), "not a safetensors"),
    "weights of other sizes": (lambda m: settle(m, "config.json", hidden_size=128), "embedding table"),
    "awq": (quantise("awq"), "awq"),
    "gptq": (quantise("gptq"), "gptq"),
    "compressed-tensors": (quantise("compressed-tensors"), "compressed-tensors"),
    "bitsandbytes": (quantise("bitsandbytes"), "bitsandbytes"),
    "fp8": (quantise("fp8"), "fp8"),
    "no tokenizer": (lambda m: (m / "tokenizer.json").unlink(), "tokenizer.json"),
    "broken tokenizer": (lambda m: (m / "tokenizer.json").write_text("{}"), "tokenizer.json"),
    "broken tokenizer_config": (lambda m: (m / "tokenizer_config.json").write_text("{"), "tokenizer_config.json"),
    "broken generation_config": (lambda m: (m / "generation_config.json").write_text("x"), "generation_config"),
    "broken template": (lambda m: (m / "chat_template.jinja").write_text("{% for %}"), "template"),
}  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """The one line of `cmif split`, whose exit status must be 2."""
    monkeypatch.setattr(sys, "argv", ["cmif", "split", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if not line.startswith("[")]
    assert exit_.value.code == 2
    assert said.out == ""
    assert len(lines) == 1
    assert lines[0].startswith("cmif: ")
    return lines[0]


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_directory_is_refused_before_any_work(
    name: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    change, told = DAMAGE[name]
    change(model)
    assert told in refused(capsys, monkeypatch, str(model), "-o", str(tmp_path / "out"))
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--epsilon", "0"), ("--epsilon", "-1"), ("--epsilon", "nan"), ("--k", "1"), ("--k", "1000000"), ("--name", "a b")],
)
def test_a_table_that_cannot_be_is_refused_before_any_work(
    option: str, value: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    refused(capsys, monkeypatch, str(tiny_model), "-o", str(tmp_path / "out"), option, value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["torch", "transformers", "safetensors", "accelerate"])
def test_a_missing_package_is_named_before_any_work(
    package: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(source, "find_spec", lambda name: None if name == package else object())
    said = refused(capsys, monkeypatch, str(tiny_model), "-o", str(tmp_path / "out"))
    assert package in said
    assert "pip install" in said
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_found_before_any_work(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(split.shutil, "disk_usage", lambda path: usage(100, 99, 1))
    assert "free" in refused(capsys, monkeypatch, str(tiny_model), "-o", str(tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_an_out_below_a_file_is_refused(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        assert "cannot be written" in refused(capsys, monkeypatch, str(tiny_model), "-o", str(out))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


GGUF: dict[str, tuple[dict[str, Any], str]] = {
    "unknown architecture": ({"architecture": "gemma3"}, "gemma3"),
    "mixture of experts": ({"expert_count": 8}, "experts"),
    "no context length": ({"context_length": None}, "context length"),
    "scaled rotary frequencies": ({"rope_scaling": "yarn"}, "rotary"),
    "unknown tokenizer": ({"model": "t5"}, "t5"),
    "unknown cut": ({"pre": "tekken"}, "tekken"),
    "no tokens": ({"tokens": False}, "no tokenizer"),
    "no embedding": ({"without": "token_embd"}, "token_embd"),
    "a layer without weights": ({"without": "blk.0.ffn_up"}, "lacks weights"),
}


@pytest.mark.parametrize("name", GGUF)
def test_a_gguf_that_is_not_handled_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, told = GGUF[name]
    model = make_gguf(tmp_path / "model.gguf", **changes)
    assert told in refused(capsys, monkeypatch, str(model), "-o", str(tmp_path / "out"))
    assert [p.name for p in tmp_path.iterdir()] == ["model.gguf"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.999])
def test_a_gguf_cut_short_is_refused(
    share: float, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_gguf(tmp_path / "model.gguf")
    os.truncate(model, int(share * model.stat().st_size))
    assert "GGUF" in (said := refused(capsys, monkeypatch, str(model), "-o", str(tmp_path / "out"))) or "cut short" in said
    assert [p.name for p in tmp_path.iterdir()] == ["model.gguf"]


@pytest.mark.parametrize(
    ("template", "warned"),
    [(None, True), ([{"name": "tool_use", "template": "x"}], True), ([{"name": "default", "template": "{{ 1 }}"}], False)],
)
def test_without_a_template_the_model_is_split_with_a_warning(
    template: Any, warned: bool, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (model / "chat_template.jinja").unlink()
    settle(model, "tokenizer_config.json", chat_template=template)
    monkeypatch.setattr(sys, "argv", ["cmif", "split", str(model), "-o", str(tmp_path / "out"), "--name", "ours"])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert not exit_.value.code
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert bool(told["warnings"]) == ("completions only" in said.err) == warned
    client = Path(told["client"])
    assert (client / "chat_template.jinja").read_text() == ("" if warned else "{{ 1 }}")
    assert read_json(client / "manifest.json")["name"] == "ours"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_split_that_is_ended_leaves_nothing_behind(number: int, tiny_model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cmif", "split", str(tiny_model), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    while "privacy table" not in process.stderr.readline():
        assert process.poll() is None
    assert [p.name[:12] for p in tmp_path.iterdir()] == [".cmif-split-"]
    process.send_signal(number)
    process.stderr.read()
    assert process.wait() not in (0, None)
    assert not list(tmp_path.iterdir())
