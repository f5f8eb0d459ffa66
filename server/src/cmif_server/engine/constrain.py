"""Answers held to a JSON Schema: before each token, which ids the schema allows. By llguidance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import llguidance
import numpy as np
import torch
from torch import Tensor

from cmif.errors import EngineError, SchemaError

_FORM: Any = {"whitespace_pattern": r"[ \n]{0,12}"}
"""Indented as people write it, but no white space without end, which a model may fall into."""


class Schemas:
    """Makes constraints for one tokenizer: ``tokenizer`` is a `tokenizer.json`, ``vocab`` the model's number of ids,
    ``eos`` the ids that may end an answer.
    """

    def __init__(self, tokenizer: Path, vocab: int, eos: list[int]) -> None:
        self._vocab = vocab
        self._tokenizer = llguidance.LLTokenizer(str(tokenizer), n_vocab=vocab, eos_token=eos or None)

    def constraint(self, schema: str) -> Constraint:
        """Raises :class:`SchemaError` for what is no JSON Schema, or one too complex to follow."""
        try:
            grammar = llguidance.LLMatcher.grammar_from_json_schema(json.loads(schema), overrides=_FORM)
        except (ValueError, RecursionError, TypeError):
            raise SchemaError("The schema is not JSON.") from None
        matcher = llguidance.LLMatcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise SchemaError("The engine cannot hold an answer to this JSON Schema.")
        return Constraint(matcher, self._vocab)


class Constraint:
    """One answer's. Ask :meth:`allowed` before each token and tell it by :meth:`take` which one it was."""

    def __init__(self, matcher: llguidance.LLMatcher, vocab: int) -> None:
        self._matcher, self._vocab = matcher, vocab

    def allowed(self) -> Tensor:
        """bool [vocab]; where the answer is complete, nothing but its end. Raises :class:`EngineError`."""
        bits = np.unpackbits(np.frombuffer(self._matcher.compute_bitmask(), np.uint8), bitorder="little")
        allowed = torch.from_numpy(bits[: self._vocab].astype(bool))
        if self._matcher.is_error() or not bool(allowed.any()):
            raise EngineError("This answer cannot go on under its schema.")
        return allowed

    def take(self, token: int) -> None:
        self._matcher.consume_token(token)
