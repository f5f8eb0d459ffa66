"""Whose claim: that rows multiplied by a SECRET ORTHOGONAL MATRIX (x' = xM) make reconstruction
mathematically impossible.

A rotation keeps every norm and every inner product. Candidates come from the norms, a beam search finds the
assignment whose Gram matrix fits, and orthogonal Procrustes then gives M itself. One prompt of some forty
tokens is enough: nothing is learned from other prompts, and the search does not use language at all. Shown
for float32 rows, bfloat16 rows and added noise. Run: python -m cmif_lab.refutations.rotated_rows [--model minilm]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from cmif_lab.eval import models
from cmif_lab.eval.rows_attack import bf16, nearest, recover_rotated, rotation

TEXT = (
    "the patient , a retired teacher from leeds , was admitted on friday with chest pain and shortness of breath ; "
    "she takes warfarin and has a history of type 2 diabetes , and her daughter asked whether the bank loan can wait"
)
NOISES = (0.01, 0.05, 0.1)


def show(
    ids: np.ndarray, table: np.ndarray, noises: tuple[float, ...] = NOISES, seed: int = 0
) -> dict[str, float]:
    """Share of the tokens ``ids`` (int64 [n]) recovered from their rotated rows, per form; the first entry is
    plain nearest-neighbour search on rotated rows, which the rotation does stop.
    """
    rng = np.random.default_rng(seed)
    rotated = table[ids] @ rotation(table.shape[1], rng)
    found = {"nearest neighbour, for comparison": float((nearest(rotated, table) == ids).mean())}
    found["float32"] = float((recover_rotated(rotated, table) == ids).mean())
    found["bfloat16"] = float((recover_rotated(bf16(rotated), table, 0.002) == ids).mean())
    for share in noises:
        noise = rng.standard_normal(rotated.shape)
        noise *= (
            share
            * np.linalg.norm(rotated, axis=1, keepdims=True)
            / np.linalg.norm(noise, axis=1, keepdims=True)
        )
        guess = recover_rotated((rotated + noise).astype(np.float32), table, share)
        found[f"float32 + noise of {share:.0%} of each row's length"] = float((guess == ids).mean())
    return found


def main(argv: list[str] | None = None) -> None:
    """Print what is recovered from one rotated prompt."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--text", default=TEXT)
    options = parser.parse_args(argv)
    model = models.load(options.model)
    ids = np.array(model.tokenizer(options.text, add_special_tokens=False)["input_ids"])
    started = time.perf_counter()
    for name, share in show(ids, model.rows).items():
        print(f"{name}: {share:.0%} of {len(ids)} tokens recovered")
    print(f"{time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
