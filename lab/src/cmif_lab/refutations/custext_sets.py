"""Whose claim: CusText's, that its exponential mechanism over greedy sets of 20 words is eps-LDP for any two
words.

Inside one set it is (and spends about half of what it claims). Across sets the supports are disjoint: the
release names the input's set for certain, at every eps, and most words are in another set than their nearest
neighbour. Shown exactly from the matrix and by an audit of the sampler.
Run: python -m cmif_lab.refutations.custext_sets
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np

from cmif_lab.audit import audit
from cmif_lab.eval import lexicon, models, text
from cmif_lab.eval.peers import Space
from cmif_lab.eval.peers.custext import CusTextPlus
from cmif_server.tables.laws import exact_epsilon


def show(
    space: Space, epsilons: tuple[float, ...] = (1.0, 2.0, 4.0), draws: int = 20_000
) -> dict[str, float]:
    """What is really spent inside sets (exact), what an audit refutes across sets, and how often neighbours
    are apart.
    """
    mechanism = CusTextPlus(space, epsilons[0])
    sets = (mechanism.home, mechanism.sets, mechanism.scores)
    n = space.lexicon.sanitised
    sample = np.random.default_rng(0).choice(n, min(n, 1000), replace=False)
    close = space.unit[sample] @ space.unit[:n].T
    close[np.arange(len(sample)), sample] = -np.inf
    neighbour = close.argmax(1)
    apart = mechanism.home[sample] != mechanism.home[neighbour]
    found = {"nearest neighbours in another set, share": float(apart.mean())}
    pairs = list(zip(sample[apart][:8].tolist(), neighbour[apart][:8].tolist(), strict=True))
    rng = np.random.default_rng(1)
    for epsilon in epsilons:
        mechanism = CusTextPlus(space, epsilon, sets)
        inside = [exact_epsilon(mechanism.law[s][:, : len(s)]) for s in mechanism.sets if len(s) > 1]
        found[f"claimed eps {epsilon:g}: largest loss inside one set (exact)"] = float(max(inside))
        bound = audit(partial(mechanism.sample, rng=rng), pairs, draws)
        found[f"claimed eps {epsilon:g}: audited eps across sets at least"] = bound
    return found


def main(argv: list[str] | None = None) -> None:
    """Print what CusText really gives."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--words", type=int, default=8000)
    options = parser.parse_args(argv)
    model = models.load(options.model)
    words = lexicon.load(None, text.STOP_WORDS, options.words)
    for name, value in show(Space(words, model.word_vectors(words.words))).items():
        print(f"{name}: {value:.2f}")


if __name__ == "__main__":
    main()
