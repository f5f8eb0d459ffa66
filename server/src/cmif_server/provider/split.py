"""`cmif split`: a checkpoint becomes a client bundle (enclave) and a server body (engine).

Everything that can be wrong with a checkpoint is looked for before any long work. Nothing is written at the destination
until a half is complete; the engine's half only after it has shown that it computes the same logits from our rows as
from token ids.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmif.enclave.bundle import FILES, FORMAT, MANIFEST, ROWS, TABLE, TEMPLATE, TOKENIZER
from cmif.errors import BundleError, InputError, MechanismError
from cmif.privacy.table import Table
from cmif.types import Report
from cmif_server.provider.checkpoint import embedding_rows, read_directory
from cmif_server.provider.gguf_file import is_gguf, read_gguf
from cmif_server.provider.lexicon import public_lexicon, word_space, word_vectors
from cmif_server.provider.source import Source, checked, float_blocks, quiet, require_finite, require_packages
from cmif_server.tables.build import DEFAULT_K, DEFAULT_LAW, build_table, law_epsilon
from cmif_server.tables.vectors import centred_rows, frequency_weights, without_first

BODY = "body.json"
CLIENT, SERVER = "client", "server"
_MAX_FP32_PARAMETERS = 2_000_000_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}")
_TABLE_BYTES = 64_000_000  # tokenizer and table, generously


def silent(stage: str, done: float = 0.0) -> None:
    """A :class:`Report` that nobody hears."""


@dataclass(frozen=True, slots=True)
class Split:
    """Where the halves are, the digest they share, and the largest difference the self-test saw (0 is exact; None if
    no server half was asked for). ``warnings``: what the person who split should know."""

    client: Path
    server: Path
    model: str
    self_test: float | None
    warnings: tuple[str, ...]


def split(
    model: str,
    out: Path,
    *,
    k: int = DEFAULT_K,
    epsilon: float | None = None,
    law: str = DEFAULT_LAW,
    name: str | None = None,
    halves: Sequence[str] = (CLIENT, SERVER),
    report: Report = silent,
) -> Split:
    """Split ``model`` (a Hugging Face directory, a GGUF file or a hub id) into ``out/client`` and ``out/server``.

    ``k``, ``epsilon`` and ``law`` are those of the privacy table: words a bucket has at least, eps_in of one word
    (None: the law's own), `cmif_server.tables.laws`. ``name``: what the gateway calls the model. ``halves``:
    which to make; a client half alone needs no torch, and its digest is that of the full split.

    Raises :class:`ArchitectureError` for an embedding layer that is more than a row look-up, :class:`InputError` for a
    checkpoint that is damaged, incomplete or quantised, for ``k``, ``epsilon`` or ``law`` that give no table, for an
    ``out`` that already holds a half, cannot be written or has no room, :class:`BundleError` if the self-test fails.
    """
    if SERVER in halves:
        require_packages("torch", "transformers", "safetensors", "accelerate")
    epsilon = _check_table(k, epsilon, law)
    if name is not None and not _NAME.fullmatch(name):
        raise InputError("--name takes letters, digits and . _ - / : only, 128 at most.")
    for half in halves:
        if (out / half).exists():
            raise InputError(
                f"{half!r} already exists in the output directory.",
                hint="Choose another, or remove it first.",
            )
    source = checked(_read(model))
    with _scratch(out, _bytes(source, halves)) as scratch:
        report(f"reading {source.name}: {source.rows.shape[0]:,} rows of {source.rows.shape[1]:,}")
        require_finite(source.rows)
        digest = _model_digest(source)
        shared = {
            "format": FORMAT,
            "model": digest,
            "hidden": source.rows.shape[1],
            "vocab": source.rows.shape[0],
            "context": int(source.config["max_position_embeddings"]),
            "max_norm": _max_norm(source.rows),
        }
        difference = None
        if SERVER in halves:
            difference = _write_server(scratch / SERVER, source, shared, report)
        if CLIENT in halves:
            _write_client(scratch / CLIENT, source, shared, name, k, epsilon, law, report)
        out.mkdir(exist_ok=True)
        for half in halves:
            (scratch / half).rename(out / half)
    return Split(out / CLIENT, out / SERVER, digest, difference, source.warnings)


def _read(model: str) -> Source:
    path = Path(model)
    if path.is_dir():
        return read_directory(path)
    if is_gguf(path):
        return read_gguf(path)
    if path.exists() or model.startswith((".", "/")) or model.count("/") != 1:
        raise InputError("MODEL is neither a directory, nor a GGUF file, nor a hub id such as 'org/name'.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return read_directory(
            Path(snapshot_download(model, allow_patterns=["*.json", "*.safetensors", "*.jinja"]))
        )
    except (HfHubHTTPError, OSError, ValueError):
        raise InputError(
            "The model hub did not give that model.",
            hint="Check the id and your network, or give a local directory.",
        ) from None


def _check_table(k: int, epsilon: float | None, law: str) -> float:
    """The table's eps_in, before any work is done."""
    try:
        epsilon = law_epsilon(law, epsilon)
    except MechanismError as error:
        raise InputError(error.message, hint=error.hint) from None
    _, sizes = np.unique(public_lexicon().classes, return_counts=True)
    if not 2 <= k <= sizes.min():
        raise InputError(
            f"k must be between 2 and {sizes.min()}, the smallest class of the public word list; it is {k}."
        )
    return epsilon


def _bytes(source: Source, halves: Sequence[str]) -> int:
    return (source.body_bytes if SERVER in halves else 0) + (
        source.rows.nbytes + _TABLE_BYTES if CLIENT in halves else 0
    )


@contextmanager
def _scratch(out: Path, needed: int) -> Iterator[Path]:
    """A folder beside ``out`` that is gone however the block ends, by SIGTERM too."""
    existing = next(folder for folder in (out.parent, *out.parent.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise InputError(
            f"The halves need {needed / 1e9:.1f} GB, the output's disk has {free / 1e9:.1f} GB free.",
            hint="Free some, or give an --out on another disk.",
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists() and not (out.is_dir() and os.access(out, os.W_OK)):
            raise PermissionError(13, "not a writable directory")
        folder = tempfile.TemporaryDirectory(prefix=".cmif-split-", dir=out.parent)
    except OSError as error:
        raise InputError(
            f"The output directory cannot be written ({error.strerror}).", hint="Give another --out."
        ) from None
    with folder as scratch, _terminable():
        yield Path(scratch)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that what cleans up runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _model_digest(source: Source) -> str:
    digest = hashlib.sha256(json.dumps(source.config, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(source.rows).data)
    return digest.hexdigest()


def _max_norm(rows: NDArray[np.uint16]) -> float:
    return float(np.sqrt(max(np.square(block).sum(axis=1).max() for block in float_blocks(rows))))


def _write_client(
    client: Path,
    source: Source,
    shared: dict[str, Any],
    name: str | None,
    k: int,
    epsilon: float,
    law: str,
    report: Report,
) -> None:
    client.mkdir()
    (client / TOKENIZER).write_text(source.tokenizer, "utf-8")
    (client / TEMPLATE).write_text(source.template, "utf-8")
    with (client / ROWS).open("wb") as file:
        np.ascontiguousarray(source.rows).astype("<u2", copy=False).tofile(file)
    _table(source, str(shared["model"]), k, epsilon, law, report).save(client / TABLE)
    manifest = {
        **shared,
        "name": name or source.name,
        "architecture": source.architecture,
        "eos": list(source.eos),
        "special": dict(source.special),
    }
    _write_json(client / MANIFEST, {**manifest, "files": _hashes(client, FILES)})


def _table(source: Source, digest: str, k: int, epsilon: float, law: str, report: Report) -> Table:
    lexicon = public_lexicon()
    fitting = f"the privacy table: {len(lexicon.words):,} public words as vectors of this model"
    report(fitting)
    rows = without_first(centred_rows(word_vectors(lexicon.words, source.tokeniser(), source.rows)))
    vectors = word_space(rows, lexicon.words, lambda done: report(fitting, done))
    dividing = f"the privacy table: buckets of at least {k} words and their certificate"
    report(dividing)
    weights = frequency_weights(lexicon.counts)
    return build_table(
        lexicon.words, lexicon.classes, vectors, bundle=digest, k=k, epsilon=epsilon, law=law, weights=weights,
        progress=lambda done: report(dividing, done),
    )  # fmt: skip


def _write_server(server: Path, source: Source, shared: dict[str, Any], report: Report) -> float:
    report(f"the engine's half: {source.parameters / 1e6:,.0f} million parameters in bfloat16")
    server.mkdir()
    source.write_body(server)
    (server / TOKENIZER).write_text(source.tokenizer, "utf-8")
    if not np.array_equal(embedding_rows(server), source.rows):
        raise BundleError(
            "The two halves would hold different embedding rows.", hint="Report the model's format."
        )
    names = sorted(path.name for path in server.iterdir())
    report("the self-test: logits from rows against logits from token ids")
    difference = _self_test(server, source.rows, small=source.parameters <= _MAX_FP32_PARAMETERS)
    _write_json(server / BODY, {**shared, "files": _hashes(server, tuple(names))})
    return difference


def _self_test(server: Path, rows: NDArray[np.uint16], *, small: bool) -> float:
    """Largest difference between logits from ids and logits from our rows, over one probe prompt."""
    import torch
    from transformers import AutoModelForCausalLM

    with quiet():
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
