"""Read the embedding table out of a safetensors checkpoint without loading the model.

The format is https://github.com/huggingface/safetensors (8-byte header length, JSON header, raw tensors); NumPy has no
bfloat16, so rows stay `uint16` bit patterns.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmif.errors import InputError

EMBEDDING = "model.embed_tokens.weight"
_MAX_HEADER = 100 * 1024 * 1024


def weight_files(model: Path) -> list[Path]:
    """The checkpoint's safetensors files, sharded or not."""
    index = model / "model.safetensors.index.json"
    if index.is_file():
        return [
            model / name for name in sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        ]
    single = model / "model.safetensors"
    if not single.is_file():
        raise InputError(
            f"No safetensors weights in {model.name!r}.", hint="Save the model with save_pretrained()."
        )
    return [single]


def header(path: Path) -> tuple[dict[str, Any], int]:
    """Tensor descriptions by name and the offset of the data. Raises :class:`InputError` on a malformed file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= _MAX_HEADER:
            raise InputError(f"{path.name} is not a safetensors file.")
        try:
            tensors = json.loads(file.read(length))
        except ValueError:
            raise InputError(f"{path.name} has a malformed safetensors header.") from None
    tensors.pop("__metadata__", None)
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
    raise InputError(f"The checkpoint has no tensor {EMBEDDING!r}.")


def to_bf16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round fp32 to bfloat16 bit patterns, to nearest even (IEEE 754). Inputs must be finite."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
