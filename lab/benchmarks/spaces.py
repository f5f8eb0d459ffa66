"""Word spaces under attackers that know the context, on SST-2: accuracy, and the bigram and language-model attack.

    python lab/benchmarks/spaces.py DATA MODEL PART CONFIG... [--attacker MODEL --learned DIR --documents N --draws N]

CONFIG is VECTORS:K:LAW such as counterfit:20:medoid-rr or frequent:16:constant (`cmif_lab.eval.vectors`). As `cmif eval
sst2`, but the attacker learns the task's training text once for all of them and is kept in DIR: that takes an hour.
One JSON line a configuration.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from cmif_lab.eval import ours, run, vectors
from cmif_lab.eval.lm_attack import Attacker
from cmif_lab.eval.measure import attack, release, unchanged
from cmif_lab.eval.settings import Settings


def learned(source: str, kept: Path, texts: list[str]) -> Attacker:
    if not kept.is_dir():
        attacker = Attacker(source)
        attacker.learn(texts)
        attacker.model.save_pretrained(kept)
        attacker.tokenizer.save_pretrained(kept)
    return Attacker(str(kept))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model")
    parser.add_argument("part", choices=["all", "choose", "confirm"])
    parser.add_argument("config", nargs="+")
    parser.add_argument("--attacker", default="")
    parser.add_argument("--learned", type=Path)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--draws", type=int, default=2)
    given = parser.parse_args()
    bench = run.Bench(Settings("sst2", given.data, given.model, part=given.part, head="probe"))
    if given.attacker:
        train = [part for example in bench.task.train for part in example.texts]
        bench.attacker = learned(given.attacker, given.learned, train)
    print(json.dumps({"clean": round(bench.clean(), 4), "examples": len(bench.examples)}), flush=True)
    for config in given.config:
        kind, k, law = config.split(":")
        bench.settings = replace(bench.settings, vectors=kind)
        space = vectors.build(bench.model, bench.lexicon, bench.space.rows, bench.task, kind=kind)
        bench.__dict__["words"], bench._partitions = space, {}
        mechanism = ours.shipped(
            bench.lexicon, space, bench.partition(int(k)),
            k=int(k), epsilon=1.0, gamma=bench.settings.gamma, law=law,
        )  # fmt: skip
        right, same, shares = [], [], None
        for draw in range(given.draws):
            words = release(mechanism, bench.corpus, len(bench.lexicon), np.random.default_rng(draw))
            texts = bench.grouped(bench.corpus.render(words, bench.lexicon))
            right.append(bench.classifier.correct(bench.examples, texts))
            same.append(unchanged(bench.corpus, words, bench.lexicon))
            shares = shares or attack(
                mechanism, bench.corpus, words, bench.lexicon, bench.language,
                attacker=bench.attacker, lm_documents=given.documents,
            )  # fmt: skip
        assert shares is not None
        of_example = np.mean(right, axis=0)
        told = {
            "config": config,
            "accuracy": of_example.mean(),
            "error": of_example.std(ddof=1) / len(of_example) ** 0.5,
            "unchanged": np.mean(same),
            "unigram": shares.unigram,
            "bigram": shares.bigram,
            "lm": shares.lm,
        }
        print(json.dumps({k: round(float(v), 4) if isinstance(v, float) else v for k, v in told.items()}), flush=True)


if __name__ == "__main__":
    main()
