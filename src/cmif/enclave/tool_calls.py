"""How models write tool calls: the few dialects there are, each read from the engine's raw text while it streams.

A call is read first and restored after, value by value, so that an original with a quote in it cannot break the JSON.
Which dialect a model writes is told by its chat template; templates that know no tools are given them in a system
message, and asked for the commonest dialect.

==========  =============================================================  ======================================
dialect     a call                                                         models
==========  =============================================================  ======================================
tags        ``<tool_call>{"name": ..., "arguments": {...}}</tool_call>``   Hermes, Qwen, SmolLM2 (a list inside)
mistral     ``[TOOL_CALLS][{"name": ..., "arguments": {...}}, ...]``       Mistral, also ``[TOOL_CALLS]name{...}``
json        ``{"name": ..., "parameters": {...}}`` as the whole answer     Llama 3, after ``<|python_tag|>`` or not
==========  =============================================================  ======================================
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Dialect = Literal["tags", "mistral", "json"]

_MAX_CALL = 1 << 17
"""Characters after which what looks like a call is taken for text."""
_MAX_CALLS = 128
_MAX_BLANK = 1024
"""White space before a call that is waited with; more is text."""
_OPEN: Mapping[Dialect, str] = {"tags": "<tool_call>", "mistral": "[TOOL_CALLS]", "json": "<|python_tag|>"}
_CLOSE = "</tool_call>"
_BETWEEN = " \t\n;,"
"""What may stand between two calls."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NAMED = re.compile(r"\s*([A-Za-z0-9_.-]{1,64})(?:\[CALL_ID\]\w*)?(?:\[ARGS\])?\s*(?=\{)")


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_constant=_refuse)  # NaN is no JSON, and the client's parser knows that


@dataclass(frozen=True, slots=True)
class Content:
    """Text that is no call."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """One whole call as the engine wrote it; ``arguments`` is a JSON object."""

    name: str
    arguments: dict[str, Any]


Event = Content | Call


def dialect(template: str) -> Dialect:
    """The dialect of the model that ``template`` (Jinja source) belongs to."""
    if "[TOOL_CALLS]" in template:
        return "mistral"
    if "<|python_tag|>" in template or ("<|eot_id|>" in template and "<tool_call>" not in template):
        return "json"
    return "tags"


def marks(dialect: Dialect) -> tuple[str, ...]:
    """Special tokens that open a call: decoding an answer must not skip them."""
    return (
        ("<|python_tag|>",)
        if dialect == "json"
        else ("[TOOL_CALLS]", "[ARGS]")
        if dialect == "mistral"
        else ()
    )


def with_tools(messages: Sequence[Mapping[str, Any]], tools: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Messages for a template that knows no tools: they stand in the system message, calls and results in texts."""
    listed = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    told = (
        f"You can call these functions:\n<tools>\n{listed}\n</tools>\nTo call one, write only\n<tool_call>\n"
        '{"name": <its name>, "arguments": <an object>}\n</tool_call>'
    )
    out: list[Mapping[str, Any]] = []
    for message in messages:
        calls = [
            c["function"] for c in message.get("tool_calls") or () if isinstance(c.get("function"), Mapping)
        ]
        written = [
            json.dumps({"name": f.get("name"), "arguments": f.get("arguments")}, ensure_ascii=False)
            for f in calls
        ]
        texts = [message["content"], *(f"<tool_call>\n{call}\n</tool_call>" for call in written)]
        out.append({**message, "content": "\n".join(text for text in texts if text)})
    if out and out[0]["role"] == "system":
        first = out[0]
        return [{**first, "content": f"{first['content']}\n\n{told}"}, *out[1:]]
    return [{"role": "system", "content": told}, *out]


