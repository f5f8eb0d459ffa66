"""Whose claim: that a prompt sent as EMBEDDING ROWS instead of text is hidden from the server (serving stacks
sell prompt embeddings as a privacy feature).

The embedding table of an open model is public, so each row is looked up: the nearest table row is the token.
Shown for exact float32 and bfloat16 rows, for int8 rows, and under Gaussian noise up to half of a row's
length. Only noise that also destroys the model's input helps (`cmif eval ... --mechanism direct-dp`). Run:
python -m cmif_lab.refutations.invert_rows [--model minilm]
"""

from __future__ import annotations

import argparse

import numpy as np

from cmif_lab.eval import models
from cmif_lab.eval.rows_attack import bf16, int8, nearest

TEXT = (
    "My father has been in hospital since Friday with pneumonia, his insurance will not pay for the second antibiotic, "
    "and I owe the bank 14,000 pounds; please draft a letter to the ward sister, Mrs Okafor."
)
NOISES = (0.1, 0.25, 0.5)


def show(ids: np.ndarray, table: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Share of the tokens ``ids`` (int64 [n]) that nearest-neighbour search over ``table`` recovers, per form
    of their rows.
    """
    rows = table[ids]
    rng = np.random.default_rng(seed)
    forms = {"float32": rows, "bfloat16": bf16(rows), "int8": int8(rows)}
    for share in NOISES:
        noise = rng.standard_normal(rows.shape).astype(np.float32)
        noise *= (
            share * np.linalg.norm(rows, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
        )
        forms[f"float32 + noise of {share:.0%} of each row's length"] = rows + noise
    return {name: float((nearest(seen, table) == ids).mean()) for name, seen in forms.items()}


def main(argv: list[str] | None = None) -> None:
    """Print what is recovered from one prompt."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--text", default=TEXT)
    options = parser.parse_args(argv)
    model = models.load(options.model)
    ids = np.array(model.tokenizer(options.text, add_special_tokens=False)["input_ids"])
    for name, share in show(ids, model.rows).items():
        print(f"{name}: {share:.0%} of {len(ids)} tokens recovered")
    print("read back:", model.tokenizer.decode(nearest(bf16(model.rows[ids]), model.rows)))


if __name__ == "__main__":
    main()
