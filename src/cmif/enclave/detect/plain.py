"""A text as its reader sees it: plain spaces, hyphens and ASCII forms, nothing invisible, escapes undone.

A pattern or a word list knows one spelling of "a.krol@example.com"; pasted text has others: a zero-width space inside,
``%40``, ``&#64;``, an accent as a character of its own. :func:`readings` gives what detectors read, and every
:class:`Reading` carries a span back to the text it was made from, so that an offset never means anything else.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

_TABLE = {
    **dict.fromkeys((0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " "),
    **dict.fromkeys((*range(0x2010, 0x2014), 0x2212, 0xFE63), "-"),
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},  # full-width forms
    **{
        zero + i: chr(0x30 + i) for zero in (0x0660, 0x06F0, 0x0966) for i in range(10)
    },  # Arabic and Devanagari digits
}
_TYPED = re.compile(f"[{''.join(map(chr, _TABLE))}]")
# Drawn as nothing: soft hyphen, grapheme joiner, zero-width and direction marks, byte-order mark, variation
# selectors, tags.
_HIDDEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f"
    "\ufeff\U000e0000-\U000e007f"
)
_NOTHING = re.compile(f"[{_HIDDEN}]+")
_INVISIBLE = re.compile(f"[{_HIDDEN}]+|.[\u0300-\u036f]+")
_ESCAPED = re.compile(
    r"(?:%[0-9A-Fa-f]{2})++|&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});|\\u[0-9A-Fa-f]{4}"
    r"|(?:\\x[0-9A-Fa-f]{2})++"
)
# A file's name says words joined by signs: "Farthing_Gwendolyn_2024-03-11.docx".
_DOCUMENT = re.compile(
    r"(?<![\w.-])(?=[\w.-]{0,120}[^\W\d_][_-])[\w.-]{3,120}\.(?i:docx?|odt|rtf|txt|pdf|pages|xlsx?|ods|csv|tsv|pptx?|eml|msg|"
    r"ics|vcf|jpe?g|png|gif|tiff?|heic|bmp|dcm|mp[34]|m4a|wav|mov|avi|zip|rar|7z|gz|bak)(?!\w)"
)
_JOINT = re.compile(r"(?<=[^\W\d_])[_-]|[_-](?=[^\W\d_])|\.(?=[^\W\d_]\w{1,4}\Z)")
# Scripts written without spaces between words: a number that touches them is as free as one between spaces.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """``text`` as detectors read it. ``starts[i]``: where stretch ``i`` begins in ``text``; ``source[i]``: where it
    begins in the original; ``exact[i]``: whether the stretch is the original's, character for character.
    """

    text: str
    starts: tuple[int, ...] = (0,)
    source: tuple[int, ...] = (0,)
    exact: tuple[bool, ...] = (True,)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """``text[start:end]`` in offsets of the original; a stretch that was rewritten counts whole."""
        return self._at(start)[0], self._at(end - 1)[1]

    def _at(self, position: int) -> tuple[int, int]:
        i = bisect_right(self.starts, position) - 1
        if self.exact[i]:
            begin = self.source[i] + position - self.starts[i]
            return begin, begin + 1
        return self.source[i], self.source[i + 1]


def plain(text: str) -> str:
    """``text`` as a typist without special keys would have typed it; the same length.

    Word processors put non-breaking spaces and hyphens into phone numbers and IBANs; patterns need not know.
    """
    return text if text.isascii() else _TYPED.sub(lambda match: _TABLE[ord(match.group())], text)


def lowered(text: str) -> str:
    """``text`` in lower case, the same length: a pattern that ignores case is several times slower."""
    lower = text.lower()
    return (
        lower if len(lower) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    )


def spaced(text: str) -> str:
    """``text`` with a bar for every character of a script without spaces, the same length: a pattern's ``\\w`` is
    meant for the letters around a number in English and must not join ``カード4539148803436467``.
    """
    return text if text.isascii() else _UNSPACED.sub("|", text)


def readings(text: str) -> tuple[Reading, ...]:
    """What detectors read of ``text``: it without invisible characters and, if it has any, also with its percent
    escapes, HTML entities, ``\\u`` and ``\\x`` escapes undone (also, because a URL that is decoded ends at its first
    space), and with the words of documents' names apart.
    """
    seen = Reading(plain(text))
    if not text.isascii():
        seen = _rewritten(text, _INVISIBLE, _visible)
        seen = Reading(plain(seen.text), seen.starts, seen.source, seen.exact)
    out = [seen]
    if _ESCAPED.search(text):
        decoded = _rewritten(text, _ESCAPED, _unescaped)
        out.append(Reading(plain(decoded.text), decoded.starts, decoded.source, decoded.exact))
    if (apart := _DOCUMENT.sub(lambda match: _JOINT.sub(" ", match.group()), text)) != text:
        out.append(Reading(plain(apart)))
    return tuple(out)


def _visible(written: str) -> str:
    return unicodedata.normalize("NFC", _NOTHING.sub("", written))


def _unescaped(written: str) -> str:
    if written[0] == "%":
        return bytes.fromhex(written.replace("%", "")).decode("utf-8", "replace")
    if written[:2] == "\\x":
        return bytes.fromhex(written.replace("\\x", "")).decode("utf-8", "replace")
    if written[0] == "\\":
        code = int(written[2:], 16)
        return chr(code) if not 0xD800 <= code <= 0xDFFF else "\ufffd"
    return html.unescape(written)


def _rewritten(text: str, pattern: re.Pattern[str], rewrite: Callable[[str], str]) -> Reading:
    parts: list[str] = []
    starts: list[int] = []
    source: list[int] = []
    exact: list[bool] = []
    length = position = 0
    for match in pattern.finditer(text):
        for part, begin, kept in (
            (text[position : match.start()], position, True),
            (rewrite(match.group()), match.start(), False),
        ):
            if part:
                parts.append(part)
                starts.append(length)
                source.append(begin)
                exact.append(kept)
                length += len(part)
        position = match.end()
    starts.append(length)
    source.append(position)
    exact.append(True)
    parts.append(text[position:])
    return Reading("".join(parts), tuple(starts), tuple(source), tuple(exact))
