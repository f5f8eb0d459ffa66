"""The laws compared inside buckets of real words: expected distortion at each epsilon, as Markdown.

    python lab/benchmarks/laws.py [--k 32] [--buckets 24] [--epsilon 0.5,1,2,3,4,6] [--seed 0]

Distortion is the mean over a bucket's words of sum_y P(y|x) (1 - cosine(x, y)), x uniform; lower is better and 0 is no
change. Words are the package's public list, vectors MiniLM's rows for them, centred (needs the `eval` and `dev`
extras). Two columns at the end: what share of its epsilon the textbook scale of exponential noise really spends, and
how many outputs a bucket of medoid-rr reports.
"""

from __future__ import annotations

import argparse
from importlib import import_module

import numpy as np

from cmif_lab.laws import LAWS
from cmif_server.provider.lexicon import public_lexicon
from cmif_server.tables.laws import exact_epsilon
from cmif_server.tables.partition import partition
from cmif_server.tables.vectors import centred_rows, frequency_weights

ORDER = (
    "rnm-laplace-textbook",
    "rnm-gumbel-textbook",
    "rnm-exponential-textbook",
    "rnm-laplace",
    "rnm-gumbel",
    "rnm-exponential",
    "rr",
    "medoid-rr",
    "optimal",
)


def buckets_of_words(k: int, count: int, seed: int) -> list[np.ndarray]:
    """Distance matrices float64 [k', k'] of ``count`` random buckets of class WORD."""
    lexicon = public_lexicon()
    words = np.flatnonzero(lexicon.classes == 0)
    model = import_module("cmif_lab.eval.models").load("minilm")
    rows = centred_rows(model.word_vectors([lexicon.words[i] for i in words]))
    weights = frequency_weights(lexicon.counts[words])
    buckets = partition(rows, np.zeros(len(words), np.uint8), k, weights=weights)
    chosen = np.random.default_rng(seed).choice(len(buckets), min(count, len(buckets)), replace=False)
    return [np.maximum(1 - rows[buckets[i]] @ rows[buckets[i]].T, 0).astype(np.float64) for i in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--buckets", type=int, default=24)
    parser.add_argument("--epsilon", default="0.5,1,2,3,4,6")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    found = buckets_of_words(args.k, args.buckets, args.seed)
    print(f"| epsilon | {' | '.join(ORDER)} | spent by textbook | medoids |")
    print("|" + "---|" * (len(ORDER) + 3))
    for epsilon in (float(e) for e in args.epsilon.split(",")):
        laws = {name: [LAWS[name](d, epsilon) for d in found] for name in ORDER}
        cells = [
            np.mean([(p * d).sum(axis=1).mean() for p, d in zip(laws[name], found, strict=True)])
            for name in ORDER
        ]
        spent = np.mean([exact_epsilon(p) for p in laws["rnm-exponential-textbook"]]) / epsilon
        medoids = np.mean([(p.max(axis=0) > 0).sum() for p in laws["medoid-rr"]])
        print(
            f"| {epsilon:g} | {' | '.join(f'{c:.3f}' for c in cells)} | {spent:.0%} | {medoids:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
