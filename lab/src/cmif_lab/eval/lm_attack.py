"""The language-model attacker: any causal or masked model re-ranks the bigram attacker's best candidates in
context.

For every sensitive position the ``SHORTLIST`` likeliest candidates of the bigram posterior are put into the
text, whose other sensitive words are the bigram attacker's guesses; the score is log posterior + w *
log-likelihood under the model of the stretch around the position. w is chosen on one half of the documents
and used on the other, both ways. Before that the model learns the task's training text, which the bigram
attacker knows too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from cmif.errors import InputError
from cmif_lab.eval.attacks import Observed, guesses
from cmif_lab.eval.mechanism import Likelihood
from cmif_lab.eval.models import by_length

SHORTLIST = 6
CONTEXT = 10  # words kept on each side
WEIGHTS = (0.0, 0.15, 0.3, 0.5, 0.8, 1.2)
BATCH = 96
PIECES = 256
LEARNT = 8000  # training texts at most
MASKED = 0.15  # of the pieces, when a masked model learns


class Attacker:
    """A causal or masked Hugging Face model that scores texts. Raises InputError where neither can be
    loaded.
    """

    def __init__(self, source: str) -> None:
        from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

        try:
            names = AutoConfig.from_pretrained(source).architectures or []
            self.masked = not any("CausalLM" in name for name in names)
            kind: Any = AutoModelForMaskedLM if self.masked else AutoModelForCausalLM
            self.model: Any = kind.from_pretrained(source, dtype=torch.float32).eval()
            self.tokenizer: Any = AutoTokenizer.from_pretrained(source)
        except (OSError, ValueError):
            raise InputError("The attacker's model cannot be loaded.") from None
        self.tokenizer.padding_side = "right"
        if self.tokenizer.pad_token_id is None:  # any will do: the attention mask hides it
            self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.convert_ids_to_tokens(0)

    def learn(self, texts: Sequence[str], *, epochs: int = 2, rate: float = 5e-4, seed: int = 0) -> None:
        """Go on training on ``texts`` (the first ``LEARNT``), as the model was trained: the next piece, or masked
        ones. The seed decides the order and the masks.
        """
        batches = by_length(texts[:LEARNT], BATCH, len)
        optimiser = torch.optim.AdamW(self.model.parameters(), lr=rate)
        schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, max(epochs * len(batches), 1))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.model.train()
            for _ in range(epochs):
                for number in torch.randperm(len(batches)).tolist():
                    batch = self._batch(batches[number])
                    hit = batch["attention_mask"].bool()
                    if self.masked:
                        hit = hit & (torch.rand(hit.shape) < MASKED)
                    logs, hit = self._logs(batch, hit)
                    loss = -(logs * hit).sum() / hit.sum().clamp(min=1)
                    optimiser.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimiser.step()
                    schedule.step()
        self.model.eval()

    @torch.inference_mode()
    def score(self, texts: Sequence[str], spans: Sequence[tuple[int, int]]) -> np.ndarray:
        """float64 [n]: log-likelihood of each text (causal), or of the pieces in its span with the span
        masked (masked).
        """
        out = np.zeros(len(texts))
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            batch = self._batch([texts[i] for i in chosen])
            hit = batch["attention_mask"].bool()
            if self.masked:
                edges = torch.tensor([spans[i] for i in chosen])
                at = batch["offset_mapping"]
                hit = hit & (at[..., 0] < edges[:, 1:]) & (at[..., 1] > edges[:, :1])
            logs, hit = self._logs(batch, hit)
            out[chosen] = (logs * hit).sum(1).double().numpy()
        return out

    def _batch(self, texts: list[str]) -> Any:
        return self.tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=PIECES,
            return_tensors="pt",
            return_offsets_mapping=True,
        )

    def _logs(self, batch: Any, hit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 [n, pieces]: the log-probability of each piece, given those before it (causal; the first has none)
        or those not in ``hit`` (masked); and ``hit`` for the same pieces.
        """
        ids, mask = batch["input_ids"], batch["attention_mask"]
        if self.masked:
            masked = ids.masked_fill(hit, self.tokenizer.mask_token_id)
            logits = self.model(input_ids=masked, attention_mask=mask).logits
        else:
            logits = self.model(input_ids=ids, attention_mask=mask).logits[:, :-1]
            ids, hit = ids[:, 1:], hit[:, 1:]
        return torch.log_softmax(logits.float(), -1).gather(-1, ids[..., None])[..., 0], hit


def rerank(
    observed: Observed,
    likelihoods: dict[int, Likelihood],
    posteriors: Sequence[np.ndarray],
    attacker: Attacker,
    documents: int,
) -> np.ndarray:
    """bool [sensitive words of the first ``documents`` documents]: which the attacker recovers."""
    corpus, lexicon = observed.corpus, observed.lexicon
    at = np.flatnonzero(observed.words >= 0)
    decoded = np.full(len(observed.words), -1, np.int64)
    decoded[at] = guesses(observed, likelihoods, posteriors)
    end = corpus.offsets[min(documents, len(corpus.offsets) - 1)]
    place = corpus.documents
    texts: list[str] = []
    spans: list[tuple[int, int]] = []
    rows: list[tuple[int, np.ndarray, np.ndarray]] = []
    for i, posterior in zip(at, posteriors, strict=True):
        if i >= end:
            break
        options = likelihoods[int(observed.words[i])][0]
        best = np.argsort(-posterior)[:SHORTLIST]
        rows.append((int(i), options[best], np.log(np.maximum(posterior[best], 1e-12))))
        low = max(int(corpus.offsets[place[i]]), int(i) - CONTEXT)
        high = min(int(corpus.offsets[place[i] + 1]), int(i) + CONTEXT + 1)
        words = [
            _fill(corpus.tokens[j], lexicon.words[decoded[j]] if decoded[j] >= 0 else "")
            for j in range(low, high)
        ]
        for option in options[best]:
            words[i - low] = _fill(corpus.tokens[i], lexicon.words[option])
            before = "".join(words[: i - low])
            texts.append("".join(words))
            spans.append((len(before), len(before) + len(words[i - low])))
    scores = attacker.score(texts, spans)
    right = np.zeros((len(WEIGHTS), len(rows)), bool)
    start = 0
    for n, (at_word, short, logs) in enumerate(rows):
        fluency = scores[start : start + len(short)]
        start += len(short)
        for w, weight in enumerate(WEIGHTS):
            guess = short[(logs + weight * fluency).argmax()]
            right[w, n] = lexicon.words[guess].lower() == corpus.lower[at_word]
    even = np.array([place[i] % 2 == 0 for i, *_ in rows])
    out = np.zeros(len(rows), bool)
    for half in (even, ~even):
        if half.any():
            w = int(right[:, ~half].mean(1).argmax()) if (~half).any() else 0
            out[half] = right[w, half]
    return out


def _fill(token: str, word: str) -> str:
    bare = token.lstrip()
    return token if not word else token[: len(token) - len(bare)] + word
