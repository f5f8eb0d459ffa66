from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cmif.errors import InputError
from cmif_lab.eval import models, tasks
from cmif_lab.eval.lm_attack import Attacker


def test_word_vectors_are_the_mean_rows_of_the_pieces(tiny_models: tuple[Path, Path]) -> None:
    model = models.load(str(tiny_models[0]))
    [first, second] = model.word_vectors(["film", "film plot"])
    ids = [model.tokenizer.convert_tokens_to_ids(w) for w in ("film", "plot")]
    np.testing.assert_allclose(first, model.rows[ids[0]], rtol=1e-6)
    np.testing.assert_allclose(second, model.rows[ids].mean(0), rtol=1e-6)


def test_pooling_does_not_depend_on_the_batch_and_noise_reaches_only_the_spans(
    tiny_models: tuple[Path, Path],
) -> None:
    model = models.load(str(tiny_models[0]))
    texts = ["the film is good .", "film"]
    together = model.pool(texts)
    np.testing.assert_allclose(together[0], model.pool(texts[:1])[0], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    seen: list[np.ndarray] = []

    def spy(rows: np.ndarray) -> np.ndarray:
        seen.append(rows.copy())
        return rows

    same = model.pool(texts, spy, [[(4, 8)], [(0, 4)]])
    np.testing.assert_allclose(same, together, atol=1e-5)
    film = model.rows[model.tokenizer.convert_tokens_to_ids("film")]
    np.testing.assert_allclose(np.concatenate(seen), [film, film], rtol=1e-6)


@pytest.mark.parametrize("which", [0, 1])
def test_both_kinds_of_model_learn_a_task(
    which: int, tiny_models: tuple[Path, Path], tiny_data: Path
) -> None:
    model = models.load(str(tiny_models[which]))
    task = tasks.load("sst2", tiny_data)
    solver = models.Classifier(model, task)
    assert solver.head == ("words" if which else "probe")
    right = solver.correct(task.test, [e.texts for e in task.test])
    assert right.shape == (len(task.test),)
    again = models.Classifier(model, task).correct(task.test, [e.texts for e in task.test])
    assert (right == again).all()  # the second time from the cache


@pytest.mark.parametrize("which", [0, 1])
def test_fine_tuning_changes_the_body_and_leaves_the_table(
    which: int, tiny_models: tuple[Path, Path], tiny_data: Path
) -> None:
    model, task = models.load(str(tiny_models[which])), tasks.load("sst2", tiny_data)
    rows, before = model.rows.copy(), model.pool(["the film is good ."])
    models.fine_tune(model, task, rate=1e-2)
    tuned = model.pool(["the film is good ."])
    assert not np.allclose(before, tuned)
    np.testing.assert_array_equal(model.body.get_input_embeddings().weight.detach().numpy(), rows)
    again = models.load(str(tiny_models[which]))
    models.Classifier(again, task, head="tuned")
    assert not np.allclose(before, again.pool(["the film is good ."]))
    models.fine_tune(twin := models.load(str(tiny_models[which])), task, rate=1e-2)
    np.testing.assert_array_equal(tuned, twin.pool(["the film is good ."]))  # the seed decides


def test_a_head_that_the_model_cannot_have_is_one_clear_error(
    tiny_models: tuple[Path, Path], tiny_data: Path
) -> None:
    task = tasks.load("sst2", tiny_data)
    with pytest.raises(InputError, match="Unknown head"):
        models.Classifier(models.load(str(tiny_models[0])), task, head="magic")
    with pytest.raises(InputError, match="causal"):
        models.Classifier(models.load(str(tiny_models[0])), task, head="words")


def test_models_that_are_not_there_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be loaded"):
        models.load(str(tmp_path))
    with pytest.raises(InputError, match="attacker"):
        Attacker(str(tmp_path))


def test_a_causal_attacker_scores_likelihoods(tiny_models: tuple[Path, Path]) -> None:
    import torch

    attacker = Attacker(str(tiny_models[1]))
    texts = ["the film is good .", "film"]
    scores = attacker.score(texts, [(4, 8), (0, 4)])
    ids = attacker.tokenizer(texts[0], return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        logs = torch.log_softmax(attacker.model(input_ids=ids).logits[0, :-1], -1)
    expected = float(logs.gather(1, ids[0, 1:, None]).sum())
    assert scores[0] == pytest.approx(expected, rel=1e-4)
    assert scores[1] == 0.0  # one piece: nothing to predict


@pytest.mark.parametrize("which", [0, 1])
def test_an_attacker_learns_the_fields_text(
    which: int, tiny_models: tuple[Path, Path], tiny_data: Path
) -> None:
    import torch

    task = tasks.load("sst2", tiny_data)
    texts = [example.texts[0] for example in task.train]
    scores = []
    for epochs in (0, 4, 4):
        torch.manual_seed(0)  # the masked one's head is new
        attacker = Attacker(str(tiny_models[which]))
        attacker.learn(texts, epochs=epochs, rate=1e-2)
        scores.append(attacker.score(texts, [(4, 8)] * len(texts)).mean())
    assert scores[1] > scores[0]
    assert scores[1] == scores[2]  # the seed decides
