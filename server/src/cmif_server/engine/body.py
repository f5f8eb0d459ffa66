"""The server body on disk: a Hugging Face directory and `body.json`, which lists every file with size and
SHA-256."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cmif.errors import ArchitectureError, BundleError
from cmif_server.engine.engine import EngineInfo

BODY = "body.json"
TOKENIZER = "tokenizer.json"
"""May be there: with it, answers can be held to a JSON Schema."""
ARCHITECTURES = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
"""Those whose embedding layer is one row look-up and whose layers the decoder runs."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Body:
    """A verified server body. ``config`` is its `config.json`."""

    path: Path
    info: EngineInfo
    config: dict[str, Any]


def load_body(path: Path) -> Body:
    """Read and verify ``path``. Raises :class:`BundleError` when a file is missing, altered or unlisted, and
    :class:`ArchitectureError` for a model that the engine does not run."""
    try:
        manifest = json.loads((path / BODY).read_text("utf-8"))
    except (OSError, ValueError):
        raise BundleError(
            f"No readable {BODY} in the server body.", hint="Make one with `cmif split MODEL -o OUT`; it is OUT/server."
        ) from None
    info, files = _read(manifest)
    for name, entry in files.items():
        _verify(path / name, name, entry)
    unlisted = {p.name for p in path.iterdir()} - set(files) - {BODY}
    if unlisted or "config.json" not in files:
        raise BundleError(f"The server body holds files that {BODY} does not list, or lacks config.json.")
    try:
        config = json.loads((path / "config.json").read_text("utf-8"))
        architecture = config["architectures"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        raise BundleError("The server body's config.json names no architecture.") from None
    if architecture not in ARCHITECTURES:
        raise ArchitectureError(
            f"The engine does not run {str(architecture)[:80]}.", hint=f"It runs {', '.join(ARCHITECTURES)}."
        )
    return Body(path, info, config)


def _read(manifest: Any) -> tuple[EngineInfo, dict[str, dict[str, Any]]]:
    try:
        info = EngineInfo(
            str(manifest["model"]), int(manifest["hidden"]), int(manifest["context"]), int(manifest["vocab"]),
            float(manifest["max_norm"]),
        )  # fmt: skip
        files = dict(manifest["files"])
        well_formed = (
            manifest["format"] == 1
            and _DIGEST.fullmatch(info.model)
            and min(info.hidden, info.context, info.vocab) > 0
            and math.isfinite(info.max_norm)
            and info.max_norm > 0
            and all(_NAME.fullmatch(name) for name in files)
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        well_formed = False
    if not well_formed:
        raise BundleError(f"{BODY} is malformed.", hint="Make the body again with `cmif split`.")
    return info, files


def _verify(path: Path, name: str, entry: Any) -> None:
    try:
        size, digest = int(entry["bytes"]), str(entry["sha256"])
        # The size first: a file of another size needs no reading.
        if path.stat().st_size == size:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == digest:
                    return
    except (OSError, KeyError, TypeError, ValueError):
        raise BundleError(f"{name} is missing from the server body.") from None
    raise BundleError(f"{name} of the server body is altered.", hint="Its hash is not the one in body.json.")
