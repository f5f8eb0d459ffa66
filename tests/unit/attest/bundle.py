"""A small client bundle in the real layout, for tests that only need its files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

FILES = {
    "rows.bf16": bytes(range(256)) * 64,
    "tokenizer.json": b'{"tokenizer": "test"}',
    "chat_template.jinja": b"",
    "table.npz": b"\x01" * 1000,
}


def make_bundle(folder: Path, files: dict[str, bytes] | None = None) -> Path:
    """The directory, with a manifest over ``files``."""
    folder.mkdir(parents=True)
    contents = FILES if files is None else files
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    hashes = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in contents.items()
    }
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "name": "test", "files": hashes}), "utf-8")
    return folder
