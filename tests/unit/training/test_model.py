"""The training model is a Llama: same logits as ``transformers``, and it can copy from the first step."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("faker")

from training.export import export  # noqa: E402
from training.layout import BOS, DIGITS, FIRST_PIECE, VOCAB, Batch  # noqa: E402
from training.model import Llama, Shape  # noqa: E402
from training.optimise import Optimiser, loss_of, orthogonal  # noqa: E402
from training.repeat import batches, recall, repetition, span  # noqa: E402
from training.train import Workers, fresh  # noqa: E402

SMALL = Shape(hidden=128, layers=2, heads=8, ffn=64, context=64)


def exercise(make: object, rows: int = 16, length: int = 48) -> Batch:
    rng = np.random.default_rng(0)
    made = [make(rng, length) for _ in range(rows)]  # type: ignore[operator]
    return Batch(np.stack([m[0] for m in made]).astype(np.int64), np.stack([m[1] for m in made]))


def test_transformers_gives_the_same_logits(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = fresh(SMALL, seed=1)
    with torch.no_grad():
        for weight in model.parameters():  # what is saved is bf16: make it exact
            weight.copy_(weight.bfloat16().float())
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (tmp_path / name).write_text("{}")
    export(model, tmp_path, tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    ids = torch.randint(0, SMALL.vocab, (2, 40))
    with torch.inference_mode():
        torch.testing.assert_close(theirs(ids).logits, model(ids), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", [repetition, recall, span])
def test_loss_stands_only_where_the_past_decides_the_token(make: object) -> None:
    """Every counted position continues a stretch that occurred before in the same row."""
    batch = exercise(make)
    assert batch.mask.any(1).mean() > 0.9
    for ids, mask in zip(batch.ids, batch.mask, strict=True):
        assert ids[0] == BOS
        row = ids.tolist()
        for t in np.flatnonzero(mask):
            pair = (row[t - 1], row[t])
            assert pair in list(pairwise(row[:t])), (t, pair)


def test_exercises_use_the_whole_vocabulary_and_digits() -> None:
    batch = next(batches(np.random.default_rng(0), 8192))
    pieces = batch.ids[batch.ids >= FIRST_PIECE]
    assert pieces.max() < VOCAB
    assert np.isin(pieces, DIGITS).mean() > 0.1
    assert len(np.unique(pieces)) > 1500


def test_wired_heads_copy_before_any_training_and_random_ones_do_not() -> None:
    shape = Shape(layers=2)
    torch.manual_seed(0)
    batch = exercise(repetition)
    with torch.no_grad():
        _, wired, _ = loss_of(fresh(shape, 0), batch)
        _, plain, _ = loss_of(Llama(shape), batch)
    assert wired > 0.3
    assert plain < 0.02


def test_two_threads_give_the_gradient_of_one() -> None:
    stream = [("long", exercise(repetition)), ("long", exercise(recall)), ("text", exercise(span))]
    gradients = []
    for threads in (1, 2):
        model = fresh(SMALL, seed=0)
        Workers(model, threads).gradients(stream)
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_orthogonal_has_singular_values_near_one() -> None:
    torch.manual_seed(0)
    for shape in ((64, 64), (64, 160), (160, 64)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert values.max() < 1.5
        assert values[: min(shape) * 3 // 4].min() > 0.4


def test_the_recipe_is_alive() -> None:
    """A miniature learns in seconds: loss falls, copying passes half of a random sequence."""
    torch.manual_seed(0)
    model = fresh(Shape(hidden=128, layers=2, heads=8, ffn=64, context=128), seed=0)
    optimiser = Optimiser(model)
    workers = Workers(model)
    stream = batches(np.random.default_rng(0), 1024, share_plain=1.0)
    losses, right = [], []
    for _ in range(60):
        ((loss, share),) = workers.gradients([("repeat", next(stream))])
        optimiser.step(0.01, 1e-3)
        losses.append(loss)
        right.append(share)
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 1
    assert np.mean(right[-5:]) > 0.4


def test_a_seed_gives_the_same_weights_bit_for_bit() -> None:
    def train() -> list[torch.Tensor]:
        model = fresh(Shape(hidden=128, layers=2, heads=8, ffn=64, context=128), seed=3)
        optimiser = Optimiser(model)
        workers = Workers(model)
        for seed in range(3):
            stream = batches(np.random.default_rng(seed), 512)
            workers.gradients([("repeat", next(stream)) for _ in range(3)])
            optimiser.step(0.01, 1e-3, workers.pool)
        return [p.detach().clone() for p in model.parameters()]

    for one, other in zip(train(), train(), strict=True):
        assert torch.equal(one, other)
