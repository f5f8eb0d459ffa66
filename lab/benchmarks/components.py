"""How much of a model's word space is word frequency: the leading principal components of the words' centred rows.

For each component its share of the variance and its correlation with the log of the public count, over the words of one
piece. ``python lab/benchmarks/components.py [MODEL ...]``: Hugging Face directories, or `minilm` (the default).
"""

from __future__ import annotations

import sys

import numpy as np

from cmif_lab.eval import models
from cmif_server.provider.lexicon import public_lexicon
from cmif_server.tables.vectors import centred_rows

COMPONENTS = 4


def main(names: list[str]) -> None:
    lexicon = public_lexicon()
    logs = np.log(lexicon.counts + 0.5)
    for name in names or ["minilm"]:
        model = models.load(name)
        single = np.array([len(pieces) == 1 for pieces in model.pieces(lexicon.words)])
        rows = centred_rows(model.word_vectors(lexicon.words)).astype(np.float64)
        values, directions = np.linalg.eigh(rows.T @ rows)
        for i in range(1, COMPONENTS + 1):
            along = (rows @ directions[:, -i])[single]
            correlation = abs(np.corrcoef(along, logs[single])[0, 1])
            print(f"{name} {i}: {values[-i] / values.sum():.4f} of the variance, |r| {correlation:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
