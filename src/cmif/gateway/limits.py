"""What an engine's answer and a client's upload may weigh and how long they may take. Beyond it, neither is honest.

An engine is not trusted with the gateway's memory or time any more than with text; a client without a key is trusted
with nothing. Each bound is far above what an honest peer needs, so that none has to be an option.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cmif.errors import ContextLengthError
from cmif.types import Sampling

CONNECT_S = 5.0
SILENCE_S = 120.0
"""A busy engine may take long to the first token; one that gives no token for this long is given up, whatever else it
sends."""
LAST_S = 5.0
"""After the last token that was asked for only the done event is missing; without it the answer ends as it is."""
DESCRIBE_S = 10.0
MAX_TOLD = 1 << 14
"""Bytes of an answer that is no stream: a refusal, or what the engine says of itself. Honest ones take under 1 KiB."""
AHEAD = 64
"""Deltas of several choices that wait for one slow reader; beyond, their engines wait too."""
SLICE = 64
"""Tokens of one event handled before others get their turn: detokenising and restoring them takes about 1 ms."""

MAX_BODY = 8 << 20
UPLOAD_S = 60.0
UPLOADING = 256 << 20
"""Bytes of bodies that may be arriving at once, over all clients."""
IN_FLIGHT = 4096
"""Requests at once; beyond, the gateway says so instead of growing."""


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Of one generated answer: ``tokens`` of each variant, ``bytes`` of the whole body, and ``seconds`` from the
    request to its end."""

    tokens: int
    bytes: int
    seconds: float

    @classmethod
    def of(cls, sampling: Sampling, variants: int = 1) -> AnswerLimits:
        """A token is at most 64 bytes on the wire when each has an event of its own, an entry of its logprobs 64 more.
        2 seconds a token are slower than any engine that anybody would wait for."""
        tokens = sampling.max_tokens
        return cls(
            tokens,
            (1 << 16) + variants * tokens * 64 * (2 + sampling.logprobs),
            2 * SILENCE_S + min(2.0 * tokens, 21600.0),
        )


_CHARACTERS = 32
"""A token of any language is under 8 characters on average: a text of four times that cannot fit, whatever it says."""


def require_possible(prompt: Mapping[str, Any], context: int) -> None:
    """Raises :class:`ContextLengthError` for a prompt that can never fit, before a detector reads a character of it.

    ``context`` is the model's, in tokens. What passes is measured exactly once it is tokenised.
    """
    characters = _characters(prompt)
    if characters > context * _CHARACTERS:
        raise ContextLengthError(
            f"This model's maximum context length is {context} tokens; {characters} characters cannot fit.",
            hint="Shorten the prompt.",
        )


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_characters(key) + _characters(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(_characters, value))
    return 0
