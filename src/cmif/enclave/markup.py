"""Where HTML tags, link targets and LaTeX's linking commands begin and end, character by character.

:class:`Html` is the tokeniser of WHATWG 13.2.5 as far as it decides what is text, begun at every ``<``;
:class:`Targets` follows CommonMark 0.31 (6.3, 6.4). Each reads the whole answer by itself, so that neither can be used
to blind the other: a bracket inside an attribute, a tag inside a broken link. Where renderers differ, more is taken for
markup.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from cmif.enclave.urls import is_url

_RAW = frozenset(
    ["script", "style", "iframe", "textarea", "title", "xmp", "noscript", "noembed", "noframes", "plaintext"]
)
"""Elements whose content is no markup: they end at their own end tag only."""
_NESTED = frozenset(["svg", "math", "object", "template"])
_LOADING = _RAW | _NESTED
"""Elements whose whole content is loaded, run or hidden."""
_KNOWN = _LOADING | frozenset(
    ["a", "area", "audio", "base", "body", "button", "details", "div", "embed", "form", "frame", "frameset", "img",
     "image", "input", "isindex", "link", "marquee", "meta", "p", "portal", "select", "source", "span", "table", "td",
     "track", "video"]
)  # fmt: skip
"""Elements that can load, run or style: what opens a tag in a block of code that is only shown."""
_SPACES = frozenset(" \t\n\r\f")
_READINGS = 32
"""Different readings that are followed at most; of an answer with more, the rest counts as one tag."""
_TAIL = 256
_SOFT = 512
_LATEX = re.compile(
    r"\\(?:href|url|includegraphics|input|include|import|hyperref|nolinkurl|path|lstinputlisting|bibliography|require"
    r"|write18|special|html[A-Z][a-z]+)\*?\s*(?:\[[^\]]*\]\s*)*\Z"
)
_ADJACENT = re.compile(r"\]\Z")
_NEAR = re.compile(r"\][\s\\\u200b-\u200f\u2060\ufeff]{1,16}\Z")


class _State(Enum):
    TEXT = auto()
    OPEN = auto()  # "<"
    END = auto()  # "</"
    NAME = auto()
    BEFORE = auto()  # before an attribute
    ATTRIBUTE = auto()
    AFTER = auto()  # after an attribute's name
    VALUE = auto()  # before a value
    BARE = auto()
    SINGLE = auto()
    DOUBLE = auto()
    BANG = auto()  # "<!"
    COMMENT = auto()
    BOGUS = auto()
    RAW = auto()


class Html:
    """All readings of the answer as HTML at once: a renderer of Markdown takes a ``<`` for a tag only where it finds a
    whole one, so that each ``<`` may begin a tag whether or not an earlier one did.

    ``shown``: the text is code that a client shows; then only tags that can load or run count.
    """

    def __init__(self) -> None:
        self.shown = False
        self.block = False
        """Whether a tag began since the last blank line, so that what follows may be an HTML block."""
        self._readings: list[_Reading] = []
        self._lost = False

    @property
    def closed(self) -> bool:
        """Whether the next character stands in a tag, a comment or an element that loads."""
        return self._lost or any(reading.closed for reading in self._readings)

    def feed(self, text: str) -> None:
        if self._lost or (not self._readings and "<" not in text and "＜" not in text):
            return
        for char in text:
            for reading in self._readings:
                reading.step(char)
                self.block |= reading.named
            self._readings = [reading for reading in self._readings if reading.alive]
            if char in "<＜":
                self._merge()
                if self._lost:
                    return
                self._readings.append(_Reading(self.shown))

    def blank_line(self) -> None:
        """A blank line ends a tag that has no quote open and cannot load; one that loads the renderer will end."""
        for reading in self._readings:
            reading.blank_line()
        self._readings = [reading for reading in self._readings if reading.alive]
        self.block = False

    def _merge(self) -> None:
        self._readings = list({reading.key: reading for reading in self._readings}.values())
        if len(self._readings) > _READINGS:
            self._lost, self._readings = True, []


class _Reading:
    """One tag, from after its ``<``, and the elements that it opens."""

    def __init__(self, shown: bool) -> None:
        self.named = False
        self._shown = shown
        self._state = _State.OPEN
        self._name = ""
        self._ends = False  # an end tag
        self._slash = False
        self._recent = ""
        self._elements: list[str] = []  # those open that load

    @property
    def closed(self) -> bool:
        quiet = self._state in (_State.TEXT, _State.OPEN)
        named = not (self._shown and self._state in (_State.NAME, _State.END))
        return bool(self._elements) or (not quiet and named)

    @property
    def alive(self) -> bool:
        return self._state is not _State.TEXT or bool(self._elements)

    @property
    def key(self) -> object:
        name = self._name if self._state is _State.NAME or self._name in _KNOWN else ""
        return self._state, name, self._ends, self._slash, self._recent, tuple(self._elements)

    def blank_line(self) -> None:
        if self._state in (_State.COMMENT, _State.RAW, _State.SINGLE, _State.DOUBLE):
            return
        if self._name not in _KNOWN or (len(self._name) == 1 and self._state is not _State.VALUE):
            self._state = _State.TEXT

    def step(self, char: str) -> None:
        match self._state:
            case _State.TEXT:
                if char in "<＜":
                    self._state = _State.OPEN
            case _State.OPEN:
                self._open(char)
            case _State.END:
                if char.isascii() and char.isalpha():
                    self._begin(char, ends=True)
                else:
                    self._state = _State.TEXT if char == ">" else _State.BOGUS
            case _State.NAME:
                if char in _SPACES or char in "/>":
                    self._named(char)
                elif len(self._name) < 32:
                    self._name += char.lower()
            case _State.VALUE if char in "\"'":
                self._state = _State.DOUBLE if char == '"' else _State.SINGLE
            case _State.SINGLE | _State.DOUBLE:
                if char == ('"' if self._state is _State.DOUBLE else "'"):
                    self._state = _State.BEFORE
            case _State.BANG:
                self._recent += char
                if self._recent == "--":
                    self._state, self._recent = _State.COMMENT, ""
                elif not "--".startswith(self._recent):
                    self._state = _State.TEXT if char == ">" else _State.BOGUS
            case _State.COMMENT:
                self._recent = (self._recent + char)[-3:]
                if self._recent == "-->":
                    self._state = _State.TEXT
            case _State.BOGUS:
                if char == ">":
                    self._state = _State.TEXT
            case _State.RAW:
                self._in_raw(char)
            case _:
                self._in_tag(char)

    def _open(self, char: str) -> None:
        if char.isascii() and char.isalpha():
            self._begin(char, ends=False)
        elif char == "/":
            self._state = _State.END
        elif char == "!":
            self._state, self._recent = _State.BANG, ""
        elif char == "?":
            self._state = _State.BOGUS
        elif char not in "<＜":
            self._state = _State.TEXT

    def _begin(self, char: str, *, ends: bool) -> None:
        self._state, self._name, self._ends, self._slash = _State.NAME, char.lower(), ends, False

    def _named(self, char: str) -> None:
        if self._shown and not self._elements and self._name not in _KNOWN:
            self._state = _State.TEXT
            return
        self.named = True
        self._state = _State.BEFORE
        self._in_tag(char)

    def _in_tag(self, char: str) -> None:
        if char == ">":
            self._close()
            return
        state = self._state
        self._slash = char == "/" and state is not _State.BARE
        if state is _State.VALUE:
            self._state = state if char in _SPACES else _State.BARE
        elif state is _State.BARE:
            self._state = _State.BEFORE if char in _SPACES else state
        elif char in _SPACES:
            self._state = _State.AFTER if state in (_State.ATTRIBUTE, _State.AFTER) else _State.BEFORE
        elif char == "/":
            self._state = _State.BEFORE
        elif char == "=" and state in (_State.ATTRIBUTE, _State.AFTER):
            self._state = _State.VALUE
        else:
            self._state = _State.ATTRIBUTE

    def _close(self) -> None:
        self._state = _State.TEXT
        name = self._name
        if self._ends:
            if self._elements and self._elements[-1] == name:
                self._elements.pop()
        elif name in _LOADING and not (self._slash and name in ("svg", "math")):
            self._elements.append(name)
            if name in _RAW:
                self._state, self._recent = _State.RAW, ""

    def _in_raw(self, char: str) -> None:
        if char in _SPACES or char in "/>":
            if self._recent.endswith(f"</{self._elements[-1]}"):
                ended = self._elements.pop()
                if not self._elements or self._elements[-1] != ended:
                    self._name, self._ends, self._slash = "", True, False
                    self._state = _State.TEXT if char == ">" else _State.BEFORE
            elif self._elements[-1] == "script" and self._recent.endswith("<script"):
                self._elements.append("script")  # "<!--<script>" hides the first end tag
        self._recent = (self._recent + char.lower())[-16:]


class Targets:
    """Targets of links and images, and the first argument of LaTeX's commands that link or load."""

    def __init__(self) -> None:
        self._tail = ""
        self._target = 0  # round brackets open
        self._angle = False
        self._escape = False
        self._soft: str | None = None  # content of round brackets that stand near a "]", not at it
        self._braces = 0

    @property
    def closed(self) -> bool:
        if self._soft is not None and (len(self._soft) >= _SOFT or is_url(self._soft)):
            return True
        return bool((self._target and self._soft is None) or self._braces)

    def feed(self, text: str) -> None:
        if self._target or self._braces or "(" in text or "{" in text:
            for char in text:
                self._step(char)
        else:
            self._tail = (self._tail + text)[-_TAIL:]

    def blank_line(self) -> None:
        """A blank line ends a target; nothing but its brace ends a LaTeX argument."""
        self._target, self._soft, self._angle, self._escape = 0, None, False, False

    def _step(self, char: str) -> None:
        if self._braces:
            self._braces += (char == "{") - (char == "}") if not self._tail.endswith("\\") else 0
        elif char == "{" and _LATEX.search(self._tail):
            self._braces = 1
        if self._target:
            self._in_target(char)
        elif char == "(" and _ADJACENT.search(self._tail):
            self._target = 1
        elif char == "(" and _NEAR.search(self._tail):
            self._target, self._soft = 1, ""
        self._tail = self._tail[1 - _TAIL :] + char

    def _in_target(self, char: str) -> None:
        if self._soft is not None and not char.isspace() and len(self._soft) < _SOFT:
            self._soft += char
        if self._escape:
            self._escape = False
        elif char == "\\":
            self._escape = True
        elif self._angle:
            self._angle = char not in ">\n"
        elif char == "<" and self._tail[-1:] in ("(", " ", "\t", "\n"):
            self._angle = True
        elif char in "()":
            self._target += 1 if char == "(" else -1
            if not self._target:
                self._soft = None
