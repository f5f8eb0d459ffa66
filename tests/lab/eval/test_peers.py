"""The peers' laws against matrices computed by hand from the papers' formulas."""

from __future__ import annotations

import numpy as np
import pytest

from cmif.errors import MechanismError
from cmif_lab.eval.mechanism import Mechanism
from cmif_lab.eval.peers import WORD_PEERS, RowNoise
from cmif_lab.eval.peers.custext import CusText, CusTextPlus, Literal, mapping, noisy_max
from cmif_lab.eval.peers.santext import Metric, Rantext, SanText, SanTextPlus
from tests.lab.eval import tiny

FLAT = np.full(27, 1 / 27)


def _matrix(mechanism: Mechanism, size: int) -> np.ndarray:
    """P[x, y] as the mechanism tells the attackers."""
    p = np.zeros((size, size))
    for y, (candidates, q) in enumerate(mechanism.likelihood(np.arange(size), FLAT)):
        p[candidates, y] = q
    return p


def _sampled(mechanism: Mechanism, word: int, draws: int = 20_000) -> np.ndarray:
    out = mechanism.sample(np.full(draws, word), np.random.default_rng(1))
    return np.bincount(out, minlength=27) / draws


def test_santext_is_a_softmax_over_euclidean_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmif_lab.eval.peers.santext.CANDIDATES", 26)
    space = tiny.space()
    d = np.linalg.norm(space.rows[:, None].astype(float) - space.rows[None], axis=2)
    law = np.exp(-1.5 / 2 * d)
    law /= law.sum(1, keepdims=True)
    mechanism = SanText(space, 1.5)
    found = _matrix(mechanism, 27)
    np.testing.assert_allclose(found[found > 0], law[found > 0], rtol=5e-3)
    np.testing.assert_allclose(_sampled(mechanism, 3), law[3], atol=0.012)
    np.testing.assert_array_less(np.log(law[3] / law[4]), 1.5 * d[3, 4] + 1e-9)


def test_santext_plus_keeps_frequent_words_with_probability_four_fifths() -> None:
    space = tiny.space()
    mechanism = SanTextPlus(space, 2.0)
    frequent = int(np.argmax(space.lexicon.counts))
    rare = int(np.argmin(space.lexicon.counts))
    assert not mechanism.rare[frequent]
    assert _sampled(mechanism, frequent)[frequent] == pytest.approx(0.8, abs=0.01)
    assert not _sampled(mechanism, rare)[~mechanism.rare].any()
    [(candidates, p)] = mechanism.likelihood(np.array([frequent]), FLAT)
    assert candidates.tolist() == [frequent]
    assert p.tolist() == [0.8]


def test_custext_is_the_exponential_mechanism_over_scaled_cosines_of_its_set() -> None:
    space = tiny.space()
    mechanism = CusText(space, 3.0, mapping(space, 6))
    chosen = mechanism.sets[mechanism.home[0]]
    cosine = space.unit[0] @ space.unit[chosen].T
    u = (cosine - cosine.min()) / (cosine.max() - cosine.min())
    law = np.exp(3.0 * u / 2) / np.exp(3.0 * u / 2).sum()
    found = _matrix(mechanism, 27)
    np.testing.assert_allclose(found[0, chosen], law, rtol=1e-5)
    np.testing.assert_allclose(_sampled(mechanism, 0)[chosen], law, atol=0.012)
    np.testing.assert_allclose(found.sum(1), 1)


def test_custext_sets_are_greedy_from_the_most_frequent_word() -> None:
    space = tiny.space()
    home, sets, _ = mapping(space, 6)
    first = int(np.argmax(space.lexicon.counts))
    nearest = np.argsort(-(space.unit @ space.unit[first]))[:6]
    assert set(sets[0].tolist()) == set(nearest.tolist())
    assert sorted(np.concatenate(sets).tolist()) == list(range(27))
    assert (home >= 0).all()


def test_custext_lets_unknown_words_through_and_plus_keeps_stop_words() -> None:
    space = tiny.space()
    rng = np.random.default_rng(0)
    assert CusTextPlus(space, 1.0).unknown(np.zeros(2, np.uint8), rng).tolist() == [-1, -1]
    assert CusText.everything
    assert not CusTextPlus.everything


def test_noisy_max_of_two_scores_has_the_closed_form_of_laplace_differences() -> None:
    gap, scale = 0.7, 0.5
    z = gap / scale
    closed = 1 - 0.5 * np.exp(-z) * (1 + z / 2)
    assert noisy_max(np.array([[gap, 0.0]]), scale, nodes=4000)[0, 0] == pytest.approx(closed, abs=1e-4)


def test_the_literal_mechanism_draws_from_the_inputs_own_nearest_words() -> None:
    space = tiny.space()
    close = space.unit[:24] @ space.unit[:24].T
    near = np.argsort(-close, axis=1)[:, :20]
    mechanism = Literal(space, 4.0, (near, np.take_along_axis(close, near, 1)))
    p = noisy_max(np.take_along_axis(close, near, 1), 0.25, nodes=2000)
    found = _sampled(mechanism, 5)
    np.testing.assert_allclose(found[near[5]], p[5], atol=0.012)
    y = int(near[5][0])
    candidates, q = mechanism.likelihood(np.array([y]), FLAT)[0]
    assert q[candidates.tolist().index(5)] == pytest.approx(p[5][0], abs=5e-3)


def test_metric_noise_has_mean_length_dimension_over_epsilon() -> None:
    mechanism = Metric(tiny.space(), 2.0)
    lengths = np.linalg.norm(mechanism.noise(20_000, np.random.default_rng(0)), axis=1)
    assert lengths.mean() == pytest.approx(8 / 2.0, rel=0.02)
    assert lengths.var() == pytest.approx(8 / 2.0**2, rel=0.05)


def test_metric_without_much_noise_is_the_identity() -> None:
    out = Metric(tiny.space(), 1e6).sample(np.arange(24), np.random.default_rng(0))
    assert out.tolist() == list(range(24))


def test_rantext_draws_within_its_radius_and_jumps_where_the_constant_sets_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = tiny.space()
    mechanism = Rantext(space, 1.0)
    rows = space.rows[:24]
    np.testing.assert_allclose(mechanism.scale, rows.max(0) - rows.min(0), rtol=1e-6)
    assert (Rantext(space, 2.01).scale < mechanism.scale / 4).all()
    monkeypatch.setattr(Rantext, "radii", lambda self, count, rng: np.full(count, 3.0))
    out = mechanism.sample(np.full(500, 2), np.random.default_rng(0))
    assert (np.linalg.norm(space.rows[out] - space.rows[2], axis=1) < 3.0).all()


def test_row_noise_is_metric_noise_on_rows_and_refuses_epsilon_zero() -> None:
    noisy = RowNoise(10.0).perturb(np.zeros((4000, 8), np.float32))
    assert np.linalg.norm(noisy, axis=1).mean() == pytest.approx(0.8, rel=0.05)
    with pytest.raises(MechanismError):
        RowNoise(0.0).perturb(np.zeros((1, 8), np.float32))


@pytest.mark.parametrize("name", sorted(WORD_PEERS))
def test_every_peer_says_what_it_really_gives(name: str) -> None:
    peer = WORD_PEERS[name]
    assert peer.name == name  # type: ignore[attr-defined]
    assert peer.guarantee  # type: ignore[attr-defined]
    assert len(str(peer.__doc__)) > 20
