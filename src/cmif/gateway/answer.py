"""Engine events to text: detokenise -> restore -> stop, as a stream, holding back no more than it must."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cmif.enclave.pipeline import Pipeline, Prepared
from cmif.wire.events import TokenEvent, TokenLogprobs


class StopFilter:
    """Cuts the text before the first stop string, across chunk borders; stop strings apply to the restored text."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.hit = False

    def feed(self, text: str) -> str:
        if not self._stops or self.hit:
            return "" if self.hit else text
        self._held += text
        found = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:  # the one that is complete first, however the text was cut into chunks
            self.hit = True
            out, self._held = self._held[: min(found)[1]], ""
            return out
        keep = max(_overlap(self._held, stop) for stop in self._stops)
        out, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return out

    def finish(self) -> str:
        out, self._held = self._held, ""
        return out


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that a stop string could begin with."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)


@dataclass
class Answer:
    """One choice of an answer in the making. ``raw`` is what the engine wrote, before restoring."""

    pipeline: Pipeline
    prepared: Prepared
    stops: tuple[str, ...]
    raw: str = ""
    completion_tokens: int = 0
    finish: str = "length"
    logprobs: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._text = self.pipeline.bundle.tokeniser.stream()
        self._restorer = self.pipeline.restorer(self.prepared)
        self._stop = StopFilter(self.stops)

    @property
    def stopped(self) -> bool:
        """A stop string came: nothing more is wanted of the engine."""
        return self._stop.hit

    def feed(self, event: TokenEvent) -> str:
        """The restored text that ``event`` completes, which may be none yet."""
        out = ""
        for i, token in enumerate(event.ids):
            self.completion_tokens += 1
            text = self._text.feed(token)
            self.raw += text
            if event.logprobs:
                self.logprobs.append(self._logprob(token, event.logprobs[i]))
            out += self._stop.feed(self._restorer.feed(text))
            if self._stop.hit:
                self.finish = "stop"
                break
        return out

    def close(self, reason: str) -> str:
        """The rest of the text, once the engine is done for ``reason`` ("stop" or "length")."""
        if self._stop.hit:
            return ""
        rest = self._text.finish()
        self.raw += rest
        out = self._stop.feed(self._restorer.feed(rest) + self._restorer.finish())
        self.finish = "stop" if self._stop.hit else reason
        return out + self._stop.finish()

    def _logprob(self, token: int, logprob: TokenLogprobs) -> dict[str, Any]:
        """Tokens as the engine wrote them: a surrogate's pieces have probabilities, an original's do not."""

        def entry(token: int, value: float) -> dict[str, Any]:
            text = self.pipeline.bundle.tokeniser.piece(token)
            return {"token": text, "logprob": value, "bytes": list(text.encode("utf-8"))}

        return {**entry(token, logprob.logprob), "top_logprobs": [entry(t, lp) for t, lp in logprob.top]}
