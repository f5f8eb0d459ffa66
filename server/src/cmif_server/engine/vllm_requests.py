"""What both vLLM backends share: a frame's prompt and cache salt as vLLM takes them, and its outputs as our events."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

import numpy as np

from cmif.errors import EngineError
from cmif.wire.events import DoneEvent, TokenEvent, TokenLogprobs
from cmif.wire.frame import Frame, IdsFrame

if TYPE_CHECKING:
    from torch import Tensor


def prompt_tensor(request: Frame) -> Tensor:
    """The prompt as bfloat16 [n, hidden] on the CPU: the very bit patterns of the frame, in storage of its own."""
    import torch

    # By way of int16, since numpy has no bfloat16.
    return torch.from_numpy(request.rows.dense().view(np.int16)).view(torch.bfloat16)


def prompt_length(request: Frame | IdsFrame) -> int:
    """Tokens of the prompt."""
    return len(request.ids) if isinstance(request, IdsFrame) else len(request.rows.index)


def cache_salt(request: Frame | IdsFrame) -> str:
    """64 hex digits that only requests with the same salt share; one without a salt shares with none.

    vLLM mixes it into the hash of a prompt's first block, from which all later blocks' hashes follow. Hashed, because
    vLLM takes 128 characters at most and not all of Unicode.
    """
    if not request.salt:
        return secrets.token_hex(32)
    return sha256(b"cmif cache salt\0" + request.salt.encode()).hexdigest()


class Outputs:
    """Turns what vLLM says of one request into events: drops the stop token, counts, ends with a done event."""

    def __init__(self, request: Frame | IdsFrame) -> None:
        self._stop_ids = set(request.sampling.stop_ids)
        self._prompt = prompt_length(request)
        self._started = time.monotonic()
        self._sent = 0

    def add(
        self, ids: Sequence[int], logprobs: Sequence[TokenLogprobs], finish_reason: str | None
    ) -> list[TokenEvent | DoneEvent]:
        """Events for newly produced ``ids``; ``logprobs`` is empty or one a token. Raises :class:`EngineError` when
        vLLM ended the request for a reason of its own (aborted, failed)."""
        if finish_reason not in (None, "stop", "length"):
            raise EngineError("vLLM gave the request up.")
        if finish_reason == "stop" and ids and ids[-1] in self._stop_ids:
            ids, logprobs = ids[:-1], logprobs[: len(ids) - 1]
        events: list[TokenEvent | DoneEvent] = []
        if ids:
            self._sent += len(ids)
            events.append(TokenEvent(tuple(ids), tuple(logprobs)))
        if finish_reason is not None:
            reason: Literal["stop", "length"] = "stop" if finish_reason == "stop" else "length"
            elapsed = (time.monotonic() - self._started) * 1e3
            events.append(DoneEvent(reason, self._prompt, self._sent, elapsed))
        return events
