"""The laws, against formulas, brute force and each other."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad

from cmif.errors import MechanismError
from cmif.privacy.integers import TOTAL, compile_rows
from cmif_lab.laws import LAWS
from cmif_lab.laws.calibrate import calibrate, sensitivity
from cmif_lab.laws.noisy_max import exponential_matrix, gumbel_matrix, laplace_matrix
from cmif_lab.laws.optimal import repair
from cmif_server.tables.laws import LAWS as SHIPPED
from cmif_server.tables.laws import exact_epsilon
from tests.server.tables.test_laws import distances, distortion

CALIBRATED = ["rnm-laplace", "rnm-gumbel", "rnm-exponential"]
CHEAP = [name for name in LAWS if name not in ("rnm-laplace", "optimal")]


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("epsilon", [0.3, 1.0, 4.0])
def test_every_law_keeps_its_epsilon_and_is_stochastic(name: str, epsilon: float) -> None:
    p = LAWS[name](distances(10), epsilon)
    assert p.shape == (10, 10)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    assert exact_epsilon(p) <= epsilon * (1 + 1e-12)


@given(
    points=arrays(np.float64, (7, 3), elements=st.floats(-1, 1, width=32)),
    epsilon=st.floats(0.05, 12),
    weights=arrays(np.float64, 7, elements=st.floats(0, 1e6)),
    name=st.sampled_from(CHEAP),
)
@settings(max_examples=150, deadline=None)
def test_epsilon_holds_for_any_bucket(
    points: np.ndarray, epsilon: float, weights: np.ndarray, name: str
) -> None:
    d = np.linalg.norm(points[:, None] - points[None], axis=2)  # with ties and equal words among them
    p = LAWS[name](d, epsilon, weights)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-9)
    assert exact_epsilon(p) <= epsilon * (1 + 1e-9)


@pytest.mark.parametrize("name", CALIBRATED)
@pytest.mark.parametrize("epsilon", [0.5, 1.0, 4.0])
def test_calibration_spends_all_of_epsilon_and_the_textbook_scale_does_not(name: str, epsilon: float) -> None:
    d = distances(16)
    assert exact_epsilon(LAWS[name](d, epsilon)) == pytest.approx(epsilon, rel=1e-6)
    assert exact_epsilon(LAWS[name + "-textbook"](d, epsilon)) < 0.75 * epsilon
    assert distortion(LAWS[name](d, epsilon), d) < distortion(LAWS[name + "-textbook"](d, epsilon), d)


def test_calibration_never_returns_a_scale_over_epsilon_even_where_the_loss_is_not_monotone() -> None:
    def jagged(scores: np.ndarray, scale: float) -> np.ndarray:
        loss = 0.8 + 0.4 * math.sin(20 / scale)  # crosses 1 again and again
        return np.array([[1.0, math.exp(-loss)], [math.exp(-loss), 1.0]]) / (1 + math.exp(-loss))

    assert exact_epsilon(calibrate(jagged, -distances(2), 1.0)) <= 1.0


def test_gumbel_noise_is_the_exponential_mechanism() -> None:
    d = distances(9)
    p = LAWS["rnm-gumbel-textbook"](d, 2.0)
    scale = 2 * sensitivity(-d) / 2.0
    expected = np.exp(-d / scale)
    np.testing.assert_allclose(p, expected / expected.sum(axis=1, keepdims=True), rtol=1e-12)


@pytest.mark.parametrize("scale", [0.02, 0.3, 5.0])
def test_exponential_noise_is_permute_and_flip_exactly(scale: float) -> None:
    scores = -distances(6)
    p = exponential_matrix(scores, scale)
    for x in range(6):
        q = np.exp((scores[x] - scores[x].max()) / scale)
        for y in range(6):
            others = [q[j] for j in range(6) if j != y]
            # the integral of prod(1 - z q_j), expanded term by term
            exact = q[y] * sum(
                (-1) ** r * math.prod(chosen) / (r + 1)
                for r in range(6)
                for chosen in itertools.combinations(others, r)
            )
            assert p[x, y] == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("scale", [0.02, 0.3, 5.0])
def test_laplace_noise_matches_numerical_integration(scale: float) -> None:
    scores = -distances(7)
    p = laplace_matrix(scores, scale)
    u = scores[2] / scale

    def cdf(z: float) -> float:
        return 0.5 * math.exp(z) if z < 0 else 1 - 0.5 * math.exp(-z)

    for y in range(7):

        def density(t: float, y: int = y) -> float:
            return 0.5 * math.exp(-abs(t - u[y])) * math.prod(cdf(t - u[j]) for j in range(7) if j != y)

        exact = quad(density, u.min() - 40, u.max() + 40, points=sorted(set(u)), limit=400)[0]
        assert p[2, y] == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize(
    ("matrix", "noise"),
    [
        (laplace_matrix, np.random.Generator.laplace),
        (gumbel_matrix, np.random.Generator.gumbel),
        (lambda s, b: exponential_matrix(s, b), lambda rng, loc, scale, size: rng.exponential(scale, size)),
    ],
)
def test_a_law_is_the_argmax_of_noisy_scores(matrix, noise) -> None:  # type: ignore[no-untyped-def]
    scores = -distances(5)
    p = matrix(scores, 0.4)
    rng = np.random.default_rng(1)  # a test of the formula, not of the sampler
    for x in range(5):
        won = (scores[x] + noise(rng, 0, 0.4, (200_000, 5))).argmax(axis=1)
        seen = np.bincount(won, minlength=5) / 200_000
        np.testing.assert_allclose(seen, p[x], atol=5 * 0.5 / math.sqrt(200_000))


def test_randomised_response_by_its_formula() -> None:
    p = LAWS["rr"](distances(8), 2.0)
    assert p[3, 3] == pytest.approx(math.exp(2) / (math.exp(2) + 7))
    assert exact_epsilon(p) == pytest.approx(2.0)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0])
def test_order_of_distortion(epsilon: float) -> None:
    d = distances(14, seed=3)
    got = {name: distortion(LAWS[name](d, epsilon), d) for name in LAWS}
    assert all(got["optimal"] <= value * (1 + 1e-6) for value in got.values())
    assert got["medoid-rr"] <= got["rr"]
    assert got["medoid-rr"] <= 1.005 * got["optimal"]


def test_the_optimum_uses_the_weights() -> None:
    d = distances(8)
    w = np.array([50.0, 1, 1, 1, 1, 1, 1, 1])
    weighted, plain = LAWS["optimal"](d, 1.0, w), LAWS["optimal"](d, 1.0)
    assert distortion(weighted, d, w) < distortion(plain, d, w)


def test_repair_removes_dust_and_restores_epsilon() -> None:
    p = LAWS["rr"](distances(4), 1.0)
    dusty = np.column_stack([p, [1e-9, 0, 1e-9, 0]])
    dusty /= dusty.sum(axis=1, keepdims=True)
    assert exact_epsilon(dusty) == math.inf
    fixed = repair(dusty, 1.0)
    assert exact_epsilon(fixed) <= 1.0
    np.testing.assert_allclose(fixed[:, :4], p, atol=1e-6)


def test_repair_refuses_what_is_far_over_epsilon() -> None:
    with pytest.raises(MechanismError):
        repair(LAWS["rr"](distances(4), 2.0), 1.0)


@pytest.mark.parametrize("name", LAWS)
def test_equal_words_and_single_words(name: str) -> None:
    np.testing.assert_allclose(LAWS[name](np.zeros((1, 1)), 1.0), [[1.0]])
    p = LAWS[name](np.zeros((5, 5)), 1.0)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert exact_epsilon(p) <= 1 + 1e-9


@pytest.mark.parametrize("name", [law for law in LAWS if law not in SHIPPED])
@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf, 31.0])
def test_bad_epsilon_is_refused(name: str, epsilon: float) -> None:
    with pytest.raises(MechanismError, match="epsilon"):
        LAWS[name](distances(4), epsilon)


@pytest.mark.parametrize(("measure", "matrix"), [("max", exponential_matrix), ("zcdp", gumbel_matrix)])
def test_opendp_reports_the_same_law(measure: str, matrix) -> None:  # type: ignore[no-untyped-def]
    """OpenDP's noisy max (exponential noise for pure DP, Gumbel for zCDP) as an oracle, where it is installed."""
    pytest.importorskip("opendp")
    import opendp.prelude as dp

    dp.enable_features("contrib")
    scores, draws = [0.0, -0.2, -0.5, -0.3], 5000
    domain = dp.vector_domain(dp.atom_domain(T=float, nan=False)), dp.linf_distance(T=float)
    kind = dp.max_divergence() if measure == "max" else dp.zero_concentrated_divergence()
    noisy_max = dp.m.make_noisy_max(*domain, kind, scale=0.4)
    seen = np.bincount([noisy_max(scores) for _ in range(draws)], minlength=4)
    expected = draws * matrix(np.array([scores]), 0.4)[0]
    assert ((seen - expected) ** 2 / expected).sum() < 35  # chi-square, 3 degrees of freedom: 1e-7


def test_the_optimum_compiles() -> None:
    columns, weights = compile_rows(LAWS["optimal"](distances(9), 1.0), 1.0)
    assert len(columns) < 9  # it drops outputs
    assert all(sum(row) == TOTAL for row in weights.tolist())
