"""Logits -> the next token of a request: greedy, temperature, top_p, penalties, logprobs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cmif.types import Sampling
from cmif.wire.events import TokenLogprobs

if TYPE_CHECKING:
    from cmif_server.engine.constrain import Constraint

_LOWEST = -9999.0  # stands for a log-probability of minus infinity, which JSON does not have


class Sampler:
    """One request's sampling: its parameters, its generator, and how often it has produced each token.

    ``constraint`` says which tokens may come."""

    def __init__(self, sampling: Sampling, constraint: Constraint | None = None) -> None:
        self.sampling = sampling
        self._constraint = constraint
        self._counts: dict[int, int] = {}
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)

    @property
    def plain(self) -> bool:
        """Greedy and nothing else: the argmax of the logits is the answer."""
        s = self.sampling
        more = self._constraint or s.frequency_penalty or s.presence_penalty or s.logprobs
        return s.temperature == 0 and not more

    def pick(self, logits: Tensor) -> tuple[int, TokenLogprobs | None]:
        """The next id from float32 [vocab] logits, and its log-probabilities where they were asked for."""
        s = self.sampling
        logits = logits.cpu()
        scores = logits
        if self._counts and (s.frequency_penalty or s.presence_penalty):
            ids = torch.tensor(list(self._counts))
            counts = torch.tensor(list(self._counts.values()), dtype=torch.float32)
            scores = logits.clone()
            scores[ids] -= counts * s.frequency_penalty + s.presence_penalty
        if self._constraint is not None:
            scores = scores.masked_fill(~self._constraint.allowed(), -math.inf)
        token = int(scores.argmax()) if s.temperature == 0 else self._draw(scores)
        self._counts[token] = self._counts.get(token, 0) + 1
        if self._constraint is not None:
            self._constraint.take(token)
        return token, _logprobs(logits, token, s.logprobs) if s.logprobs else None

    def _draw(self, scores: Tensor) -> int:
        s = self.sampling
        # Below about 1e-5 float32 cannot hold the quotients; that cold, sampling is greedy.
        if s.temperature < 1e-5:
            return int(scores.argmax())
        weights = torch.softmax(scores / s.temperature, -1)
        if s.top_p >= 1:
            return int(torch.multinomial(weights, 1, generator=self._generator))
        ordered, ids = weights.sort(descending=True, stable=True)
        # A token stays while the likelier ones together have less than top_p; so the likeliest always stays.
        ordered[ordered.cumsum(-1) - ordered >= s.top_p] = 0
        return int(ids[torch.multinomial(ordered, 1, generator=self._generator)])


def _logprobs(logits: Tensor, token: int, top: int) -> TokenLogprobs:
    values = torch.log_softmax(logits, -1).clamp(min=_LOWEST)
    best, ids = values.topk(min(top, len(values)))
    return TokenLogprobs(float(values[token]), tuple(zip(ids.tolist(), best.tolist(), strict=True)))
