"""A text in plain spaces, hyphens and ASCII forms, character for character, so that offsets stay what they are."""

from __future__ import annotations

_TABLE = {
    **dict.fromkeys((0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " "),
    **dict.fromkeys((*range(0x2010, 0x2014), 0x2212, 0xFE63), "-"),
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},  # full-width forms
    **{
        zero + i: chr(0x30 + i) for zero in (0x0660, 0x06F0, 0x0966) for i in range(10)
    },  # Arabic and Devanagari digits
}


def plain(text: str) -> str:
    """``text`` as a typist without special keys would have typed it; the same length.

    Word processors put non-breaking spaces and hyphens into phone numbers and IBANs; patterns need not know.
    """
    return text if text.isascii() else text.translate(_TABLE)
