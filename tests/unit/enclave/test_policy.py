from __future__ import annotations

import pytest

from cmif.enclave.policy import Level, Policy
from cmif.errors import InputError


def test_each_level_includes_the_one_before() -> None:
    levels = [Policy.named(level) for level in ("off", "entities", "sensitive", "content", "all")]
    reach = [(p.entities, p.special_words, p.every_word, p.stopwords) for p in levels]
    assert [sum(r) for r in reach] == [0, 1, 2, 3, 4]


def test_the_default_is_sensitive_without_budgets() -> None:
    assert Policy.parse({}) == Policy(level=Level.SENSITIVE)


@pytest.mark.parametrize(
    "raw",
    [
        {"level": "everything"},
        {"levle": "off"},
        {"words": "diabetes"},
        {"words": [""]},
        {"tenant_budget": 0},
        {"tenant_budget": float("nan")},
        {"conversation_budget": True},
        {"public": "maybe"},
        {"row_noise": 60.0},
    ],
)
def test_bad_keys_and_values_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Policy.parse(raw)
