"""`cmif split`: a checkpoint becomes a client bundle (enclave) and a server body (engine).

Nothing is written at the destination until both halves are complete and the engine has shown that it computes the same
logits from our rows as from token ids.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmif.enclave.bundle import FILES, FORMAT, MANIFEST, ROWS, TABLE, TEMPLATE, TOKENIZER
from cmif.enclave.tokenise import Tokeniser
from cmif.errors import BundleError, InputError
from cmif.privacy.build import DEFAULT_EPSILON, DEFAULT_K, build_table
from cmif.privacy.table import Table
from cmif.privacy.vectors import centred_rows, frequency_weights
from cmif.provider.architectures import require_row_lookup
from cmif.provider.checkpoint import embedding_rows, header, weight_files
from cmif.provider.lexicon import public_lexicon, word_space, word_vectors

BODY = "body.json"
_MAX_FP32_PARAMETERS = 2_000_000_000
_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass(frozen=True, slots=True)
class Split:
    """Where the halves are, the digest they share, and the largest difference the self-test saw (0 is exact)."""

    client: Path
    server: Path
    model: str
    self_test: float


def split(model: str, out: Path, *, k: int = DEFAULT_K, epsilon: float = DEFAULT_EPSILON) -> Split:
    """Split ``model`` (a Hugging Face directory or hub id) into ``out/client`` and ``out/server``.

    ``k`` and ``epsilon`` are those of the privacy table: words a bucket has at least, eps_in of one word.

    Raises :class:`ArchitectureError` for an embedding layer that is more than a row look-up, :class:`InputError` for a
    directory that is not a model or an ``out`` that already holds a split, :class:`MechanismError` for ``k`` and
    ``epsilon`` that give no table, :class:`BundleError` if the self-test fails.
    """
    source = _resolve(model)
    for half in ("client", "server"):
        if (out / half).exists():
            raise InputError(
                f"{half!r} already exists in the output directory.",
                hint="Choose another, or remove it first.",
            )
    config = _config(source)
    architecture = require_row_lookup(config)
    rows = embedding_rows(source)
    _check_sizes(config, rows)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cmif-split-", dir=out.parent) as scratch:
        client, server = Path(scratch) / "client", Path(scratch) / "server"
        client.mkdir()
        digest = _model_digest(config, rows)
        norm = float(np.sqrt(max(np.square(block).sum(axis=1).max() for block in _float_blocks(rows))))
        shared = {"format": FORMAT, "model": digest, "hidden": rows.shape[1], "vocab": rows.shape[0],
                  "context": int(config["max_position_embeddings"]), "max_norm": norm}  # fmt: skip
        tokeniser, special = _write_client(client, source, rows)
        _table(tokeniser, rows, digest, k, epsilon).save(client / TABLE)
        manifest = {
            **shared,
            "name": source.name,
            "architecture": architecture,
            "eos": _eos(source, config),
            "special": special,
        }
        _write_json(client / MANIFEST, {**manifest, "files": _hashes(client, FILES)})
        _write_server(server, source)
        names = sorted(path.name for path in server.iterdir())
        difference = _self_test(server, rows, small=_parameters(source) <= _MAX_FP32_PARAMETERS)
        _write_json(server / BODY, {**shared, "files": _hashes(server, tuple(names))})
        out.mkdir(exist_ok=True)
        client.rename(out / "client")
        server.rename(out / "server")
    return Split(out / "client", out / "server", digest, difference)


def _resolve(model: str) -> Path:
    path = Path(model)
    if path.is_dir():
        return path
    if path.exists() or model.startswith((".", "/")) or model.count("/") != 1:
        raise InputError("MODEL is neither a directory nor a hub id such as 'org/name'.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(model, allow_patterns=["*.json", "*.safetensors", "*.jinja"]))
    except (HfHubHTTPError, OSError, ValueError):
        raise InputError(
            "The model hub did not give that model.",
            hint="Check the id and your network, or give a local directory.",
        ) from None


def _config(source: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((source / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise InputError("The model directory has no readable config.json.") from None
    return config


def _check_sizes(config: dict[str, Any], rows: NDArray[np.uint16]) -> None:
    expected = (config.get("vocab_size"), config.get("hidden_size"))
    if rows.shape != expected:
        raise InputError(
            f"The embedding table is {rows.shape}, config.json says {expected}.",
            hint="The checkpoint is damaged.",
        )
    if any(not np.isfinite(block).all() for block in _float_blocks(rows)):
        raise InputError(
            "The embedding table holds NaN or infinite numbers.", hint="The checkpoint is damaged."
        )


def _float_blocks(rows: NDArray[np.uint16], size: int = 8192) -> list[NDArray[np.float32]] | Any:
    return ((rows[i : i + size].astype(np.uint32) << 16).view(np.float32) for i in range(0, len(rows), size))


def _model_digest(config: dict[str, Any], rows: NDArray[np.uint16]) -> str:
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(rows).data)
    return digest.hexdigest()


def _parameters(source: Path) -> int:
    return sum(int(np.prod(t["shape"])) for path in weight_files(source) for t in header(path)[0].values())


def _eos(source: Path, config: dict[str, Any]) -> list[int]:
    generation = source / "generation_config.json"
    eos = json.loads(generation.read_text("utf-8")).get("eos_token_id") if generation.is_file() else None
    eos = config.get("eos_token_id") if eos is None else eos
    return [] if eos is None else [eos] if isinstance(eos, int) else list(eos)


def _table(tokeniser: Tokeniser, rows: NDArray[np.uint16], digest: str, k: int, epsilon: float) -> Table:
    lexicon = public_lexicon()
    vectors = word_space(centred_rows(word_vectors(lexicon.words, tokeniser, rows)), lexicon.words)
    weights = frequency_weights(lexicon.counts)
    return build_table(
        lexicon.words, lexicon.classes, vectors, bundle=digest, k=k, epsilon=epsilon, weights=weights
    )


def _write_client(client: Path, source: Path, rows: NDArray[np.uint16]) -> tuple[Tokeniser, dict[str, str]]:
    """Rows, tokenizer and chat template; the tokeniser they make, and the special tokens' texts by name."""
    if not (source / TOKENIZER).is_file():
        raise InputError(
            "The model directory has no tokenizer.json.", hint="Save the tokenizer in its fast form."
        )
    shutil.copyfile(source / TOKENIZER, client / TOKENIZER)
    settings_file = source / "tokenizer_config.json"
    settings = json.loads(settings_file.read_text("utf-8")) if settings_file.is_file() else {}
    special = {name: _token_text(settings[name]) for name in _SPECIAL if settings.get(name)}
    template_file = source / TEMPLATE
    template = (
        template_file.read_text("utf-8") if template_file.is_file() else settings.get("chat_template") or ""
    )
    (client / TEMPLATE).write_text(template if isinstance(template, str) else "", "utf-8")
    with (client / ROWS).open("wb") as file:
        np.ascontiguousarray(rows).astype("<u2", copy=False).tofile(file)
    tokeniser = Tokeniser(
        (client / TOKENIZER).read_text("utf-8"), template if isinstance(template, str) else "", special
    )
    if tokeniser.vocab > rows.shape[0]:
        raise InputError(f"The tokenizer has {tokeniser.vocab} ids, the table only {rows.shape[0]} rows.")
    return tokeniser, special


