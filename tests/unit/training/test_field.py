"""The grammar: held-out originals stay out of training, answers are what the documents state."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

import pytest

faker = pytest.importorskip("faker")

from training.evaluate import masked, prompts, restored  # noqa: E402
from training.field.conversations import REFUSAL, Conversation, conversation  # noqa: E402
from training.field.pools import POOLS  # noqa: E402
from training.field.trades import TRADES  # noqa: E402
from training.field.values import Values, reserved  # noqa: E402

from cmif.enclave.surrogates import lists  # noqa: E402
from cmif.types import Kind  # noqa: E402

LISTED = {
    word for name, group in lists().items() for entry in group for word in entry.split() if name != "site"
}
SUFFIXES = {
    "Clinic",
    "Hospital",
    "Medical",
    "Centre",
    "Health",
    "Surgery",
    "Practice",
    "Bank",
    "Savings",
    "Trust",
    "Credit",
    "Union",
    "Finance",
    "Group",
    "Partners",
    "Systems",
    "Services",
    "Holdings",
    "Foods",
    "Motors",
    "Stores",
    "Logistics",
    "Ltd",
    "Road",
    "Street",
    "Lane",
    "Avenue",
    "Close",
    "Drive",
}


def talks(n: int, seed: int = 0, held: bool = False) -> Iterator[Conversation]:
    rng = random.Random(seed)
    values = Values(rng, held=held)
    while n:
        n -= 1
        yield conversation(rng, values)


def name_words(talk: Conversation) -> set[str]:
    slots = next(trade.slots for trade in TRADES if trade.name == talk.trade)
    words: set[str] = set()
    for name, value in talk.facts.items():
        if slots[name].kind in (Kind.PERSON, Kind.PLACE, Kind.ORGANISATION):
            words |= set(value.split())
    return words - SUFFIXES


def test_held_out_name_words_never_occur_in_training() -> None:
    train = set().union(*(name_words(t) for t in talks(2000))) - LISTED
    held = set().union(*(name_words(t) for t in talks(500, seed=1, held=True)))
    assert len(train) > 500
    assert len(held) > 300
    assert not train & held
    assert all(reserved(word) for word in held)


def test_held_out_values_of_other_kinds_are_reserved_and_training_has_none() -> None:
    for held in (False, True):
        for talk in talks(300, held=held):
            slots = next(trade.slots for trade in TRADES if trade.name == talk.trade)
            for name, value in talk.facts.items():
                if slots[name].kind in (Kind.DATE, Kind.ID, Kind.PHONE, Kind.CARD, Kind.IBAN, "amount"):
                    assert reserved(value) == held, (name, value)


def test_every_extraction_states_a_fact_of_its_document() -> None:
    for talk in talks(500):
        for turn in talk.turns:
            if turn.kind == "extract":
                assert turn.value in talk.document
                assert turn.value in turn.answer
                assert talk.facts[turn.slot] == turn.value
            if turn.kind == "refuse":
                assert turn.slot not in talk.facts
                assert turn.answer == REFUSAL


def test_values_of_one_document_are_distinct() -> None:
    for talk in talks(500):
        made = [v for v in talk.facts.values() if not any(v in pool for pool in POOLS.values())]
        assert len(made) == len(set(made))


def test_same_seed_same_conversations() -> None:
    assert list(talks(50, seed=3)) == list(talks(50, seed=3))
    assert list(talks(50, seed=3)) != list(talks(50, seed=4))


def test_masking_hides_every_entity_and_restoring_brings_it_back() -> None:
    rng = random.Random(0)
    for prompt in islice(prompts(200), 120):
        messages, back = masked(prompt, rng)
        text = messages[0]["content"]
        assert all(original not in text for original, kind in prompt.values if kind is Kind.PERSON)
        assert restored(text, back) == prompt.messages[0]["content"]


def test_evaluation_asks_every_kind_of_task() -> None:
    cases = list(prompts(500))
    assert len(cases) == 500
    assert {c.kind for c in cases} >= {
        "extract",
        "refuse",
        "summary",
        "todo",
        "urgency",
        "sentiment",
        "polite",
    }
    assert len({c.messages[0]["content"] for c in cases if c.kind == "extract"}) == sum(
        c.kind == "extract" for c in cases
    )
