"""Engine events to text: detokenise -> restore -> stop, as a stream, holding back no more than it must."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cmif.enclave.json_texts import tree
from cmif.enclave.response import Response
from cmif.enclave.restore import Restorer, Run
from cmif.enclave.tokenise import Tokeniser
from cmif.enclave.tool_calls import Call, Content, Event, ToolCalls
from cmif.errors import InputError
from cmif.gateway.text_api import TextEvent
from cmif.wire.events import TokenEvent, TokenLogprobs

_PART = 64
"""Tokens after which what was written so far is remembered, so that a crash loses no more of it."""


class StopFilter:
    """Cuts the text before the first stop string, across chunk borders; stop strings apply to the restored text."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops = tuple(stops)
        self._held = ""
        self.hit = ""  # the stop string that came

    def feed(self, text: str) -> str:
        if not self.stops or self.hit:
            return "" if self.hit else text
        self._held += text
        found = [(at + len(stop), at, stop) for stop in self.stops if (at := self._held.find(stop)) >= 0]
        if found:  # the one that is complete first, however the text was cut into chunks
            _, at, self.hit = min(found)
            out, self._held = self._held[:at], ""
            return out
        keep = max(_overlap(self._held, stop) for stop in self.stops)
        out, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return out

    def finish(self) -> str:
        out, self._held = self._held, ""
        return out


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that a stop string could begin with."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)


