"""What the partition and the laws measure similarity with, and what they weigh words by. All of it public.

- the model's own rows, centred (`centred_rows`), less their first principal component (`without_first`);
- counter-fitted rows (`counter_fit`): synonyms pulled together, antonyms pushed apart, from constraint files;
- a task axis as a plug-in (`task_axis`): one more coordinate, a public lexicon's polarity regressed from the
  rows;
- frequencies of a public text as weights (`frequency_weights`).

`features` puts the first three side by side. Knows nothing about models or files: callers pass arrays and
lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from cmif.errors import InputError

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

NEIGHBOURS_KEPT = 8  # per moved word, whose distance counter-fitting must not grow
_EDGES_AT_ONCE = 1 << 15


def unit_rows(vectors: npt.NDArray[np.floating]) -> F32:
    """float32 [n, d], every row of length 1; a zero row stays zero. InputError for a NaN or an infinity."""
    rows = np.array(vectors, dtype=np.float32)
    if rows.ndim != 2 or not rows.size:
        raise InputError(f"vectors must be a matrix [n, d], not of shape {rows.shape}.")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(norms).all():
        raise InputError("vectors hold a NaN or an infinity.")
    rows /= np.maximum(norms, np.float32(1e-12))
    return rows


def centred_rows(vectors: npt.NDArray[np.floating]) -> F32:
    """Unit rows minus their mean, to length 1 again: float32 [n, d].

    A model's rows share a large common component that says nothing about a word ("all-but-the-top", Mu &
    Viswanath 2018, with the mean only); without it cosines spread. Call it on the words' rows, not on the
    whole vocabulary.
    """
    rows = unit_rows(vectors)
    rows -= rows.mean(axis=0)
    return unit_rows(rows)


def without_first(rows: F32, *, rounds: int = 24) -> F32:
    """Unit ``rows`` less their first principal component, to length 1 again: float32 [n, d].

    In a language model's word rows that component is how frequent a word is, not what it means (Mu & Viswanath 2018;
    `lab/benchmarks/components.py` measures it), so with it frequent words share buckets whatever they mean. Found by
    power iteration from a fixed start; with fewer than three dimensions the rows stay as they are.
    """
    if rows.shape[1] < 3:
        return rows
    block = np.eye(rows.shape[1], min(8, rows.shape[1]), dtype=np.float32)
    for _ in range(rounds):
        block = np.linalg.qr(rows.T @ (rows @ block))[0]
    values, within = np.linalg.eigh((rows @ block).T @ (rows @ block))
    first = block @ within[:, np.argmax(values)]
    return unit_rows(rows - (rows @ first)[:, None] * first)


def features(
    centred: F32, counter_fitted: F32 | None = None, axis: F32 | None = None, scale: float = 1.0
) -> F32:
    """[1/2 centred; 1/2 counter-fitted; scale x axis], float32 [n, d'], for `partition` and `build_table`.

    ``axis``: float [n], about -1 to 1, see `task_axis`. Without the optional parts this is ``centred``
    itself.
    """
    parts: list[F32] = (
        [centred] if counter_fitted is None else [centred * np.float32(0.5), counter_fitted * np.float32(0.5)]
    )
    if axis is not None:
        parts.append(np.float32(scale) * np.asarray(axis, dtype=np.float32)[:, None])
    return np.concatenate(parts, axis=1)


def frequency_weights(counts: npt.NDArray[np.number], power: float = 0.5) -> npt.NDArray[np.float64]:
    """float64 [n], mean 1: (count + 1/2) ** power, counts from a PUBLIC text (a private corpus would leak
    through the table). Power 1/2 balances frequent words against the rest; measured best in notes on the
    partition.
    """
    c = np.asarray(counts, dtype=np.float64)
    if c.ndim != 1 or not c.size or not np.isfinite(c).all() or (c < 0).any():
        raise InputError("counts must be one dimension of finite numbers >= 0.")
    w: npt.NDArray[np.float64] = (c + 0.5) ** power
    w /= w.mean()
    return w


def read_pairs(lines: Iterable[str], words: Sequence[str]) -> I64:
    """Word pairs from a constraint file: int64 [m, 2] of indices into ``words``, low first, unique, sorted.

    A line is two words apart by white space; lines of another form, unknown words and a word with itself are
    skipped.
    """
    index = {word: i for i, word in enumerate(words)}
    found = set()
    for line in lines:
        parts = line.split()
        if len(parts) == 2 and parts[0] in index and parts[1] in index and parts[0] != parts[1]:
            a, b = index[parts[0]], index[parts[1]]
            found.add((min(a, b), max(a, b)))
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 2)


def counter_fit(
    vectors: F32,
    synonyms: I64,
    antonyms: I64,
    *,
    rounds: int = 20,
    rate: float = 0.1,
    keep: float = 0.1,
    progress: Callable[[float], None] = lambda done: None,
) -> F32:
    """Counter-fitted unit rows, float32 [n, d]: `Mrksic et al. 2016`, by projected gradient steps on the
    sphere.

    With d = 1 - cosine the objective sums max(0, 1 - d) over antonyms, d over synonyms, and ``keep`` times
    the growth of d over each moved word and its 8 nearest neighbours. ``synonyms``, ``antonyms``: int64 [m,
    2], see `read_pairs`; a pair in both counts as antonyms. Words in no pair and near none stay as they are.
    ``progress`` is told the share of the rounds that is done.
    """
    x = unit_rows(vectors)
    both = {(int(a), int(b)) for a, b in antonyms}
    kept = [p for p in synonyms.tolist() if tuple(p) not in both]
    synonyms = np.array(kept, dtype=np.int64).reshape(-1, 2)
    moved = np.unique(np.concatenate([synonyms.ravel(), antonyms.ravel()]))
    if not moved.size:
        return x
    near = _neighbours(x, moved)
    pairs = np.concatenate([antonyms, synonyms, near])
    # a pair pulls with this strength while its condition holds: distance beyond what it is allowed to be
    pull = np.repeat(np.array([-1.0, 1.0, keep], dtype=np.float32), [len(antonyms), len(synonyms), len(near)])
    allowed = np.concatenate([np.ones(len(antonyms)), np.zeros(len(synonyms)), 1 - _cosines(x, near)]).astype(
        np.float32
    )
    one, other = np.concatenate([pairs, pairs[:, ::-1]]).T
    order = np.argsort(one, kind="stable")
    one, other = one[order], other[order]
    edge = np.tile(np.arange(len(pairs)), 2)[order]
    for made in range(rounds):
        progress(made / rounds)
        distance = 1 - _cosines(x, pairs)
        active = np.where(pull < 0, distance < allowed, distance > allowed + 1e-6)
        _step(x, one, other, (rate * pull * active)[edge])
    return x


def _neighbours(x: F32, words: I64) -> I64:
    count = min(NEIGHBOURS_KEPT, len(x) - 1)
    out = []
    for start in range(0, len(words), 2048):
        block = words[start : start + 2048]
        cosines = x[block] @ x.T
        cosines[np.arange(len(block)), block] = -np.inf
        best = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        out.append(np.stack([np.repeat(block, count), best.ravel()], axis=1))
    return np.concatenate(out)


def _cosines(x: F32, pairs: I64) -> F32:
    out = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), _EDGES_AT_ONCE):
        a, b = pairs[start : start + _EDGES_AT_ONCE].T
        out[start : start + _EDGES_AT_ONCE] = np.einsum("ij,ij->i", x[a], x[b])
    return out


def _step(x: F32, one: I64, other: I64, strength: F32) -> None:
    """x[one] += strength * x[other], summed over edges sorted by ``one``, then back to the sphere; in
    place.
    """
    live = np.flatnonzero(strength)
    if not live.size:
        return
    one, other, strength = one[live], other[live], strength[live]
    update = np.zeros_like(x)
    for start in range(0, len(one), _EDGES_AT_ONCE):
        part = slice(start, start + _EDGES_AT_ONCE)
        first = np.flatnonzero(np.r_[True, np.diff(one[part]) > 0])
        update[one[part][first]] += np.add.reduceat(strength[part, None] * x[other[part]], first)
    touched = np.unique(one)
    x[touched] = unit_rows(x[touched] + update[touched])


def task_axis(
    vectors: F32, words: Sequence[str], polarity: Mapping[str, float], *, ridge: float = 3.0
) -> F32:
    """float32 [n]: each word's polarity, from a public lexicon where it has one, else regressed from the
    rows.

    ``polarity``: word -> about -1 to 1 (a sentiment lexicon for a sentiment task). Ridge regression on the
    words of both. It is what helped most in the prototypes (3 to 4.5 points of accuracy at equal attack) and
    it is specific to its task: a plug-in, never part of the default. InputError when fewer than two words of
    the lexicon are known.
    """
    known = [i for i, word in enumerate(words) if word in polarity]
    if len(known) < 2:
        raise InputError("The task's lexicon shares fewer than two words with the table's.")
    y = np.array([polarity[words[i]] for i in known], dtype=np.float64)
    x = np.asarray(vectors[known], dtype=np.float64)
    mean, level = x.mean(axis=0), y.mean()
    x = x - mean
    slope = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ (y - level))
    scored = (np.asarray(vectors, dtype=np.float64) - mean) @ slope + level
    scored[known] = y
    return np.asarray(scored, dtype=np.float32)
