"""Attacks on embedding rows themselves: nearest-neighbour inversion, and recovery of secretly rotated rows.

The attacker knows the model's public embedding table. Refutes two claims that are made of "prompt
embeddings": that sending rows instead of text hides the text, and that rows multiplied by a secret orthogonal
matrix cannot be turned back.
"""

from __future__ import annotations

import numpy as np

from cmif.bf16 import to_bf16, to_float


def nearest(rows: np.ndarray, table: np.ndarray, block: int = 1024) -> np.ndarray:
    """int64 [n]: the table row nearest (Euclidean) to each of ``rows`` (float32 [n, hidden])."""
    squares = (table**2).sum(1)
    out = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        out[start : start + block] = (squares - 2 * part @ table.T).argmin(1)
    return out


def bf16(rows: np.ndarray) -> np.ndarray:
    """float32 rows rounded to the nearest bfloat16 value (ties to even), still float32."""
    return to_float(to_bf16(rows))


def int8(rows: np.ndarray) -> np.ndarray:
    """float32 rows after one scale a row and rounding to 8 bits."""
    scale = np.abs(rows).max(1, keepdims=True) / 127
    return np.asarray(np.round(rows / scale) * scale, np.float32)


def rotation(hidden: int, rng: np.random.Generator) -> np.ndarray:
    """A uniformly random orthogonal matrix, float32 [hidden, hidden]."""
    q, r = np.linalg.qr(rng.standard_normal((hidden, hidden)))
    return np.asarray(q * np.sign(np.diag(r)), np.float32)


def _candidates(rows: np.ndarray, table: np.ndarray, noise: float) -> list[np.ndarray]:
    """Per row the table rows whose norm fits: noise of relative length s moves a norm by s/sqrt(d) and
    lengthens it by s^2/2.
    """
    size = rows.shape[1]
    norms = np.linalg.norm(table, axis=1)
    order = np.argsort(norms)
    seen = np.linalg.norm(rows, axis=1) / np.sqrt(1 + noise**2)
    slack = seen * (4 * noise / np.sqrt(size) + 2e-6)
    low = np.searchsorted(norms[order], seen - slack)
    high = np.searchsorted(norms[order], seen + slack, side="right")
    return [order[a:b] if b > a else order[max(a - 1, 0) : a + 1] for a, b in zip(low, high, strict=True)]


def recover_rotated(
    rows: np.ndarray, table: np.ndarray, noise: float = 0.0, *, beam: int = 2000, anchors: int = 24
) -> np.ndarray:
    """int64 [n]: the table row behind each of ``rows`` = float [n, hidden] rows times one unknown orthogonal
    matrix, plus noise.

    A rotation keeps norms and inner products. So: candidates by norm; then, over the ``anchors`` rows with
    the fewest candidates, a beam search for the assignment whose Gram matrix fits the observed one best;
    every other row by its inner products with those anchors; last, the rotation itself by orthogonal
    Procrustes over everything assigned, and nearest neighbours. ``noise``: the relative length of what was
    added (0 for float32, about 0.002 for bfloat16).
    """
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    found = _distinct(distinct.astype(np.float64), table.astype(np.float64), noise, beam, anchors)
    return np.asarray(found[inverse.ravel()])


def _distinct(rows: np.ndarray, table: np.ndarray, noise: float, beam: int, anchors: int) -> np.ndarray:
    candidates = _candidates(rows, table, noise)
    order = np.argsort([len(c) for c in candidates], kind="stable")[:anchors]
    gram = rows @ rows.T
    chosen = _beam(gram, candidates, order, table, beam)
    # every row by its inner products with the anchors
    profile = table @ table[chosen].T
    seen = gram[:, order]
    out = np.empty(len(rows), np.int64)
    for i, options in enumerate(candidates):
        out[i] = options[((profile[options] - seen[i]) ** 2).sum(1).argmin()]
    out[order] = chosen
    for _ in range(3):  # Procrustes: min |rows - table[out] M| over orthogonal M, on the span that is known
        u, _, v = np.linalg.svd(table[out].T @ rows, full_matrices=False)
        rank = min(len(rows), rows.shape[1])
        back = rows @ v[:rank].T @ u[:, :rank].T
        basis = u[:, :rank]
        again = _restricted(back, table, basis, candidates)
        if (again == out).all():
            break
        out = again
    return out


def _restricted(
    rows: np.ndarray, table: np.ndarray, basis: np.ndarray, candidates: list[np.ndarray]
) -> np.ndarray:
    """The candidate nearest to each row inside the subspace that ``basis`` spans."""
    short, seen = table @ basis, rows @ basis
    return np.array(
        [c[((short[c] - seen[i]) ** 2).sum(1).argmin()] for i, c in enumerate(candidates)], np.int64
    )


def _beam(
    gram: np.ndarray, candidates: list[np.ndarray], order: np.ndarray, table: np.ndarray, beam: int
) -> np.ndarray:
    """The assignment of the rows in ``order`` to candidates whose Gram matrix is closest to the observed
    one.
    """
    states = candidates[order[0]][:, None][:beam]
    costs = np.zeros(len(states))
    for step in range(1, len(order)):
        options = candidates[order[step]]
        seen = gram[order[step], order[:step]]
        used, index = np.unique(states, return_inverse=True)
        products = table[used] @ table[options].T
        index = index.reshape(states.shape)
        cost = np.repeat(costs[:, None], len(options), 1)
        for column in range(step):
            cost += (products[index[:, column]] - seen[column]) ** 2
        flat = cost.ravel()
        best = np.argpartition(flat, min(beam, len(flat)) - 1)[:beam]
        states = np.concatenate([states[best // len(options)], options[best % len(options)][:, None]], 1)
        costs = flat[best]
    return np.asarray(states[costs.argmin()])
