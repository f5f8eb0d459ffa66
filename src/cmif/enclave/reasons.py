"""Why each piece of a text leaves as it does, in words for the person who typed it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from cmif.enclave.detect import Detector, detect_all
from cmif.enclave.special import key, special
from cmif.enclave.words import spelling, word_class
from cmif.privacy.table import Table
from cmif.types import Kind, Piece


def told(pieces: Iterable[Piece], table: Table, detectors: Sequence[Detector]) -> list[dict[str, Any]]:
    """Pieces of one text as `cmif inspect` and the page show them, each with its ``reason``: "" where nothing touches.

    ``detectors`` look at the text again for what they found and the policy keeps because everybody knows it; none of
    them for a policy that looks for nothing. Nothing is drawn.
    """
    pieces = list(_joined(pieces))
    text = "".join(piece.text for piece in pieces)
    public = [(s.start, s.end, s.kind) for s in detect_all(text, detectors, (), keep_public=False)]
    out: list[dict[str, Any]] = []
    at = 0
    for piece in pieces:
        end = at + len(piece.text)
        if piece.kind == "text":
            for start, stop, kind in [(a, b, k) for a, b, k in public if k is not Kind.WORD and at <= a and b <= end]:
                out += _plain(text[at:start])
                out.append(_one(text[start:stop], text[start:stop], kind.value, "kept as public", 0.0))
                at = stop
            out += _plain(text[at:end])
        else:
            out.append(_one(piece.text, piece.sent, piece.kind, _reason(piece, table), piece.epsilon))
        at = end
    return out


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Neighbouring pieces of plain text as one: what everybody knows may be several words."""
    for plain, group in groupby(pieces, lambda piece: piece.kind == "text"):
        if plain:
            text = "".join(piece.text for piece in group)
            yield Piece(text, text, "text", 0.0)
        else:
            yield from group


def _reason(piece: Piece, table: Table) -> str:
    if piece.kind == "answer":
        return "the engine's own words"
    if piece.kind != Kind.WORD:
        return "surrogate" if piece.text != piece.sent else "surrogate, the same"
    if (form := special().forms.get(key(piece.text))) is not None and special().groups[form.group].hides(table.k):
        return "drawn as itself" if piece.text.casefold() == piece.sent.casefold() else f"drawn, {form.type}"
    cls = word_class(piece.text, table.index)
    if table.index(spelling(piece.text, cls), cls) is None:
        return "drawn, from every word"
    return "drawn as itself" if piece.text.casefold() == piece.sent.casefold() else "drawn"


def _plain(text: str) -> list[dict[str, Any]]:
    return [_one(text, text, "text", "", 0.0)] if text else []


def _one(text: str, sent: str, kind: str, reason: str, epsilon: float) -> dict[str, Any]:
    return {"text": text, "sent": sent, "kind": kind, "reason": reason, "epsilon": epsilon}
