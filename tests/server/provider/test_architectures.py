from __future__ import annotations

import pytest

from cmif.errors import ArchitectureError
from cmif_server.provider.architectures import ROW_LOOKUP, require_row_lookup


@pytest.mark.parametrize("name", ROW_LOOKUP)
def test_row_lookup_architectures_are_handled(name: str) -> None:
    assert require_row_lookup({"architectures": [name]}) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("GemmaForCausalLM", "sqrt"), ("Gemma2ForCausalLM", "sqrt"), ("Gemma3ForCausalLM", "sqrt"),
        ("Gemma3ForConditionalGeneration", "sqrt"), ("Gemma3nForConditionalGeneration", "per-layer"),
        ("Gemma4ForConditionalGeneration", "looks token ids up again"), ("GPT2LMHeadModel", "positions"),
        ("BertModel", "token types"), ("BertForMaskedLM", "token types"), ("BloomForCausalLM", "normalises"),
        ("MambaForCausalLM", "not an architecture"),
    ],
)  # fmt: skip
def test_special_embedding_layers_are_refused_by_name_and_reason(name: str, reason: str) -> None:
    with pytest.raises(ArchitectureError, match=reason) as caught:
        require_row_lookup({"architectures": [name]})
    assert name in str(caught.value)


def test_a_config_without_architecture_is_refused() -> None:
    with pytest.raises(ArchitectureError):
        require_row_lookup({})
