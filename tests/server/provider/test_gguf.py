"""A GGUF file splits as its Hugging Face directory would; its client half needs no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cmif.enclave.tokenise import Tokeniser
from cmif_server.provider.checkpoint import embedding_rows
from cmif_server.provider.gguf_file import read_gguf
from cmif_server.provider.gguf_tokenizer import tokenizer_json
from cmif_server.provider.split import split
from tests.tiny import SPECIAL, make_gguf, read_json

CLIENT_WITHOUT_TORCH = """
import sys
from pathlib import Path
for name in ("torch", "transformers", "safetensors", "accelerate"):
    sys.modules[name] = None  # importing it fails
from cmif_server.provider import split as module
from cmif_server.provider.lexicon import PublicLexicon, public_lexicon
whole = public_lexicon()
kept = slice(0, None, 8)
module.public_lexicon = lambda: PublicLexicon(whole.words[kept], whole.classes[kept], whole.counts[kept])
print(module.split(sys.argv[1], Path(sys.argv[2]), halves=["client"]).model)
"""


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_the_engine_s_half_has_the_file_s_rows_and_passes_the_self_test(
    tmp_path: Path, architecture: str
) -> None:
    model = make_gguf(tmp_path / "model.gguf", architecture)
    done = split(str(model), tmp_path / "out", halves=["server"])
    assert done.self_test == 0.0
    np.testing.assert_array_equal(embedding_rows(done.server), read_gguf(model).rows)
    assert read_json(done.server / "config.json")["model_type"] == architecture


def test_the_client_s_half_needs_no_torch_and_has_the_digest_of_the_engine_s(tmp_path: Path) -> None:
    model = make_gguf(tmp_path / "model.gguf")
    code = [sys.executable, "-c", CLIENT_WITHOUT_TORCH, str(model), str(tmp_path / "out")]
    client = subprocess.run(code, check=True, capture_output=True, text=True).stdout.strip()
    assert client == split(str(model), tmp_path / "out", halves=["server"]).model
    assert read_json(tmp_path / "out/server/body.json")["model"] == client
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"client", "server"}


def byte_level(cut: str, merges: list[str]) -> Tokeniser:
    from tokenizers import pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*SPECIAL, *alphabet, *(merge.replace(" ", "") for merge in merges)]
    kv = {
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": cut, "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)),
        "tokenizer.ggml.merges": merges,
    }  # fmt: skip
    return Tokeniser(tokenizer_json(kv), "", {})


@pytest.mark.parametrize(
    ("cut", "pieces"),
    [("smollm", 6), ("gpt-2", 4), ("llama-bpe", 4), ("qwen2", 6)],
)
def test_digits_are_cut_as_the_model_s_own_tokenizer_cuts_them(cut: str, pieces: int) -> None:
    # "123456": one by one, whole (four pieces of these merges), by threes
    tokeniser = byte_level(cut, ["1 2", "12 3", "5 6"])
    assert len(tokeniser.pieces("123456")) == {"gpt-2": 3, "llama-bpe": 3}.get(cut, pieces)


def test_a_control_token_s_text_is_text_in_content() -> None:
    tokeniser = byte_level("smollm", [])
    assert len(tokeniser.pieces("<|end|>")) == len("<|end|>")


def test_a_sentence_piece_bpe_merges_by_score_and_falls_back_to_bytes() -> None:
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256)), "▁", "t", "h", "e", "th", "he", "the", "▁the"]
    scores = [0.0] * 259 + [-9.0, -9.0, -9.0, -9.0, -2.0, -1.0, -3.0, -4.0]
    kinds = [2, 3, 3, *([6] * 256), *([1] * 8)]
    kv = {
        "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.token_type": kinds, "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.unknown_token_id": 0,
    }  # fmt: skip
    tokeniser = Tokeniser(tokenizer_json(kv), "", {})

    def pieces(text: str) -> list[str]:
        return [tokens[i] for i in tokeniser.encode_text(text)]

    assert pieces("the") == ["<s>", "▁the"]
    assert pieces("th") == ["<s>", "▁", "th"]
    assert pieces("é") == ["<s>", "▁", "<0xC3>", "<0xA9>"]
