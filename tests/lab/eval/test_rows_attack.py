from __future__ import annotations

import numpy as np
import pytest

from cmif_lab.eval import rows_attack as rows


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.asarray(rng.normal(size=(3000, 48)) * rng.uniform(0.8, 1.2, (3000, 1)), np.float32)


def test_exact_and_rounded_rows_are_looked_up(table: np.ndarray) -> None:
    ids = np.arange(0, 3000, 37)
    for seen in (table[ids], rows.bf16(table[ids]), rows.int8(table[ids])):
        assert (rows.nearest(seen, table) == ids).all()


def test_bf16_rounds_to_eight_bits_of_mantissa_ties_to_even() -> None:
    seen = rows.bf16(np.array([[1.0, 1.0 + 2**-8, 1.0 + 3 * 2**-8, -2.0]], np.float32))
    assert seen.tolist() == [[1.0, 1.0, 1.0 + 2**-6, -2.0]]


@pytest.mark.parametrize(("noise", "told"), [(0.0, 0.0), (0.02, 0.02)])
def test_a_secret_rotation_is_undone_from_one_prompt(table: np.ndarray, noise: float, told: float) -> None:
    rng = np.random.default_rng(1)
    ids = rng.integers(0, len(table), 40)
    ids[10] = ids[3]  # a repeated token
    rotated = table[ids] @ rows.rotation(table.shape[1], rng)
    assert (rows.nearest(rotated, table) == ids).mean() < 0.1
    z = rng.normal(size=rotated.shape)
    z *= noise * np.linalg.norm(rotated, axis=1, keepdims=True) / np.linalg.norm(z, axis=1, keepdims=True)
    found = rows.recover_rotated((rotated + z).astype(np.float32), table, told, beam=500)
    assert (found == ids).mean() > 0.97


def test_a_rotation_is_orthogonal() -> None:
    m = rows.rotation(16, np.random.default_rng(0)).astype(float)
    np.testing.assert_allclose(m @ m.T, np.eye(16), atol=1e-5)