class ToolCalls:
    """One answer's text as it comes -> its content and its calls. Whatever the chunks, the events of the whole text.

    What turns out not to be a call is content again. Work is linear in the text: a call is read once, when it may be
    complete. ``names`` are the tools of the request: what names none of them is text.
    """

    def __init__(self, dialect: Dialect, names: Sequence[str]) -> None:
        self._dialect = dialect
        self._names = frozenset(names)
        self._opening = _OPEN[dialect]
        self._held = ""
        self._inside = False
        self._began = False  # something that is not white space was seen
        self._after = False  # the last thing seen was a call
        self._end = _End()
        self._calls = 0

    def feed(self, text: str) -> list[Event]:
        """What is certain after ``text``."""
        self._held += text
        out: list[Event] = []
        while self._step(out, final=False):
            pass
        return _joined(out)

    def finish(self) -> list[Event]:
        """The rest, once the answer has ended. A last call may lack its closing tag."""
        out: list[Event] = []
        while self._step(out, final=True):
            pass
        return _joined(out)

    def _step(self, out: list[Event], *, final: bool) -> bool:
        """Go one step; False when there is nothing more to say now."""
        if not self._held:
            return False
        return self._read(out, final) if self._inside else self._seek(out, final)

    def _seek(self, out: list[Event], final: bool) -> bool:
        if self._after:
            self._held = self._held.lstrip()
        bare = self._held.lstrip(_BETWEEN if self._after and self._dialect != "tags" else None)
        blank = len(self._held) - len(bare)
        if (self._after or not self._began) and blank >= _MAX_BLANK:
            self._give(out, self._held[:blank])
            self._held = bare
            return True
        if (self._after or not self._began) and not bare.strip() and not final:
            return False  # white space that may lie before a call
        if self._dialect != "tags" and bare[:1] == "{" and (self._after or not self._began):
            self._held = bare
            return self._enter()
        at = self._held.find(self._opening)
        if at >= 0:
            before = self._held[:at]
            self._give(out, before if before.strip() or (self._began and not self._after) else "")
            self._held = self._held[at + len(self._opening) :]
            return self._enter()
        keep = 0 if final else _overlap(self._held, self._opening)
        if keep == len(bare) and (self._after or not self._began):
            return False  # nothing but white space and what may become a call
        self._give(out, self._held[: len(self._held) - keep])
        self._held = self._held[len(self._held) - keep :]
        return False

    def _enter(self) -> bool:
        self._inside, self._began, self._end = True, True, _End(_CLOSE if self._dialect == "tags" else "")
        return True

    def _read(self, out: list[Event], final: bool) -> bool:
        end = self._end.find(self._held)
        if end is None and not final and len(self._held) < _MAX_CALL:
            return False
        body = self._held[: len(self._held) if end is None else end]
        calls = None if len(body) > _MAX_CALL else self._parse(body)
        self._inside = False
        self._held = self._held[len(body) :]
        if calls is None or self._calls + len(calls) > _MAX_CALLS:
            tag = self._opening if self._dialect != "json" else ""
            self._give(out, tag + body)
            return True
        self._calls += len(calls)
        self._after = True
        out.extend(calls)
        return True

    def _parse(self, body: str) -> list[Call] | None:
        text = body.strip().removesuffix(_CLOSE).strip()
        named = _NAMED.match(text) if self._dialect == "mistral" else None
        try:
            value = _DECODER.decode(text[named.end() :] if named else text)
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate cannot be sent on
        except (ValueError, RecursionError):
            return None
        if named:
            value = {"name": named.group(1), "arguments": value}
        calls = [self._call(entry) for entry in (value if isinstance(value, list) else [value])]
        return None if not calls or None in calls else [call for call in calls if call]

    def _call(self, value: Any) -> Call | None:
        if not isinstance(value, dict):
            return None
        inner = value.get("function")
        value = inner if isinstance(inner, dict) else value
        name = value.get("name", inner if isinstance(inner, str) else None)
        arguments = value.get("arguments", value.get("parameters", {}))
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments or "{}")
            except (ValueError, RecursionError):
                return None
        if not isinstance(name, str) or name not in self._names or not isinstance(arguments or {}, dict):
            return None
        return Call(name, arguments or {})

    def _give(self, out: list[Event], text: str) -> None:
        if self._after:  # white space behind a call is nobody's
            text = text.lstrip()
        if text:
            self._began, self._after = True, False
            out.append(Content(text))


class _End:
    """Where a call ends: at ``close`` outside every JSON string, or behind the JSON value itself if there is none.

    Goes over each character once, however it comes.
    """

    def __init__(self, close: str = "") -> None:
        self._close = close
        self._at = 0
        self._depth = 0
        self._string = self._escaped = self._opened = False

    def find(self, text: str) -> int | None:
        """The end in ``text``, which must begin as before; None while it has not come."""
        while self._at < len(text):
            char = text[self._at]
            if self._string:
                if self._escaped:
                    self._escaped = False
                elif char == "\\":
                    self._escaped = True
                elif char == '"':
                    self._string = False
            elif self._close and char == "<":
                ahead = text[self._at : self._at + len(self._close)]
                if ahead == self._close:
                    return self._at + len(self._close)
                if self._close.startswith(ahead):
                    return None  # may still become the closing tag
            elif char == '"':
                self._string = True
            elif char in "{[" and (self._opened or char == "{" or not text[: self._at].strip()):
                self._depth += 1
                self._opened = True
            elif char in "}]" and self._opened:
                self._depth -= 1
                if not self._close and self._depth <= 0:
                    self._at += 1
                    return self._at
            self._at += 1
        return None


def _overlap(text: str, opening: str) -> int:
    """Length of the longest end of ``text`` that ``opening`` could begin with."""
    return next((n for n in range(min(len(opening) - 1, len(text)), 0, -1) if text.endswith(opening[:n])), 0)


def _joined(events: list[Event]) -> list[Event]:
    out: list[Event] = []
    for event in events:
        if isinstance(event, Content) and out and isinstance(out[-1], Content):
            out[-1] = Content(out[-1].text + event.text)
        elif not isinstance(event, Content) or event.text:
            out.append(event)
    return out
