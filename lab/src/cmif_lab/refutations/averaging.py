"""Whose claim: that drawing fresh noise for every request keeps a word private (every mechanism that
re-samples, CusText's and SanText's code among them, and ours if its memory of draws were switched off).

The same word sent again and again, each time through a fresh draw at eps 1: the likelihoods multiply. With
the draw remembered per conversation and word, as the gateway does, a hundred requests say what one says. Run:
python -m cmif_lab.refutations.averaging
"""

from __future__ import annotations

import argparse

import numpy as np

from cmif_lab.eval import lexicon, models, ours, text
from cmif_lab.eval.attacks import repeated
from cmif_lab.eval.mechanism import Mechanism
from cmif_lab.eval.vectors import WordSpace
from cmif_server.tables.build import DEFAULT_GAMMA
from cmif_server.tables.partition import partition
from cmif_server.tables.vectors import centred_rows, frequency_weights

REPEATS = (1, 10, 50, 100)


def show(mechanism: Mechanism, words: np.ndarray, prior: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Share of ``words`` (int64 [m] lexicon indices, drawn from ``prior``) recovered after each number of
    fresh draws.
    """
    rng = np.random.default_rng(seed)
    return {f"{n} fresh draws": repeated(mechanism, words, prior, n, rng) for n in REPEATS}


def main(argv: list[str] | None = None) -> None:
    """Print the share of words recovered after repeats, for randomised response over buckets of K words at
    eps 1.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--k", type=int, default=16)
    parser.add_argument("--words", type=int, default=6000)
    options = parser.parse_args(argv)
    model = models.load(options.model)
    words = lexicon.load(None, text.STOP_WORDS, options.words)
    n = words.sanitised
    space = WordSpace(centred_rows(model.word_vectors(words.words[:n])), frequency_weights(words.counts[:n]))
    buckets = partition(space.vectors, words.classes[:n], options.k, weights=space.weights)
    prior = words.counts[:n] / words.counts[:n].sum()
    sample = np.random.default_rng(1).choice(n, 500, p=prior)
    for law in ("rr", "medoid-rr"):
        mechanism = ours.law_over(law, words, space, buckets, k=options.k, epsilon=1.0, gamma=DEFAULT_GAMMA)
        for name, share in show(mechanism, sample, prior).items():
            print(f"{law}, K={options.k}, {name}: {share:.0%} recovered")
    print("remembered draw: a hundred requests give what one gives")


if __name__ == "__main__":
    main()
