from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from cmif.errors import InputError
from cmif_lab.bench.prompts import WORDS, prose
from cmif_lab.bench.shapes import SHAPES, config_of, parameters, write_model


@pytest.mark.parametrize(
    ("shape", "billions"),
    # As the model cards state them.
    [("llama-3.2-1b", 1.24), ("llama-3.2-3b", 3.21), ("llama-2-7b", 6.74), ("llama-3-8b", 8.03), ("llama-2-13b", 13.02),
     ("qwen2.5-0.5b", 0.49), ("qwen2.5-7b", 7.62), ("qwen3-0.6b", 0.60), ("qwen3-8b", 8.19), ("smollm2-135m", 0.135),
     ("mistral-7b", 7.24)],
)  # fmt: skip
def test_a_shape_has_the_published_number_of_weights(shape: str, billions: float) -> None:
    assert parameters(config_of(shape)) / 1e9 == pytest.approx(billions, abs=0.006)


@pytest.mark.parametrize("shape", ["tiny", "tiny-qwen2", "tiny-qwen3"])
def test_a_written_model_loads_whole(
    shape: str, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM

    for name in ("Qwen2", "Qwen3"):
        config = {**SHAPES["tiny"], "architectures": [f"{name}ForCausalLM"], "model_type": name.lower()}
        monkeypatch.setitem(SHAPES, f"tiny-{name.lower()}", config)
    write_model(shape, tmp_path, tokenizer=tiny_model)
    model, told = AutoModelForCausalLM.from_pretrained(
        tmp_path, dtype=torch.bfloat16, output_loading_info=True
    )
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    assert sum(p.numel() for p in model.parameters()) == parameters(config_of(shape))
    assert json.loads((tmp_path / "config.json").read_text())["hidden_size"] == 64
    assert (tmp_path / "tokenizer.json").is_file()


def test_an_unknown_shape_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="gpt-5"):
        config_of("gpt-5")


def test_prose_goes_round() -> None:
    assert prose(3, len(WORDS) - 1).split() == [WORDS[-1], WORDS[0], WORDS[1]]
    assert len(prose(2000).split()) == 2000


@pytest.mark.slow
def test_the_default_tokenizer_is_cut_to_a_small_vocabulary(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    out = write_model("tiny", tmp_path)
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == SHAPES["tiny"]["vocab_size"] == 32000
    text = "The cardiologist's electrocardiogram, 漢字 and 12,345."
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
