"""A checkpoint that has passed every check that can be made before any long work, whatever format it came in."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmif.enclave.tokenise import Tokeniser
from cmif.errors import BundleError, InputError

SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass(frozen=True, slots=True)
class Source:
    """What both halves of a split are made of.

    ``config`` is in the terms of a Hugging Face `config.json`; with ``rows`` (`uint16[vocab, hidden]`, bfloat16 bit
    patterns) it makes the model's digest. ``tokenizer`` is the text of a `tokenizer.json`, ``template`` a Jinja chat
    template or empty, ``special`` the special tokens' texts by name. ``write_body(folder)`` writes the whole model
    there in bfloat16, in at most ``body_bytes``; it alone needs torch. ``warnings`` are for the person who splits.
    """

    name: str
    architecture: str
    config: Mapping[str, Any]
    rows: NDArray[np.uint16]
    tokenizer: str
    template: str
    special: Mapping[str, str]
    eos: tuple[int, ...]
    parameters: int
    body_bytes: int
    write_body: Callable[[Path], None]
    warnings: tuple[str, ...] = ()

    def tokeniser(self) -> Tokeniser:
        return Tokeniser(self.tokenizer, self.template, self.special)


def checked(source: Source) -> Source:
    """``source``, its parts checked against each other. Raises :class:`InputError`."""
    expected = (source.config.get("vocab_size"), source.config.get("hidden_size"))
    if source.rows.shape != expected:
        raise InputError(
            f"The embedding table is {source.rows.shape}, the configuration says {expected}.",
            hint="The checkpoint is damaged: fetch it again.",
        )
    context = source.config.get("max_position_embeddings")
    if not isinstance(context, int) or context < 1:
        raise InputError(
            "The configuration gives no context length (max_position_embeddings).",
            hint="Add it to config.json: the number of positions the model was trained on.",
        )
    try:
        vocab = source.tokeniser().vocab
    except BundleError as error:
        raise InputError(
            error.message, hint="Fetch the checkpoint again, or save its tokenizer anew."
        ) from None
    if vocab > len(source.rows):
        raise InputError(
            f"The tokenizer has {vocab} ids, the embedding table only {len(source.rows)} rows.",
            hint="Give the tokenizer that the model was trained with.",
        )
    return source


def require_packages(*names: str) -> None:
    """Raises :class:`InputError` naming the first of ``names`` that is not installed, before it is needed."""
    for name in names:
        if find_spec(name) is None:
            raise InputError(
                f"This needs the package {name!r}.", hint="In CMIF's repository: pip install './server[engine]'"
            )


@contextmanager
def quiet() -> Iterator[None]:
    """Without the bars and reports of `transformers`: what matters of them is raised or told by us."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(before)


def require_finite(rows: NDArray[np.uint16]) -> None:
    """Raises :class:`InputError` if the table holds NaN or infinite numbers."""
    if any(not np.isfinite(block).all() for block in float_blocks(rows)):
        raise InputError(
            "The embedding table holds NaN or infinite numbers.",
            hint="The checkpoint is damaged: fetch it again.",
        )


def float_blocks(rows: NDArray[np.uint16], size: int = 8192) -> Any:
    """The rows as float32, ``size`` at a time."""
    return ((rows[i : i + size].astype(np.uint32) << 16).view(np.float32) for i in range(0, len(rows), size))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises :class:`InputError` naming the file."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read ({error.strerror}).", hint="Give a whole model directory."
        ) from None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InputError(f"{path.name} is not a JSON object.", hint="Fetch the checkpoint again.")
    return value
