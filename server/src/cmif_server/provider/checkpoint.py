"""A Hugging Face model directory as a :class:`Source`, read without loading the model.

The weights' format is https://github.com/huggingface/safetensors (8-byte header length, JSON header, raw tensors);
NumPy has no bfloat16, so rows stay `uint16` bit patterns.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmif.enclave.bundle import TEMPLATE, TOKENIZER
from cmif.errors import InputError
from cmif_server.provider.architectures import require_row_lookup
from cmif_server.provider.source import SPECIAL, Source, quiet, read_json

EMBEDDING = "model.embed_tokens.weight"
INDEX = "model.safetensors.index.json"
NO_TEMPLATE = "The model has no chat template: the gateway will offer /v1/completions only."
_MAX_HEADER = 100 * 1024 * 1024
_FETCH = "Fetch the checkpoint again."


def read_directory(model: Path) -> Source:
    """Raises :class:`InputError` for whatever is missing, cut short or of a kind that cannot be split."""
    config = read_json(model / "config.json")
    architecture = require_row_lookup(config)
    _refuse_quantised(config)
    files = weight_files(model)
    tensors = [entry for path in files for entry in header(path)[0].values()]
    if not (model / TOKENIZER).is_file():
        raise InputError(
            "The model directory has no tokenizer.json.", hint="Save the tokenizer in its fast form."
        )
    settings = _optional(model / "tokenizer_config.json")
    template = _template(model, settings)
    parameters = sum(math.prod(entry["shape"]) for entry in tensors)
    plain = all(entry["dtype"] == "BF16" for entry in tensors)
    return Source(
        name=model.resolve().name,
        architecture=architecture,
        config=config,
        rows=embedding_rows(model),
        tokenizer=_text(model / TOKENIZER),
        template=template,
        special={name: _token_text(settings[name]) for name in SPECIAL if settings.get(name)},
        eos=_eos(_optional(model / "generation_config.json"), config),
        parameters=parameters,
        body_bytes=2 * parameters,
        write_body=lambda folder: _copy(model, files, folder) if plain else _save(model, folder),
        warnings=() if template else (NO_TEMPLATE,),
    )


def weight_files(model: Path) -> list[Path]:
    """The checkpoint's safetensors files, sharded or not. Raises :class:`InputError` if one is not there."""
    index = model / INDEX
    if not index.is_file():
        single = model / "model.safetensors"
        if not single.is_file():
            raise InputError(
                f"No safetensors weights in {model.name!r}.", hint="Save the model with save_pretrained()."
            )
        return [single]
    named = read_json(index).get("weight_map")
    if (
        not isinstance(named, dict)
        or not named
        or any(not isinstance(name, str) or Path(name).name != name for name in named.values())
    ):
        raise InputError(f"{INDEX} does not name the checkpoint's files.", hint=_FETCH)
    shards = [model / name for name in sorted(set(named.values()))]
    for shard in shards:
        if not shard.is_file():
            raise InputError(f"The checkpoint's file {shard.name} is missing.", hint=_FETCH)
    return shards


def header(path: Path) -> tuple[dict[str, Any], int]:
    """Tensor descriptions by name and the offset of the data.

    Raises :class:`InputError` for a file that is not safetensors, or is shorter than its header says.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= _MAX_HEADER:
            raise InputError(f"{path.name} is not a safetensors file.", hint=_FETCH)
        try:
            tensors = json.loads(file.read(length))
            tensors.pop("__metadata__", None)
            ends = [
                entry["data_offsets"][1]
                for entry in tensors.values()
                if entry["dtype"] and entry["shape"] is not None
            ]
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            raise InputError(f"{path.name} has a malformed safetensors header.", hint=_FETCH) from None
    size = path.stat().st_size
    whole = 8 + length + max(ends, default=0)
    if size < whole:
        raise InputError(f"{path.name} is cut short: {size} of {whole} bytes.", hint=_FETCH)
    return tensors, 8 + length


def embedding_rows(model: Path) -> NDArray[np.uint16]:
    """The embedding table as bfloat16 bit patterns, `uint16[vocab, hidden]`.

    bf16 tables are memory-mapped as they are; fp16 and fp32 ones are rounded to nearest even.
    """
    for path in weight_files(model):
        tensors, start = header(path)
        if EMBEDDING not in tensors:
            continue
        entry = tensors[EMBEDDING]
        vocab, hidden = entry["shape"]
        dtypes = {"BF16": np.uint16, "F16": np.float16, "F32": np.float32}
        if entry["dtype"] not in dtypes:
            raise InputError(
                f"The embedding table's dtype {entry['dtype']} is not handled.",
                hint="Use bf16, fp16 or fp32.",
            )
        raw: NDArray[Any] = np.memmap(
            path, dtypes[entry["dtype"]], "r", offset=start + entry["data_offsets"][0], shape=(vocab, hidden)
        )
        return raw if raw.dtype == np.uint16 else to_bf16(raw.astype(np.float32))
    raise InputError(f"The checkpoint has no tensor {EMBEDDING!r}.", hint=_FETCH)


def to_bf16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round fp32 to bfloat16 bit patterns, to nearest even (IEEE 754). Inputs must be finite."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _refuse_quantised(config: Mapping[str, Any]) -> None:
    found = config.get("quantization_config") or config.get("compression_config")
    if found:
        method = str(found.get("quant_method", "unnamed")) if isinstance(found, dict) else "unnamed"
        raise InputError(
            f"The checkpoint is quantised ({method}), which is not supported as it is.",
            hint="Give the unquantised checkpoint, or a GGUF of the model, which `cmif split` dequantises.",
        )


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path.name} cannot be read as UTF-8 text.", hint=_FETCH) from None


def _template(model: Path, settings: Mapping[str, Any]) -> str:
    if (model / TEMPLATE).is_file():
        return _text(model / TEMPLATE)
    found = settings.get("chat_template")
    if isinstance(found, list):  # several by name; transformers takes the one called "default" for a chat
        found = {entry.get("name"): entry.get("template") for entry in found if isinstance(entry, dict)}.get(
            "default"
        )
    return found if isinstance(found, str) else ""


def _token_text(token: Any) -> str:
    return str(token["content"]) if isinstance(token, dict) and "content" in token else str(token)


def _eos(generation: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[int, ...]:
    eos = generation.get("eos_token_id")
    eos = config.get("eos_token_id") if eos is None else eos
    return () if eos is None else (eos,) if isinstance(eos, int) else tuple(eos)


def _copy(model: Path, files: list[Path], folder: Path) -> None:
    kept = [model / name for name in ("config.json", "generation_config.json", INDEX)]
    for path in [*files, *(path for path in kept if path.is_file())]:
        shutil.copyfile(path, folder / path.name)


def _save(model: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    with quiet():
        AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16).save_pretrained(folder)
