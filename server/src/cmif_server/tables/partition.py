"""The public partition of a lexicon into buckets of similar words: the candidates of Report-Noisy-Max.

A word's candidates are its bucket's members, whatever text is being sanitised: the partition depends on
public vectors, classes and weights only, so it leaks nothing and every member of a bucket has the same
support.

Recursive balanced 2-means gives the sizes; swaps between neighbouring buckets then raise the mean cosine
inside them. Sources: balanced k-means by sorted projection as in Malinen & Franti 2014 (idea), swaps as in
Kernighan & Lin 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from cmif.errors import InputError, MechanismError
from cmif.types import WordClass

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

PRINCIPAL = 512  # wider vectors are cut to their first 512 principal directions
SAMPLED = 16384  # rows that the principal directions are taken from
ROWS_AT_ONCE = 4096  # of the input, so that wide tables are never copied whole
SPLIT_ROUNDS = 8
NEIGHBOURS = 12  # buckets that a bucket swaps with
SWEEPS = 5
SWAPS_A_VISIT = 8


def partition(
    vectors: npt.NDArray[np.floating],
    classes: npt.NDArray[np.uint8],
    k: int,
    seed: int = 0,
    weights: npt.NDArray[np.floating] | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> list[I64]:
    """Buckets of word indices: each word in exactly one, never two classes in one, every size in [k, 2k).

    ``vectors``: float [n, d], compared by cosine (centre them first, `vectors.centred_rows`); over 512
    dimensions they are cut to their 512 principal directions, block by block (60,000 x 2048 then
    needs 0.13 GB beside the input). ``classes``: uint8 [n], `WordClass` values. ``weights``: float [n] >= 0,
    how often each word is expected as input; the swaps then favour frequent words. ``progress`` is told the share
    of the swaps' work that is done at most. The same input and ``seed`` give the same buckets on the same machine.

    Raises InputError for an empty lexicon, wrong shapes or non-finite values, MechanismError for k < 2 and
    where a class has fewer than k words.
    """
    classes = np.asarray(classes)
    n = check_lexicon(vectors, classes, k)
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (n,) or not np.isfinite(w).all() or (w < 0).any() or w.sum() <= 0:
        raise InputError(f"weights must be {n} finite numbers >= 0, not all 0.")
    w32 = (w / w.mean()).astype(np.float32)
    rng = np.random.default_rng(seed)  # public randomness: the partition is no secret
    x = _unit_rows(vectors, rng)
    buckets: list[I64] = []
    before = 0
    for cls in np.unique(classes):
        members = np.flatnonzero(classes == cls)
        of_class = list(_bisect(members, x, k, rng))
        for done in _refine(of_class, x, w32, rng):
            progress((before + done * len(members)) / n)
        before += len(members)
        buckets += [np.sort(b) for b in of_class]
    return buckets


def check_lexicon(vectors: npt.NDArray[np.floating], classes: npt.NDArray[np.uint8], k: int) -> int:
    """The number of words; InputError or MechanismError as `partition` says."""
    if classes.ndim != 1 or classes.size == 0:
        raise InputError("The lexicon is empty.", hint="A table needs at least k words of a class.")
    if vectors.ndim != 2 or vectors.shape[0] != classes.size or vectors.shape[1] == 0:
        raise InputError(f"vectors of shape {vectors.shape} do not go with {classes.size} words.")
    if k < 2:
        raise MechanismError(f"k must be at least 2, not {k}: a bucket of one word hides nothing.")
    known = {int(c) for c in WordClass}
    for cls, size in zip(*np.unique(classes, return_counts=True), strict=True):
        if int(cls) not in known:
            raise InputError(f"{int(cls)} is no word class.")
        if size < k:
            raise MechanismError(
                f"Class {WordClass(int(cls)).name} has {size} words, fewer than k = {k}.",
                hint="Lower k, add words or leave the class out.",
            )
    return int(classes.size)


def _unit_rows(vectors: npt.NDArray[np.floating], rng: np.random.Generator) -> F32:
    """float32 rows of length 1 (a zero row stays zero), cut to 512 principal directions where wider.

    Principal directions, not a random projection: cosines inside buckets are about 0.2, and at 96 of
    MiniLM's 384 dimensions the buckets keep 97 % of their mean cosine with these and 56 % with a random
    matrix.
    """
    n, d = vectors.shape
    project = _principal(vectors, rng) if d > PRINCIPAL else None
    out = np.empty((n, min(d, PRINCIPAL)), dtype=np.float32)
    for start in range(0, n, ROWS_AT_ONCE):
        block = _normalised(vectors[start : start + ROWS_AT_ONCE])
        out[start : start + len(block)] = block if project is None else _normalised(block @ project)
    return out


def _normalised(block: npt.NDArray[np.floating]) -> F32:
    rows = np.asarray(block, dtype=np.float32)
    if not np.isfinite(rows).all():
        raise InputError("vectors hold a NaN or an infinity.")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, np.float32(1e-12)))


def _principal(vectors: npt.NDArray[np.floating], rng: np.random.Generator) -> F32:
    """float32 [d, 512], orthonormal: the leading eigenspace of the second moment of (a sample of) the unit
    rows, by subspace iteration (a full eigendecomposition of 2048 x 2048 takes ten times as long and changes
    nothing).
    """
    n, d = vectors.shape
    chosen = np.sort(rng.choice(n, SAMPLED, replace=False)) if n > SAMPLED else np.arange(n)
    moment = np.zeros((d, d), dtype=np.float32)
    for start in range(0, len(chosen), ROWS_AT_ONCE):
        block = _normalised(vectors[chosen[start : start + ROWS_AT_ONCE]])
        moment += block.T @ block
    basis = rng.standard_normal((d, min(d, PRINCIPAL + 64)), dtype=np.float32)
    for _ in range(4):
        basis = np.linalg.qr(moment @ basis)[0]
    inside = np.linalg.eigh(basis.T @ (moment @ basis))[1]
    return np.ascontiguousarray(basis @ inside[:, : -PRINCIPAL - 1 : -1])


def _bisect(members: I64, x: F32, k: int, rng: np.random.Generator) -> Iterator[I64]:
    """Leaves of recursive balanced 2-means: all of size k but one of k + (n mod k)."""
    stack = [members]
    while stack:
        ix = stack.pop()
        n = len(ix)
        if n < 2 * k:
            yield ix
            continue
        size = n // k // 2 * k
        rows = x[ix]
        total = rows.sum(axis=0)
        axis = rng.standard_normal(x.shape[1], dtype=np.float32)
        for _ in range(6):  # power iteration: the direction of largest variance
            along = rows @ axis
            axis = (along - along.mean()) @ rows
            axis /= max(float(np.linalg.norm(axis)), 1e-12)
        left = _smallest(rows @ axis, size)
        for _ in range(SPLIT_ROUNDS):
            inside = left.astype(np.float32) @ rows
            moved = _smallest(rows @ ((total - inside) / (n - size) - inside / size), size)
            if (moved == left).all():
                break
            left = moved
        stack += [ix[~left], ix[left]]


def _smallest(values: F32, count: int) -> npt.NDArray[np.bool_]:
    mask = np.zeros(len(values), dtype=bool)
    mask[np.argsort(values, kind="stable")[:count]] = True
    return mask


def _refine(buckets: list[I64], x: F32, w: F32, rng: np.random.Generator) -> Iterator[float]:
    """Swap words between neighbouring buckets, in place, while that raises the sum over buckets of the mean
    cosine between an input (weighted by ``w``) and the other members. Sizes never change. Gives the share of the
    work that is done, at least."""
    if len(buckets) < 2:
        return
    swaps = _Swaps(buckets, x, w)
    for sweep in range(SWEEPS):
        near = _nearest(swaps.sums)
        due = swaps.changed | swaps.changed[near].any(axis=1)
        swaps.changed[:] = False
        made = 0
        for visited, a in enumerate(rng.permutation(len(buckets))):
            if due[a]:
                made += swaps.visit(int(a), near[a])
            if visited % 64 == 0:
                yield (sweep + visited / len(buckets)) / SWEEPS
        if made < 0.02 * len(buckets):
            break


def _nearest(sums: F32) -> I64:
    """[buckets, up to 12]: the buckets with the most similar centroids, itself left out."""
    c = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    count = min(NEIGHBOURS, len(c) - 1)
    out = np.empty((len(c), count), dtype=np.int64)
    for start in range(0, len(c), 1024):
        cosines = c[start : start + 1024] @ c.T
        cosines[np.arange(len(cosines)), start + np.arange(len(cosines))] = -np.inf
        out[start : start + 1024] = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    return out


class _Swaps:
    """The buckets while words are swapped, with what makes the gain of a swap cheap.

    With S the sum of a bucket's rows and T the sum weighted by w, its pair sum over ordered pairs of two
    members is T.S - sum w (rows of length 1). Replacing i by j changes it by
    (T.x_j + w_j S.x_j) - (T.x_i + w_i S.x_i) + 2 w_i - (w_i + w_j) x_i.x_j.
    """

    def __init__(self, buckets: list[I64], x: F32, w: F32) -> None:
        self.buckets, self.x, self.w = buckets, x, w
        self.sums = np.stack([x[b].sum(axis=0) for b in buckets])
        self.weighted = np.stack([w[b] @ x[b] for b in buckets])
        self.changed = np.ones(len(buckets), dtype=bool)
        self.home = np.zeros((len(x), 2), dtype=np.float32)  # S.x and T.x with the word's own bucket
        for b, s, t in zip(buckets, self.sums, self.weighted, strict=True):
            self.home[b] = x[b] @ np.stack([s, t], axis=1)

    def visit(self, a: int, near: I64) -> int:
        """Make the best swaps between bucket ``a`` and its neighbours; returns how many."""
        x, w, buckets = self.x, self.w, self.buckets
        mine = buckets[a]
        theirs = np.concatenate([buckets[b] for b in near])
        sizes = np.array([len(buckets[b]) for b in near])
        owner = np.repeat(np.arange(len(near)), sizes)
        first = np.cumsum(sizes) - sizes
        scale = np.float32(1 / (len(mine) - 1)), (1 / (sizes - 1)).astype(np.float32)[owner]
        xa, xb = x[mine], x[theirs]
        dots = xa @ xb.T
        out_s, out_t = xa @ self.sums[near].T, xa @ self.weighted[near].T  # my words in their buckets
        in_s, in_t = xb @ self.sums[a], xb @ self.weighted[a]  # their words in mine
        for made in range(SWAPS_A_VISIT):
            wa, wb = w[mine], w[theirs]
            leave_a = self.home[mine, 1] + wa * (self.home[mine, 0] - 2)
            leave_b = self.home[theirs, 1] + wb * (self.home[theirs, 0] - 2)
            arrive_b = (out_t + wa[:, None] * out_s)[:, owner]
            both = (wa[:, None] + wb) * dots
            gain = scale[0] * ((in_t + wb * in_s) - leave_a[:, None] - both)
            gain += scale[1] * (arrive_b - leave_b - both)
            i, j = divmod(int(gain.argmax()), len(theirs))
            if gain[i, j] <= 1e-5:
                return made
            o = int(owner[j])
            b = int(near[o])
            step = np.stack([xb[j] - xa[i], wb[j] * xb[j] - wa[i] * xa[i]], axis=1)
            self.sums[a] += step[:, 0]
            self.sums[b] -= step[:, 0]
            self.weighted[a] += step[:, 1]
            self.weighted[b] -= step[:, 1]
            self.changed[a] = self.changed[b] = True
            mine[i], theirs[j] = theirs[j], mine[i]
            buckets[b][j - first[o]] = theirs[j]
            xa[i], xb[j] = x[mine[i]], x[theirs[j]]
            # every product with a changed vector moves by a product with the step
            by_a = xa @ np.column_stack([step, xb[j]])
            by_b = xb @ np.column_stack([step, xa[i]])
            dots[:, j], dots[i] = by_a[:, 2], by_b[:, 2]
            out_s[:, o] -= by_a[:, 0]
            out_t[:, o] -= by_a[:, 1]
            out_s[i], out_t[i] = self.sums[near] @ xa[i], self.weighted[near] @ xa[i]
            in_s += by_b[:, 0]
            in_t += by_b[:, 1]
            in_s[j], in_t[j] = xb[j] @ self.sums[a], xb[j] @ self.weighted[a]
            self.home[mine] += by_a[:, :2]
            members = slice(int(first[o]), int(first[o] + sizes[o]))
            self.home[theirs[members]] -= by_b[members, :2]
            self.home[mine[i]] = xa[i] @ self.sums[a], xa[i] @ self.weighted[a]
            self.home[theirs[j]] = xb[j] @ self.sums[b], xb[j] @ self.weighted[b]
        return SWAPS_A_VISIT
