"""`POST /v1/completions`."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from cmif.errors import CmifError
from cmif.gateway.answer import Answer
from cmif.gateway.api.chat import DONE, Generation, tally
from cmif.gateway.api.errors import error_body
from cmif.gateway.api.request import MAX_PROMPTS, Request, refused, unsupported, validated
from cmif.gateway.api.writer import Usage, new_id, sse
from cmif.gateway.exchange import Delta

_MAX_TOKENS = 16
"""The API reference's default."""


class _Completion(Generation):
    prompt: Any = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None


def parse(body: Any, names: Collection[str]) -> Request:
    """Raises :class:`InputError`."""
    asked, dropped = validated(_Completion, body, names)
    if asked.echo:
        raise refused(
            "echo", "the engine does not tell the log-probabilities of a prompt, and the client has its text"
        )
    if asked.suffix:
        raise refused("suffix", "fill-in-the-middle is not supported")
    if asked.best_of not in (None, asked.n or 1):
        raise refused("best_of", "is not supported; use n")
    return Request(
        prompts=tuple({"prompt": text} for text in _prompts(asked.prompt)),
        sampling=asked.sampling(**asked.settings(asked.logprobs)),
        max_tokens=asked.max_tokens or _MAX_TOKENS,
        top_logprobs=asked.logprobs,
        dropped=dropped,
        **asked.shared(),
    )


def _prompts(prompt: Any) -> list[str]:
    texts = [prompt] if isinstance(prompt, str) else prompt
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise unsupported(
            "prompt", "must be a text or a list of texts", hint="Token ids cannot be inspected."
        )
    if len(texts) > MAX_PROMPTS:
        raise refused("prompt", f"must be at most {MAX_PROMPTS} texts")
    return texts


class CompletionWriter:
    """A `text_completion`, or its chunks. Choices of the second prompt follow those of the first."""

    def __init__(self, request: Request, model: str) -> None:
        self._request = request
        self._shared = {
            "id": new_id("cmpl-"),
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }
        self._offsets = [0] * (request.n * len(request.prompts))

    def body(self, answers: Sequence[Answer], usage: Usage, extra: Mapping[str, Any]) -> dict[str, Any]:
        choices = [
            self._choice(i, answer.text, self._logprobs(i, answer.logprobs), answer.finish)
            for i, answer in enumerate(answers)
        ]
        return {**self._shared, "choices": choices, "usage": tally(usage), **extra}

    def begin(self, prompt: int) -> Iterator[str]:
        return iter(())

    def delta(self, delta: Delta) -> Iterator[str]:
        if delta.text or delta.finish:
            logprobs = self._logprobs(delta.index, delta.logprobs) if delta.text else None
            yield sse(
                {**self._shared, "choices": [self._choice(delta.index, delta.text, logprobs, delta.finish)]}
            )

    def end(self, _answers: Sequence[Answer], usage: Usage, extra: Mapping[str, Any]) -> Iterator[str]:
        if self._request.include_usage or extra:
            yield sse({**self._shared, "choices": [], "usage": tally(usage), **extra})
        yield DONE

    def failed(self, error: CmifError) -> Iterator[str]:
        yield sse(error_body(error))
        yield DONE

    def _choice(self, index: int, text: str, logprobs: Any, finish: str | None) -> dict[str, Any]:
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}

    def _logprobs(self, index: int, entries: Sequence[dict[str, Any]]) -> Any:
        """Tokens and offsets are those of the text as the engine wrote it."""
        top = self._request.top_logprobs
        if top is None:
            return None
        offsets = []
        for entry in entries:
            offsets.append(self._offsets[index])
            self._offsets[index] += len(entry["token"])
        ranked = [{t["token"]: t["logprob"] for t in e["top_logprobs"][:top]} for e in entries]
        return {
            "tokens": [e["token"] for e in entries],
            "token_logprobs": [e["logprob"] for e in entries],
            "top_logprobs": ranked if top else None,
            "text_offset": offsets,
        }
