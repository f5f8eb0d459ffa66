from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cmif.types import Sampling
from cmif_server.engine.sampling import Sampler

LOGITS = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))


def draws(n: int, **sampling: object) -> Counter[int]:
    sampler = Sampler(Sampling(**sampling))  # type: ignore[arg-type]
    return Counter(sampler.pick(LOGITS)[0] for _ in range(n))


def test_temperature_zero_takes_the_likeliest() -> None:
    assert draws(5) == {0: 5}
    assert draws(5, temperature=1e-9, seed=1) == {0: 5}


def test_temperature_one_draws_from_the_models_own_distribution() -> None:
    counts = draws(4000, temperature=1.0, seed=0)
    for token, p in enumerate(LOGITS.exp().tolist()):
        assert abs(counts[token] / 4000 - p) < 5 * (p * (1 - p) / 4000) ** 0.5  # five standard deviations


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.01, {0}), (0.5, {0}), (0.51, {0, 1}), (0.9, {0, 1, 2}), (1.0, {0, 1, 2, 3})]
)
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p: float, kept: set[int]) -> None:
    assert set(draws(600, temperature=1.0, top_p=top_p, seed=3)) == kept


def test_a_seed_reproduces_and_no_seed_does_not() -> None:
    def run(seed: int | None) -> list[int]:
        sampler = Sampler(Sampling(temperature=1.0, seed=seed))
        return [sampler.pick(LOGITS)[0] for _ in range(64)]

    assert run(5) == run(5) != run(6)
    assert run(None) != run(None)


def test_penalties_count_what_was_produced() -> None:
    presence = Sampler(Sampling(presence_penalty=0.6))  # once, however often
    assert [presence.pick(LOGITS)[0] for _ in range(5)] == [0, 1, 0, 0, 0]
    frequency = Sampler(Sampling(frequency_penalty=0.6))  # each time
    assert [frequency.pick(LOGITS)[0] for _ in range(5)] == [0, 1, 0, 1, 0]


def test_penalties_leave_the_logits_they_were_given_alone() -> None:
    before = LOGITS.clone()
    sampler = Sampler(Sampling(presence_penalty=2.0))
    sampler.pick(LOGITS)
    sampler.pick(LOGITS)
    assert torch.equal(LOGITS, before)


def test_logprobs_are_of_the_distribution_before_temperature() -> None:
    _, found = Sampler(Sampling(temperature=2.0, seed=0, logprobs=2)).pick(LOGITS)
    assert found is not None
    assert [i for i, _ in found.top] == [0, 1]
    assert [p for _, p in found.top] == pytest.approx(LOGITS[:2].tolist())


def test_an_impossible_token_has_a_finite_logprob() -> None:
    _, found = Sampler(Sampling(logprobs=4)).pick(torch.tensor([0.0, -torch.inf]))
    assert found is not None
    assert found.top == ((0, 0.0), (1, -9999.0))


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_every_seed_of_the_wire_is_a_seed(seed: int) -> None:
    Sampler(Sampling(temperature=1.0, seed=seed)).pick(LOGITS)
