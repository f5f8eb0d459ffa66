"""A request's messages, as the texts of each: what a conversation is made of."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from cmif.enclave.segment import Segment

SURE = 8
"""Words that no stranger writes by chance: a greeting is anybody's."""
_CALL = re.compile(r"\.tool_calls\[\d+\]\.id$|\.tool_call_id$")
_PLACE = re.compile(r"messages\[(\d+)\]")
_LINES = 256


@dataclass(frozen=True, slots=True)
class Message:
    """One message's texts, in order; ``role`` "prompt" for a completion's, "" for one without any text."""

    role: str
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """All its texts; what parts them stands in none."""
        return "\0".join(segment.text for segment in self.segments)

    @property
    def client(self) -> bool:
        """Whether the client's side wrote it: a step of the conversation's path."""
        return self.role in ("user", "tool", "function", "prompt")

    def steps(self) -> list[str]:
        """What this message adds to the path. A completion's prompt grows at its end: each line is a step."""
        if not self.client:
            return []
        if self.role != "prompt":
            return [f"{self.role}\0{self.text}"]
        lines = self.text.split("\n")
        return [*lines[:_LINES], "\n".join(lines[_LINES:])] if len(lines) > _LINES else lines

    def calls(self) -> list[str]:
        """The ids of its calls of tools, or of the one that it answers."""
        return [segment.text for segment in self.segments if _CALL.search(segment.path)]

    def telling(self) -> list[str]:
        """What may name an answer alone: its ids of calls, and its texts that nobody else can have got by chance."""
        return [*self.calls(), *(text for segment in self.segments for text in telling(segment.text))]


def telling(text: str) -> list[str]:
    """``text`` if it is sure to be its writer's, else nothing."""
    return [text] if len(text.split()) >= SURE else []


def messages_of(segments: Sequence[Segment]) -> list[Message]:
    """The request's messages in order; a completion's prompt is one, texts outside messages belong to none."""
    found: OrderedDict[int, list[Segment]] = OrderedDict()
    for segment in segments:
        m = message_of(segment)
        if m is not None:
            found.setdefault(m, []).append(segment)
    places = range(max(found, default=-1) + 1)
    return [Message(found[m][0].role, tuple(found[m])) if m in found else Message("", ()) for m in places]


def message_of(segment: Segment) -> int | None:
    """The place of the message that a text is of; a completion's prompt is the first."""
    if segment.role == "prompt":
        return 0
    match = _PLACE.match(segment.path)
    return int(match.group(1)) if match else None
