"""A GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md) as a :class:`Source`, dequantised.

The tokenizer and the embedding rows are read with `gguf` and NumPy: a client half needs no torch. The layers are
dequantised by `transformers` when the server half is written.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmif.errors import ArchitectureError, InputError
from cmif_server.provider.checkpoint import NO_TEMPLATE, to_bf16
from cmif_server.provider.gguf_tokenizer import tokenizer_json
from cmif_server.provider.source import Source, quiet

ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}
"""By `general.architecture`; Mistral's files say `llama`, whose computation is theirs."""
EMBEDDING = "token_embd.weight"
_MAGIC = b"GGUF"
_SPECIAL = {"bos_token": "bos", "eos_token": "eos", "pad_token": "padding", "unk_token": "unknown"}
_ENDS = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id")
_FETCH = "Fetch the file again."


def is_gguf(path: Path) -> bool:
    return path.is_file() and (path.suffix.lower() == ".gguf" or _starts_as_gguf(path))


def read_gguf(path: Path) -> Source:
    """Raises :class:`InputError` for a damaged file, :class:`ArchitectureError` for a model that is not handled."""
    if not _starts_as_gguf(path):
        raise InputError(f"{path.name} is not a GGUF file.", hint=_FETCH)
    kv, tensors = _open(path)
    kind = str(kv.get("general.architecture"))
    config = _config(kind, kv, tensors)
    entry = tensors[EMBEDDING]
    tokens = kv.get("tokenizer.ggml.tokens") or ()
    ids = {name: kv.get(f"tokenizer.ggml.{key}_token_id") for name, key in _SPECIAL.items()}
    template = str(kv.get("tokenizer.chat_template") or "")
    parameters = sum(math.prod(map(int, tensor.shape)) for tensor in tensors.values())
    tokenizer = tokenizer_json(kv)
    return Source(
        name=path.stem,
        architecture=ARCHITECTURES[kind],
        config=config,
        rows=_rows(entry),
        tokenizer=tokenizer,
        template=template,
        special={name: tokens[i] for name, i in ids.items() if i is not None and i < len(tokens)},
        eos=tuple(sorted({int(kv[name]) for name in _ENDS if name in kv})),
        parameters=parameters,
        body_bytes=2 * parameters,
        write_body=lambda folder: _write(path, folder),
        warnings=() if template else (NO_TEMPLATE,),
    )


def _starts_as_gguf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == _MAGIC


def _open(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        tensors = {tensor.name: tensor for tensor in reader.tensors}
        kv = {name: field.contents() for name, field in reader.fields.items()}
    except Exception:  # the reader raises whatever NumPy does where the file ends
        raise InputError(f"{path.name} is cut short or damaged.", hint=_FETCH) from None
    if EMBEDDING not in tensors:
        raise InputError(f"{path.name} has no tensor {EMBEDDING!r}.", hint="Give a language model's file.")
    if kv.get("split.count", 1) > 1:
        raise InputError(
            f"{path.name} is one of {kv['split.count']} parts.", hint="Join them with `gguf-split --merge`."
        )
    return kv, tensors


def _config(kind: str, kv: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
    if kind not in ARCHITECTURES or f"{kind}.expert_count" in kv:
        raise ArchitectureError(
            f"GGUF models of the architecture {kind!r} cannot be split"
            f"{' (mixture of experts)' if f'{kind}.expert_count' in kv else ''}.",
            hint=f"Handled now: {', '.join(ARCHITECTURES)}.",
        )
    if "rope_freqs.weight" in tensors or kv.get(f"{kind}.rope.scaling.type", "none") not in ("none", ""):
        raise InputError(
            "This GGUF scales its rotary frequencies, which is lost when its layers are read.",
            hint="Split the model's Hugging Face directory instead.",
        )
    heads = kv.get(f"{kind}.attention.head_count")
    vocab = int(tensors[EMBEDDING].shape[1])
    config = {
        "architectures": [ARCHITECTURES[kind]],
        "model_type": kind,
        "vocab_size": vocab,
        "hidden_size": kv.get(f"{kind}.embedding_length"),
        "intermediate_size": kv.get(f"{kind}.feed_forward_length"),
        "num_hidden_layers": kv.get(f"{kind}.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": kv.get(f"{kind}.attention.head_count_kv", heads),
        "max_position_embeddings": kv.get(f"{kind}.context_length"),
        "rms_norm_eps": kv.get(f"{kind}.attention.layer_norm_rms_epsilon"),
        "rope_theta": kv.get(f"{kind}.rope.freq_base", 10000.0),
        "tie_word_embeddings": "output.weight" not in tensors,
    }
    return config


def _rows(entry: Any) -> NDArray[np.uint16]:
    from gguf.quants import dequantize

    try:
        values = dequantize(entry.data, entry.tensor_type)
    except NotImplementedError:
        raise InputError(
            f"The embedding table's quantisation {entry.tensor_type.name} cannot be read.",
            hint="Give a file quantised as Q4_0 to Q8_0, a K-quant, or F16.",
        ) from None
    return to_bf16(np.ascontiguousarray(values, dtype=np.float32))


def _write(path: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.quantization_config import GgufConfig

    wrong = InputError(
        f"{path.name} lacks weights of its architecture, or has them in other sizes.",
        hint="Split the model's Hugging Face directory instead.",
    )
    try:
        with quiet():
            model, told = AutoModelForCausalLM.from_pretrained(
                path.parent,
                gguf_file=path.name,
                dtype=torch.bfloat16,
                quantization_config=GgufConfig(dequantize=True),
                output_loading_info=True,
            )
    except RuntimeError:  # sizes that do not fit
        raise wrong from None
    if told["missing_keys"]:  # they would be random
        raise wrong
    model.config._name_or_path = ""  # the file's own remark on its training, of no use to an engine
    with quiet():
        model.save_pretrained(folder)
