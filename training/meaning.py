"""Word meaning before training: a factorised co-occurrence matrix of the general text, for the embedding to start from.

A two-core budget shows the model too little text to learn a word space by itself. Counting is cheap: shifted positive
pointwise mutual information within a window and a truncated singular value decomposition (Levy and Goldberg 2014).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.layout import FIRST_PIECE, VOCAB


def cooccurrence(ids: np.ndarray, window: int = 5) -> np.ndarray:
    """Symmetric counts float32 [VOCAB, VOCAB] weighted by 1 / distance; special pieces count nothing."""
    counts = np.zeros(VOCAB * VOCAB, np.float32)
    ids = ids.astype(np.int64)
    for distance in range(1, window + 1):
        left, right = ids[:-distance], ids[distance:]
        keep = (left >= FIRST_PIECE) & (right >= FIRST_PIECE)
        codes = (left * VOCAB + right)[keep]
        found, times = np.unique(codes, return_counts=True)
        counts[found] += times / distance
    table = counts.reshape(VOCAB, VOCAB)
    return np.asarray(table + table.T)


def meaning(ids: np.ndarray, dimensions: int, seed: int = 0) -> Tensor:
    """Unit rows float32 [VOCAB, dimensions]; pieces that never occur get zeros."""
    table = torch.from_numpy(cooccurrence(ids))
    rows = table.sum(1, keepdim=True)
    context = table.sum(0, keepdim=True) ** 0.75
    context /= context.sum()
    table.div_(rows.clamp(min=1e-9)).div_(context.clamp(min=1e-12)).clamp_(min=1e-9).log_().clamp_(min=0)
    torch.manual_seed(seed)
    u, s, _ = torch.svd_lowrank(table, q=dimensions + 16, niter=3)
    vectors = u[:, :dimensions] * s[:dimensions] ** 0.5
    return vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-6)
