"""``<private>...</private>``: what a user marks as private, whatever it is.

The marks are taken out before anything else sees the text, so every offset in the system counts code points
of the text WITHOUT marks: :func:`strip` gives that text and the marked spans in its own offsets.

Mistakes close: a mark that is never closed runs to the end of the text; a closing mark that was never
opened marks everything before it; nested marks are one span.
"""

from __future__ import annotations

import re

from cmif.types import Kind, Span

_MARK = re.compile(r"<(/?)private>", re.IGNORECASE)
_NAME = "marks"


def strip(text: str) -> tuple[str, tuple[Span, ...]]:
    """``text`` without its marks, and the PRIVATE spans in the offsets of what is returned."""
    if "<" not in text:
        return text, ()
    parts: list[str] = []
    spans: list[Span] = []
    length = depth = opened = position = 0
    for mark in _MARK.finditer(text):
        parts.append(text[position : mark.start()])
        length += mark.start() - position
        position = mark.end()
        if not mark.group(1):
            opened = length if depth == 0 else opened
            depth += 1
        elif depth > 1:
            depth -= 1
        else:
            spans = spans if depth else []  # a stray closing mark: the one span below covers the earlier ones
            start = opened if depth else 0
            depth = 0
            if start < length:
                spans.append(Span(start, length, Kind.PRIVATE, _NAME))
    parts.append(text[position:])
    length += len(text) - position
    if depth and opened < length:
        spans.append(Span(opened, length, Kind.PRIVATE, _NAME))
    return "".join(parts), tuple(spans)
