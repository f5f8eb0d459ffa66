"""The tokenizer inside a GGUF file as the text of a `tokenizer.json`, with `tokenizers` alone.

GGUF names a byte-level BPE `gpt2` and says by `tokenizer.ggml.pre` how text is cut before it; a SentencePiece BPE is
`llama`, whose merges follow from the pieces' scores. The cuts are those of the models' own tokenizers, as llama.cpp
(`llm_tokenizer_bpe` in src/llama-vocab.cpp) names them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from cmif.errors import InputError

_CONTROL, _USER_DEFINED = 3, 4  # tokenizer.ggml.token_type
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"


def _cut(digits: str) -> str:
    return (
        rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )


_CUTS = {"llama-bpe": _cut(r"\p{N}{1,3}"), "qwen2": _cut(r"\p{N}")}
_DIGITS_ALONE = ("smollm",)
_PLAIN = ("gpt-2", "default")
HANDLED = (*_PLAIN, *_DIGITS_ALONE, *_CUTS)


def tokenizer_json(kv: Mapping[str, Any]) -> str:
    """``kv``: a GGUF file's metadata. Raises :class:`InputError` for a kind of tokenizer that is not handled."""
    model = kv.get("tokenizer.ggml.model")
    tokens: Sequence[str] = kv.get("tokenizer.ggml.tokens") or ()
    if not tokens:
        raise InputError("The GGUF file has no tokenizer.", hint="Give one that was converted whole.")
    if model == "gpt2":
        tokenizer = _byte_level(kv, tokens)
    elif model == "llama":
        tokenizer = _sentence_piece(kv, tokens)
    else:
        raise InputError(
            f"The GGUF file's tokenizer is of the kind {model!r}; handled are gpt2 and llama.",
            hint="Split the model's Hugging Face directory instead.",
        )
    kinds = kv.get("tokenizer.ggml.token_type") or [1] * len(tokens)
    tokenizer.add_tokens(
        [
            AddedToken(text, normalized=False, special=kind == _CONTROL)
            for text, kind in zip(tokens, kinds, strict=True)
            if kind in (_CONTROL, _USER_DEFINED)
        ]
    )
    bos = kv.get("tokenizer.ggml.bos_token_id")
    if bos is not None and kv.get("tokenizer.ggml.add_bos_token", model == "llama"):
        tokenizer.post_processor = processors.TemplateProcessing(
            single=[tokens[bos], "$A"], special_tokens=[(tokens[bos], bos)]
        )
    return str(tokenizer.to_str())


def _byte_level(kv: Mapping[str, Any], tokens: Sequence[str]) -> Tokenizer:
    cut = kv.get("tokenizer.ggml.pre", "default")
    if cut not in HANDLED:
        raise InputError(
            f"The GGUF file cuts text as {cut!r}; handled are {', '.join(HANDLED)}.",
            hint="Split the model's Hugging Face directory instead.",
        )
    merges = [tuple(merge.split(" ")) for merge in kv.get("tokenizer.ggml.merges") or ()]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=cut == "llama-bpe"))
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=cut not in _CUTS)
    if cut in _CUTS:
        split = pre_tokenizers.Split(Regex(_CUTS[cut]), behavior="isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, whole])
    elif cut in _DIGITS_ALONE:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), whole]
        )
    else:
        tokenizer.pre_tokenizer = whole
    if cut == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentence_piece(kv: Mapping[str, Any], tokens: Sequence[str]) -> Tokenizer:
    scores = kv.get("tokenizer.ggml.scores")
    if not scores or len(scores) != len(tokens):
        raise InputError("The GGUF file's tokenizer has no scores.", hint="Convert the model again.")
    vocabulary = {token: i for i, token in enumerate(tokens)}
    # SentencePiece merges the adjacent pair whose union has the best score; a piece may have several such pairs.
    ranked = []
    for piece, i in vocabulary.items():
        for at in range(1, len(piece)):
            left, right = piece[:at], piece[at:]
            if left in vocabulary and right in vocabulary:
                ranked.append((-scores[i], vocabulary[left], vocabulary[right], left, right))
    merges = [(left, right) for *_, left, right in sorted(ranked)]
    unknown = kv.get("tokenizer.ggml.unknown_token_id", 0)
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token=tokens[unknown], fuse_unk=True, byte_fallback=True)
    )
    prefix = bool(kv.get("tokenizer.ggml.add_space_prefix", True))
    steps = [normalizers.Prepend("▁")] if prefix else []
    tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", "▁")])
    after = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*after, decoders.Strip(" ", 1, 0)] if prefix else after)
    return tokenizer
