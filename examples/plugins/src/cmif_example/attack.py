"""The laziest reader: of a released word's candidates, the commonest in public text."""

from __future__ import annotations

import numpy as np

from cmif_lab.eval.attacks import Observed
from cmif_lab.eval.mechanism import Likelihood


def commonest(observed: Observed, likelihoods: dict[int, Likelihood]) -> list[np.ndarray]:
    """Per sensitive position a score for each of its candidates; the highest is the guess."""
    scores = {y: observed.prior[candidates] for y, (candidates, _) in likelihoods.items()}
    return [scores[y] for y in observed.words[observed.words >= 0].tolist()]
