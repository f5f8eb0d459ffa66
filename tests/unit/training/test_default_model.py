"""The model that ships: whole, loadable by plain ``transformers``, and able to answer."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import cmif.provider

DATA = Path(cmif.provider.__file__).parent / "data"
FOLDER = DATA / "default"

NOTE = (
    "The patient Alice Becker came to Cedar Hospital on 12 March 2021 with a headache. "
    "The doctor was Thomas Reed. The next appointment is on 2 April 2021."
)


@pytest.fixture(scope="module")
def loaded() -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER)
    model = transformers.AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    return tokenizer, model.eval()


def answer(loaded: tuple[Any, Any], question: str) -> str:
    tokenizer, model = loaded
    messages = [{"role": "user", "content": f"{NOTE}\n\n{question}"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    out = model.generate(ids, max_new_tokens=40, do_sample=False)
    return str(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))


def test_sums_match_and_weights_are_small() -> None:
    for line in (FOLDER / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name
    assert (FOLDER / "model.safetensors").stat().st_size <= 16_000_000


def test_it_is_a_plain_llama(loaded: tuple[Any, Any]) -> None:
    _, model = loaded
    assert type(model).__name__ == "LlamaForCausalLM"
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["vocab_size"] == 8192
    assert config["max_position_embeddings"] == 1024
    assert model.get_input_embeddings().weight.data_ptr() == model.get_output_embeddings().weight.data_ptr()


def test_the_chat_template_gives_the_ids_of_training(loaded: tuple[Any, Any]) -> None:
    pytest.importorskip("faker")
    from tokenizers import Tokenizer
    from training.data import encode
    from training.field.conversations import Conversation
    from training.field.tasks import Turn

    turns = (Turn("Who is it?", "It is Ann.", "extract"), Turn("When?", "On 3 May 2020.", "extract"))
    (ids,), (mask,) = encode(
        Tokenizer.from_file(str(FOLDER / "tokenizer.json")), [Conversation("", turns, {}, "bank")]
    )
    messages = [
        {"role": role, "content": text}
        for t in turns
        for role, text in (("user", t.question), ("assistant", t.answer))
    ]
    tokenizer, _ = loaded
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids
    assert tokenizer.decode([i for i, m in zip(ids, mask, strict=True) if m]) == "".join(
        f"{t.answer}<|end|>" for t in turns
    )


def test_each_digit_is_a_piece_and_listed_names_are_short(loaded: tuple[Any, Any]) -> None:
    from cmif.enclave.surrogates import lists

    tokenizer, _ = loaded
    assert tokenizer.tokenize("2024") == ["2", "0", "2", "4"]
    for group in ("given", "surname", "place"):
        assert max(len(tokenizer.tokenize(f" {name}")) for name in lists()[group]) <= 2


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who is the patient?", "The patient is Alice Becker."),
        ("Who is the doctor?", "The doctor is Thomas Reed."),
        ("What is the complaint?", "The complaint is a headache."),
    ],
)
def test_it_answers_from_the_text(loaded: tuple[Any, Any], question: str, expected: str) -> None:
    assert answer(loaded, question) == expected


def test_the_public_word_list_is_well_formed() -> None:
    rows = [
        line.split("\t")
        for line in gzip.decompress((DATA / "words.tsv.gz").read_bytes()).decode().splitlines()
    ]
    classes = Counter(row[1] for row in rows)
    assert set(classes) == {"word", "name", "number"}
    assert 20_000 <= len(rows) <= 37_000
    assert len({row[0] for row in rows}) == len(rows)
    assert all(word == word.lower() for word, cls, _ in rows if cls == "word")
    assert all(word[0].isupper() for word, cls, _ in rows if cls == "name")
    assert all(int(count) >= 1 for *_, count in rows)
    assert (DATA / "words.tsv.gz").stat().st_size < 400_000
