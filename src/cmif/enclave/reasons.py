"""Why each piece of a text leaves as it does, in words for the person who typed it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from cmif.enclave.detect import Detector, detect
from cmif.enclave.policy import PrivacyPolicy
from cmif.enclave.special import key, special
from cmif.enclave.words import spelling, word_class
from cmif.privacy.table import Table
from cmif.types import Kind, Piece


def told(
    pieces: Iterable[Piece], table: Table, detectors: Sequence[Detector], policy: PrivacyPolicy
) -> list[dict[str, Any]]:
    """Pieces of one text as `cmif inspect` and the page show them, each with its ``reason``: "" where nothing touches.

    ``detectors`` look at the text again for what they found and ``policy`` keeps because everybody knows it;
    ``category`` says what it is known as ("place", "work"; "question": it stands in one of general knowledge), "" for
    all else. Nothing is drawn.
    """
    pieces = list(_joined(pieces))
    text = "".join(piece.text for piece in pieces)
    public = detect(text, detectors).kept if policy.entities and policy.keeps_public else ()
    out: list[dict[str, Any]] = []
    at = 0
    for piece in pieces:
        end = at + len(piece.text)
        if piece.kind == "text":
            for name in [k for k in public if k.kind is not Kind.WORD and at <= k.start and k.end <= end]:
                out += _plain(text[at : name.start])
                written = text[name.start : name.end]
                out.append(_one(written, written, name.kind.value, "kept as public", 0.0, name.reason))
                at = name.end
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


def _one(
    text: str, sent: str, kind: str, reason: str, epsilon: float, category: str = ""
) -> dict[str, Any]:
    return {"text": text, "sent": sent, "kind": kind, "reason": reason, "category": category, "epsilon": epsilon}
