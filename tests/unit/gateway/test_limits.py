from __future__ import annotations

from typing import Any

import pytest

from cmif.errors import ContextLengthError
from cmif.gateway.limits import AnswerLimits, require_possible
from cmif.types import Sampling
from cmif.wire.events import TokenEvent, TokenLogprobs, encode_event


@pytest.mark.parametrize("logprobs", [0, 1, 20])
def test_an_honest_answer_of_the_longest_numbers_fits(logprobs: int) -> None:
    """One token an event, ids of ten digits, every float as long as JSON writes it."""
    number = -0.12345678901234567
    scored = (TokenLogprobs(number, ((2_147_483_647, number),) * logprobs),) if logprobs else ()
    each = len(encode_event(TokenEvent((2_147_483_647,), scored)))
    assert AnswerLimits.of(Sampling(max_tokens=1000, logprobs=logprobs)).bytes >= 1000 * each


@pytest.mark.parametrize(
    "prompt",
    [
        {"prompt": "x" * 3201},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 3201}]}]},
    ],
)
def test_a_prompt_that_can_never_fit_is_refused_unread(prompt: dict[str, Any]) -> None:
    with pytest.raises(ContextLengthError):
        require_possible(prompt, 100)
    require_possible(prompt, 110)
