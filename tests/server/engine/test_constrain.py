from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from cmif.errors import SchemaError
from cmif.types import Sampling
from cmif_server.engine.constrain import Schemas
from cmif_server.engine.sampling import Sampler

SCHEMA = json.dumps(
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
)


@pytest.fixture
def tokenizer(tiny_model: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tiny_model / "tokenizer.json"))


@pytest.fixture
def schemas(tiny_model: Path, tokenizer: Tokenizer) -> Schemas:
    return Schemas(tiny_model / "tokenizer.json", tokenizer.get_vocab_size(), [tokenizer.token_to_id("<|end|>")])


def test_only_what_the_schema_allows_may_come_and_the_end_when_it_is_complete(schemas: Schemas, tokenizer: Tokenizer) -> None:
    constraint = schemas.constraint(SCHEMA)
    for token in tokenizer.encode('{"a": "x"}', add_special_tokens=False).ids:
        allowed = constraint.allowed()
        assert bool(allowed[token])
        assert not bool(allowed[tokenizer.token_to_id("<|end|>")])
        constraint.take(token)
    assert constraint.allowed().nonzero().flatten().tolist() == [tokenizer.token_to_id("<|end|>")]


def test_white_space_ends(schemas: Schemas, tokenizer: Tokenizer) -> None:
    constraint = schemas.constraint(SCHEMA)
    space = tokenizer.encode(" ", add_special_tokens=False).ids
    constraint.take(tokenizer.encode("{", add_special_tokens=False).ids[0])
    for _ in range(12):
        constraint.take(space[0])
    assert not bool(constraint.allowed()[space[0]])


def test_the_likeliest_allowed_token_is_taken(schemas: Schemas, tokenizer: Tokenizer) -> None:
    sampler = Sampler(Sampling(), schemas.constraint(SCHEMA))
    assert not sampler.plain
    logits = torch.zeros(tokenizer.get_vocab_size())
    logits[tokenizer.token_to_id("<|end|>")] = 9.0
    token, _ = sampler.pick(logits)
    assert tokenizer.decode([token]) == "{"


@pytest.mark.parametrize("schema", ["", "[", '{"type": "nonsense"}', "[" * 5000, "5", '{"$ref": "#/nowhere"}'])
def test_what_no_answer_can_follow_is_refused(schemas: Schemas, schema: str) -> None:
    with pytest.raises(SchemaError):
        schemas.constraint(schema)