@dataclass(frozen=True, slots=True)
class Counts:
    """What restoring did: ``restored`` originals put back, ``withheld`` left where a client would fetch or run them,
    ``ambiguous`` left because they could mean two things.
    """

    restored: int = 0
    withheld: int = 0
    ambiguous: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.restored + other.restored, self.withheld + other.withheld, self.ambiguous + other.ambiguous
        )


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the client gets it: ``arguments`` is a JSON object as text, originals in it."""

    id: str
    name: str
    arguments: str


class Answer:
    """One choice of an answer in the making. ``text`` is what its reader gets, ``raw`` what the engine wrote.

    ``tools`` are the functions it may call; of several calls only the first counts unless ``parallel``. Where a call
    is ``forced``, it is the whole answer, in JSON. What it writes is remembered as the ``response`` of its
    conversation while it streams.
    """

    def __init__(
        self,
        tokeniser: Tokeniser,
        restorer: Restorer,
        response: Response,
        stops: Sequence[str] = (),
        tools: Sequence[str] = (),
        parallel: bool = True,
        forced: bool = False,
    ) -> None:
        self.text = ""
        self.raw = ""
        self.completion_tokens = 0
        self.finish = "length"
        self.logprobs: list[dict[str, Any]] = []
        self.calls: list[ToolCall] = []
        self._tokeniser = tokeniser
        self._decoder = tokeniser.stream()
        self._restorer = restorer
        self._response = response
        self._stop = StopFilter(stops)
        self._runs: list[Run] = []  # read by nobody yet, or not yet remembered
        self._unread = 0  # characters of `_runs` that lie beyond what the reader has got
        self._remember_at = _PART
        self._reader = ToolCalls("json" if forced else tokeniser.calls, tools) if tools else None
        self._marks = tokeniser.call_marks if tools else {}
        self._parallel = parallel
        self._tools = frozenset(tools)
        self._beside: list[Restorer] = []  # of the values of calls
        self._values: list[Run] = []  # what calls say, not yet remembered
        self._told = 0

    @property
    def stopped(self) -> bool:
        """A stop string came: nothing more is shown."""
        return bool(self._stop.hit)

    @property
    def stopped_by(self) -> str | None:
        """The stop string that came."""
        return self._stop.hit or None

    @property
    def counts(self) -> Counts:
        restorers = [self._restorer, *self._beside]
        return sum((Counts(r.restored, r.withheld, r.ambiguous) for r in restorers), Counts())

    def feed(self, event: TokenEvent | TextEvent) -> str:
        """The restored text that ``event`` completes, which may be none yet."""
        if isinstance(event, TextEvent):
            return self._feed_text(event)
        out = text = ""
        for i, token in enumerate(event.ids):
            self.completion_tokens += 1
            if event.logprobs:
                self.logprobs.append(self._logprob(token, event.logprobs[i]))
            text += self._decoder.feed(token) + self._marks.get(token, "")
            if self._stop.stops:  # token by token: what comes after a stop string does not count
                out, text = out + self._read(text), ""
                if self._stop.hit:
                    break
        out += self._read(text)
        self._remember_now_and_then()
        return out

    def _feed_text(self, event: TextEvent) -> str:
        """An API that writes text writes its calls beside it: there is no dialect to read."""
        self.completion_tokens += event.tokens
        out = self._show(self._restorer.feed(event.text)) if not self._stop.hit else ""
        for call in event.calls:
            if call.name in self._tools and not self._stop.hit:
                self._call(call)
        self._remember_now_and_then()
        return out

    def _remember_now_and_then(self) -> None:
        if self.completion_tokens >= self._remember_at:
            self._remember_at = self.completion_tokens + _PART
            self.remember()

    def close(self, reason: str) -> str:
        """The rest of the text, once the engine is done for ``reason`` ("stop" or "length")."""
        if self._stop.hit:
            self.finish = "stop"
            return ""
        out = self._read(self._decoder.finish(), final=True)
        self.finish = (
            "stop" if self._stop.hit else "tool_calls" if self.calls and reason == "stop" else reason
        )
        rest = self._stop.finish()
        self.text += rest
        self._unread -= len(rest)
        return out + rest

    def remember(self, done: bool = False) -> None:
        """Keep what the reader has got by now as the engine wrote it; ``done``: there will be no more.

        Raises :class:`LedgerError`.
        """
        kept, unread = list(self._runs), self._unread
        held: list[Run] = []
        while kept and unread > 0:
            last = kept.pop()
            if len(last.text) > unread and last.raw == last.text:
                kept.append(Run(last.raw[:-unread], last.text[:-unread]))
                last = Run(last.raw[-unread:], last.text[-unread:])
            held.insert(0, last)
            unread -= len(last.text)
        if unread < 0:  # the reader got a part of a restored value: the whole of it counts as written
            kept.append(held.pop(0))
            held.insert(0, Run("", kept[-1].text[unread:]))
            kept[-1] = Run(kept[-1].raw, kept[-1].text[:unread])
        for value in self._values:
            self._told += 1
            self._response.wrote(self._told, [(value.raw, value.text)])
        self._values = []
        wrote = [(run.raw, run.text) for run in kept]
        if done:
            self._response.done(self.text, wrote, [call.id for call in self.calls])
        else:
            self._response.wrote(0, wrote)
        self._runs, self._unread = held, sum(len(run.text) for run in held)

    def _read(self, text: str, *, final: bool = False) -> str:
        """The restored content in ``text``; calls in it are added to :attr:`calls`."""
        if self._reader is None:
            events: list[Event] = [Content(text)] if text else []
        else:
            events = self._reader.feed(text) + (self._reader.finish() if final else [])
        out = ""
        for event in events:
            if self._stop.hit:
                break
            if isinstance(event, Call):
                self._call(event)
            else:
                out += self._show(self._restorer.feed(event.text))
        return out + self._show(self._restorer.finish()) if final and not self._stop.hit else out

    def _call(self, call: Call) -> None:
        if self.calls and not self._parallel:
            return
        self.raw += json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
        try:
            arguments = tree(call.arguments, "assistant", "arguments", self._value)
        except InputError:  # nested deeper than any client would follow: as the engine wrote it
            arguments = call.arguments
        made = self._tokeniser.calls == "mistral"  # whose template takes ids of nine letters and digits only
        name = secrets.token_hex(5)[:9] if made else f"call_{secrets.token_hex(12)}"
        self.calls.append(ToolCall(name, call.name, json.dumps(arguments, ensure_ascii=False)))

    def _value(self, raw: str, _role: str, _path: str, _prose: bool) -> str:
        restorer = self._restorer.beside()
        self._beside.append(restorer)
        text = "".join(run.text for run in (*restorer.feed(raw), *restorer.finish()))
        self._values.append(Run(raw, text))
        return text

    def _show(self, runs: Sequence[Run]) -> str:
        text = "".join(run.text for run in runs)
        self.raw += "".join(run.raw for run in runs)
        self._runs.extend(runs)
        shown = self._stop.feed(text)
        if self._stop.hit:
            self.finish = "stop"
        self._unread += len(text) - len(shown)
        self.text += shown
        return shown

    def _logprob(self, token: int, logprob: TokenLogprobs) -> dict[str, Any]:
        """Tokens as the engine wrote them: a surrogate's pieces have probabilities, an original's do not."""

        def entry(token: int, value: float) -> dict[str, Any]:
            text = self._tokeniser.piece(token)
            return {"token": text, "logprob": value, "bytes": list(text.encode("utf-8"))}

        return {**entry(token, logprob.logprob), "top_logprobs": [entry(t, lp) for t, lp in logprob.top]}
