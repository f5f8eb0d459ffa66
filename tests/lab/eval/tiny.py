"""A word space small enough to reason about: 24 words in four clusters, stop words, and tiny random models over them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cmif.types import WordClass
from cmif_lab.eval import lexicon
from cmif_lab.eval.peers import Space

GOOD = ["good", "great", "lovely", "superb", "charming", "brilliant"]
BAD = ["bad", "awful", "dull", "terrible", "boring", "dreadful"]
THINGS = ["film", "movie", "plot", "actor", "scene", "story"]
PLACES = ["london", "paris", "leeds", "rome", "oslo", "madrid"]
WORDS = GOOD + BAD + THINGS + PLACES
STOPS = frozenset({"the", "is", "a"})


def words() -> lexicon.Lexicon:
    counts = [float(100 - i) for i in range(len(WORDS))]
    return lexicon.build(
        [*WORDS, *sorted(STOPS)], [WordClass.WORD] * 27, [*counts, 500.0, 500.0, 500.0], STOPS
    )


def space(seed: int = 0) -> Space:
    """Rows around one centre per cluster; a stop word is its own cluster."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(5, 8)) * 2
    cluster = np.repeat(np.arange(5), 6)[: len(words())]
    rows = centres[cluster] + rng.normal(size=(len(cluster), 8))
    return Space(words(), rows.astype(np.float32))


def save_models(folder: Path) -> tuple[Path, Path]:
    """A random BERT and a random Llama over the tiny vocabulary, saved as Hugging Face folders."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    marks = [".", ",", ":", "no", "yes", "review", "this"]
    vocabulary = {t: i for i, t in enumerate(["[PAD]", "[UNK]", "[MASK]", *sorted(STOPS), *WORDS, *marks])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation()])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]", model_max_length=128
    )
    shape = {
        "vocab_size": len(vocabulary),
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    bert, llama = folder / "bert", folder / "llama"
    BertModel(BertConfig(**shape)).save_pretrained(bert)
    LlamaForCausalLM(LlamaConfig(**shape, num_key_value_heads=2)).save_pretrained(llama)
    for path in (bert, llama):
        tokenizer.save_pretrained(path)
    return bert, llama


def save_task(folder: Path) -> Path:
    """sst2/ files in which the label is the cluster of the one adjective."""
    (folder / "sst2").mkdir(parents=True)
    lines = [
        f"the {thing} is {word} .\t{label}"
        for label, side in enumerate((BAD, GOOD))
        for word in side
        for thing in THINGS
    ]
    rng = np.random.default_rng(0)
    lines = [lines[i] for i in rng.permutation(len(lines))]
    (folder / "sst2" / "train_sentences_6920.tsv").write_text("\n".join(lines[:48]) + "\n", "utf-8")
    (folder / "sst2" / "dev.tsv").write_text("sentence\tlabel\n" + "\n".join(lines[48:]) + "\n", "utf-8")
    return folder
