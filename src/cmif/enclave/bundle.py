"""The client bundle: what the provider gives to an attested enclave, checked before anything of it is used.

A bundle is five files: ``manifest.json``, ``rows.bf16`` (little-endian uint16 ``[vocab, hidden]``), ``tokenizer.json``,
``chat_template.jinja`` (may be empty) and ``table.npz`` (the certified privacy table). This module sees their contents,
never a file system: the gateway maps files or unseals them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmif.enclave.tokenise import Tokeniser
from cmif.errors import BundleError
from cmif.privacy.table import Table

FORMAT = 1
MANIFEST = "manifest.json"
ROWS, TOKENIZER, TEMPLATE, TABLE = "rows.bf16", "tokenizer.json", "chat_template.jinja", "table.npz"
FILES = (ROWS, TOKENIZER, TEMPLATE, TABLE)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the bundle claims to be. ``model`` is the digest (sha256 hex) that both sides of the split share."""

    model: str
    name: str
    architecture: str
    hidden: int
    vocab: int
    context: int
    max_norm: float
    eos: tuple[int, ...]
    special: Mapping[str, str]
    files: Mapping[str, str]

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Raises :class:`BundleError` for anything that is not a manifest of this format."""
        try:
            raw: dict[str, Any] = json.loads(data)
            if raw["format"] != FORMAT:
                raise BundleError(
                    f"The bundle has format {raw['format']}, this CMIF reads {FORMAT}.",
                    hint="Split the model again.",
                )
            return cls(
                model=str(raw["model"]),
                name=str(raw["name"]),
                architecture=str(raw["architecture"]),
                hidden=int(raw["hidden"]),
                vocab=int(raw["vocab"]),
                context=int(raw["context"]),
                max_norm=float(raw["max_norm"]),
                eos=tuple(int(i) for i in raw["eos"]),
                special={str(k): str(v) for k, v in raw["special"].items()},
                files={str(k): str(v["sha256"]) for k, v in raw["files"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BundleError("manifest.json is malformed.", hint="Split the model again.") from None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle. ``rows`` is `uint16[vocab, hidden]`, bfloat16 bit patterns."""

    manifest: Manifest
    rows: NDArray[np.uint16]
    tokeniser: Tokeniser
    table: Table

    @classmethod
    def load(cls, manifest: bytes, files: Mapping[str, bytes | NDArray[np.uint8]]) -> Bundle:
        """Check every file against the manifest's hash, then build the parts.

        Raises :class:`BundleError` for a missing or altered file or sizes that do not fit, :class:`TableError` for an
        uncertified table or one made for another model.
        """
        claims = Manifest.parse(manifest)
        for name in FILES:
            if name not in files or name not in claims.files:
                raise BundleError(f"{name} is missing from the bundle.", hint="Split the model again.")
            content = files[name]
            data = content if isinstance(content, bytes) else content.data
            if hashlib.sha256(data).hexdigest() != claims.files[name]:
                raise BundleError(
                    f"{name} is not the file its manifest describes (sha256 differs).",
                    hint="Split the model again.",
                )
        rows = np.frombuffer(files[ROWS], dtype="<u2")
        if rows.size != claims.vocab * claims.hidden:
            raise BundleError(
                f"{ROWS} holds {rows.size} numbers, the manifest says {claims.vocab} rows of {claims.hidden}.",
                hint="Split the model again.",
            )
        return cls(
            manifest=claims,
            rows=rows.reshape(claims.vocab, claims.hidden),
            tokeniser=Tokeniser(
                bytes(files[TOKENIZER]).decode("utf-8"),
                bytes(files[TEMPLATE]).decode("utf-8"),
                claims.special,
            ),
            table=Table.from_bytes(bytes(files[TABLE]), bundle=claims.model),
        )
