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

from cmif_lab.eval import run
from cmif_lab.eval.lm_attack import Attacker
from cmif_lab.eval.settings import Settings

_MECHANISMS = {"medoid-rr": "default", "constant": "constant"}


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
    settings = Settings(
        "sst2", given.data, given.model, part=given.part, head="probe",
        draws=given.draws, attacker_documents=given.documents, audit_draws=0,
    )  # fmt: skip
    bench = run.Bench(settings)
    if given.attacker:
        train = [part for example in bench.task.train for part in example.texts]
        bench.attacker = learned(given.attacker, given.learned, train)
    print(json.dumps({"clean": round(bench.clean(), 4), "examples": len(bench.examples)}), flush=True)
    for config in given.config:
        kind, k, law = config.split(":")
        bench.settings = replace(bench.settings, vectors=kind, k=int(k))
        bench.__dict__.pop("words", None)  # of the configuration before
        bench._partitions.clear()
        row = bench.measure(_MECHANISMS[law], 1.0)
        told = {
            "accuracy": row.accuracy,
            "error": row.accuracy_se,
            "unchanged": row.unchanged,
            "unigram": row.attack_unigram,
            "bigram": row.attack_bigram,
            "lm": row.attack_lm,
        }
        rounded = {name: value if value is None else round(value, 4) for name, value in told.items()}
        print(json.dumps({"config": config, **rounded}), flush=True)


if __name__ == "__main__":
    main()
