"""One command from nothing to a model directory: data, tokenizer, weights, figures, card.

    python -m training.make_model --seed 0 --out training/out --data DIR

Every step is skipped where its result exists, training resumes from its last state; an empty ``--out`` starts anew.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from tokenizers import Tokenizer

from training import tokenizer as pieces
from training.card import POLICIES, card
from training.data import FIELDS, Corpus, Mix, make_field, make_text
from training.evaluate import exact, local
from training.export import export, sums
from training.model import Shape
from training.sources import DATA
from training.through import gateway, halves
from training.train import Phase, run
from training.words import measure

TEXT_TOKENS = 5_000_000

PHASES = [
    Phase("copy", 250, Mix(repeat=4096), rate=0.75),
    Phase("mix", 450, Mix(long=2048, short=1024, text=1024, repeat=512), text=0.4, meaning=True),
    Phase("read", 4300, Mix(long=1024, short=2048, text=256, repeat=256), last=0.02, repeat=0.2),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the embedded default model.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("training/out"))
    parser.add_argument("--data", type=Path, default=DATA)
    args = parser.parse_args()
    shape = Shape()
    folder = args.out / "model"
    folder.mkdir(parents=True, exist_ok=True)
    _say("tokenizer")
    if not (folder / "tokenizer.json").exists():
        pieces.save(pieces.train(pieces.corpus(args.data, args.seed)), folder, shape.context)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    _say("data")
    for name in FIELDS:
        if not (args.out / f"{name}.npz").exists():
            make_field(tokenizer, args.out, args.seed, name)
    if not (args.out / "text.npy").exists():
        make_text(tokenizer, args.out, args.data, args.seed, TEXT_TOKENS)
    _say("weights")
    model = run(Corpus(args.out), shape, PHASES, args.out, args.seed)
    export(model, folder, folder)
    _say("figures")
    describe(folder, args.data, args.out / "figures.json")
    _say(f"done: {folder}")


def describe(folder: Path, data: Path, out: Path) -> None:
    """Measure the model in ``folder``; write the figures to ``out`` and the card and sums beside the weights."""
    figures: dict[str, object] = measure(folder, local(folder), data)
    with halves(folder) as (client, engine):
        for policy in POLICIES:
            with gateway(client, engine, policy) as answer:
                figures[policy] = exact(answer, 500, "direct")[0]
    out.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(figures, Shape(), PHASES), encoding="utf-8")
    sums(folder)


def _say(what: str) -> None:
    print(time.strftime("%H:%M:%S"), what, flush=True)


if __name__ == "__main__":
    main()
