from __future__ import annotations

from typing import Any

import pytest

from cmif.enclave.policy import Cover, Level, PrivacyPolicy
from cmif.errors import InputError


def test_each_level_includes_the_one_before() -> None:
    levels = [PrivacyPolicy.named(level) for level in ("off", "entities", "sensitive", "content", "all")]
    reach = [(p.entities, p.special_words, p.every_word, p.stopwords) for p in levels]
    assert [sum(r) for r in reach] == [0, 1, 2, 3, 4]


def test_the_default_is_sensitive_without_budgets() -> None:
    assert PrivacyPolicy.parse({}) == PrivacyPolicy(level=Level.SENSITIVE)


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
        PrivacyPolicy.parse(raw)


@pytest.mark.parametrize("key", ["words", "private"])
@pytest.mark.parametrize("entry", ["§ !", "— --"])
def test_an_entry_that_no_text_would_be_found_to_hold_is_refused_and_not_repeated(key: str, entry: str) -> None:
    """It would leave as it is typed, with a policy that seems to protect it."""
    with pytest.raises(InputError) as refused:
        PrivacyPolicy.parse({key: ["falcon", "the old mill by the deep blue river", entry]})
    assert f"{key!r}: entry 3" in str(refused.value)
    assert entry not in str(refused.value)


@pytest.mark.parametrize("host", ["https://wiki.local", "wiki.local/x", "wiki.local:443", "a b"])
def test_a_host_is_a_name_and_nothing_around_it(host: str) -> None:
    with pytest.raises(InputError, match="'hosts'"):
        PrivacyPolicy.parse({"hosts": [host]})
    assert PrivacyPolicy.parse({"hosts": ["Wiki.local"]}).hosts == ("Wiki.local",)


def test_cover_is_a_table_of_k_and_words() -> None:
    assert PrivacyPolicy.parse({}).cover is None
    assert PrivacyPolicy.parse({"cover": {}}).cover == Cover(16, 3)
    assert PrivacyPolicy.parse({"cover": {"k": 8, "words": 1}}).cover == Cover(8, 1)


@pytest.mark.parametrize(
    "raw",
    [
        {"cover": True},
        {"cover": {"k": 1}},
        {"cover": {"k": 33}},
        {"cover": {"k": 8.0}},
        {"cover": {"words": 0}},
        {"cover": {"rows": 3}},
        {"level": "content", "cover": {"k": 8}},
        {"level": "entities", "cover": {"k": 8}},
    ],
)
def test_a_cover_that_cannot_be_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="cover"):
        PrivacyPolicy.parse(raw)


def test_a_level_for_attested_engines_changes_nothing_but_the_level() -> None:
    policy = PrivacyPolicy.parse({"level": "sensitive", "attested": "off", "cover": {"k": 8}, "words": ["x"]})
    assert policy.level is Level.SENSITIVE
    relaxed = policy.towards_attested()
    assert (relaxed.level, relaxed.cover, relaxed.words) == (Level.OFF, None, ("x",))
    same = PrivacyPolicy.parse({"level": "sensitive", "attested": "sensitive", "cover": {"k": 8}})
    assert same.towards_attested().cover == Cover(8)
    assert PrivacyPolicy.named("content").towards_attested() == PrivacyPolicy.named("content")


@pytest.mark.parametrize("raw", [{"attested": "most"}, {"level": "entities", "attested": "sensitive"}, {"attested": 1}])
def test_a_level_for_attested_engines_is_a_level_and_not_stricter_than_the_other(raw: dict[str, object]) -> None:
    with pytest.raises(InputError):
        PrivacyPolicy.parse(raw)
