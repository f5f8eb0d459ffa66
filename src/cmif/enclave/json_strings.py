"""Which characters of a JSON text stand inside a string, followed as the text streams (RFC 8259)."""

from __future__ import annotations

from collections.abc import Callable

_SPACES = frozenset(" \t\n\r")
_SCALAR = frozenset("0123456789+-.eEtrufalsn")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class JsonStrings:
    """``lenient``: what is no JSON is passed over, as in an answer asked for as JSON; else it ends the following
    (:attr:`alive`), as in one that only began like JSON.

    ``begin`` is called when a string begins, ``read`` with every character that it stands for.
    """

    def __init__(self, lenient: bool, begin: Callable[[], None], read: Callable[[str], None]) -> None:
        self.alive = True
        self.inside = False
        self.escape = False
        """Whether the next character belongs to an escape."""
        self.previous = ""
        """What the last character of the string stands for, "" at its beginning."""
        self._lenient = lenient
        self._broken = False
        self._begin = begin
        self._read = read
        self._open: list[str] = []
        self._expect = "value"
        self._scalar = False
        self._hex = ""

    def feed(self, char: str) -> None:
        if self.inside:
            self._in_string(char)
        elif self._broken:
            if char == '"':
                self._quote()
        elif self._scalar and char in _SCALAR:
            return
        else:
            if self._scalar:
                self._scalar = False
                self._valued()
            if char not in _SPACES and not self._outside(char):
                self._broken, self.alive = self._lenient, self._lenient
                if char == '"' and self.alive:
                    self._quote()

    def _in_string(self, char: str) -> None:
        if self._hex:
            self._hex += char
            if len(self._hex) == 5:
                self._say(_code(self._hex[1:]))
                self._hex, self.escape = "", False
        elif self.escape:
            if char == "u":
                self._hex = "u"
                return
            self.escape = False
            self._say(_ESCAPES.get(char, char))
        elif char == "\\":
            self.escape = True
        elif char == '"':
            self.inside = False
            if self._expect in ("key", "member"):
                self._expect = "colon"
            else:
                self._valued()
        else:
            self._say(char)

    def _say(self, char: str) -> None:
        self.previous = char
        self._read(char)

    def _quote(self) -> None:
        self.inside, self.previous = True, ""
        self._begin()

    def _valued(self) -> None:
        self._expect = "comma" if self._open else "value after value"

    def _outside(self, char: str) -> bool:
        expect = self._expect
        if char == '"' and expect in ("value", "element", "key", "member"):
            self._quote()
        elif char in "{[" and expect in ("value", "element", "value after value"):
            self._open.append(char)
            self._expect = "member" if char == "{" else "element"
        elif (char == "}" and expect == "member") or (char == "]" and expect == "element"):
            self._close()
        elif char in _SCALAR and expect in ("value", "element"):
            self._scalar = True
        elif char == ":" and expect == "colon":
            self._expect = "value"
        elif char == "," and expect == "comma":
            self._expect = "key" if self._open[-1] == "{" else "value"
        elif expect == "comma" and char == ("}" if self._open[-1] == "{" else "]"):
            self._close()
        else:
            return False
        return True

    def _close(self) -> None:
        self._open.pop()
        self._valued()


def _code(digits: str) -> str:
    try:
        return chr(int(digits, 16))
    except ValueError:
        return "\ufffd"