def _token_text(token: str | dict[str, Any]) -> str:
    return token if isinstance(token, str) else str(token["content"])


def _write_server(server: Path, source: Path) -> None:
    """The model in bfloat16: copied where it already is, re-saved where it is not."""
    server.mkdir()
    if all(t["dtype"] == "BF16" for path in weight_files(source) for t in header(path)[0].values()):
        names = [path.name for path in weight_files(source)]
        names += [
            n
            for n in ("config.json", "generation_config.json", "model.safetensors.index.json")
            if (source / n).is_file()
        ]
        for name in names:
            shutil.copyfile(source / name, server / name)
        return
    import torch
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16).save_pretrained(server)


def _self_test(server: Path, rows: NDArray[np.uint16], *, small: bool) -> float:
    """Largest difference between logits from ids and logits from our rows, over one probe prompt."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        server, dtype=torch.float32 if small else torch.bfloat16
    ).eval()
    ids = np.linspace(0, rows.shape[0] - 1, num=24, dtype=np.int64)
    embeds = torch.from_numpy((rows[ids].astype(np.uint32) << 16).view(np.float32))[None].to(model.dtype)
    with torch.inference_mode():
        by_id = model(input_ids=torch.from_numpy(ids)[None]).logits
        by_row = model(inputs_embeds=embeds).logits
    difference = float((by_id - by_row).abs().max())
    if not difference <= 1e-4 * float(by_id.abs().max()):
        raise BundleError(
            f"Self-test failed: logits from rows differ from logits from ids by {difference:.3g}.",
            hint="This model's embedding layer is more than a row look-up; report its architecture.",
        )
    return difference


def _hashes(folder: Path, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    out = {}
    for name in names:
        with (folder / name).open("rb") as file:
            out[name] = {
                "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
                "bytes": (folder / name).stat().st_size,
            }
    return out


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
