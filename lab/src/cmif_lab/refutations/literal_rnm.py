"""Whose claim: that Report-Noisy-Max over the top-K nearest words OF THE INPUT is eps-LDP (CMIF read
literally; CusText's "aggressive" mode; every per-input candidate set).

Two inputs have two candidate sets, so an output in one set and not in the other tells them apart at any eps.
Shown by the real sampler alone: Clopper-Pearson lower bounds on eps over pairs of nearest neighbours, beside
the same audit of our table, whose bound stays under what it claims. Run: python -m cmif_lab.refutations.literal_rnm
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np

from cmif_lab.audit import audit
from cmif_lab.eval import lexicon, models, text
from cmif_lab.eval.peers import Space
from cmif_lab.eval.peers.custext import Literal


def show(
    space: Space, epsilons: tuple[float, ...] = (1.0, 4.0), draws: int = 60_000, pairs: int = 8
) -> dict[str, float]:
    """Lower bounds (95 %) on the loss of the literal mechanism between frequent words and their nearest
    neighbours.
    """
    first = Literal(space, epsilons[0])
    rng = np.random.default_rng(3)
    common = np.argsort(-space.lexicon.counts[: space.lexicon.sanitised], kind="stable")[: 50 * pairs]
    chosen = rng.choice(common, pairs, replace=False)
    close = [(int(x), _neighbour(first, int(x))) for x in chosen]
    shared = [len(set(first.candidates[x]) & set(first.candidates[y])) for x, y in close]
    found = {"mean number of the 20 candidates that neighbours share": float(np.mean(shared))}
    for epsilon in epsilons:
        mechanism = Literal(space, epsilon, (first.candidates, first.scores))
        bound = audit(partial(mechanism.sample, rng=rng), close, draws)
        found[f"claimed eps {epsilon:g}, audited eps at least"] = bound
    return found


def _neighbour(mechanism: Literal, word: int) -> int:
    order = np.argsort(-mechanism.scores[word], kind="stable")
    return int(next(y for y in mechanism.candidates[word][order] if y != word))


def main(argv: list[str] | None = None) -> None:
    """Print the audit of the literal mechanism."""
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
