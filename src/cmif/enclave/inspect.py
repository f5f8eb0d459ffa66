"""A dry run: what the engine would see of one text, token by token. Nothing is sent, remembered or charged."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cmif.enclave.detect import Detector, detect_all
from cmif.enclave.memo import MemoCipher
from cmif.enclave.policy import Policy
from cmif.enclave.sanitise import apply, draw, plan
from cmif.enclave.segment import segments
from cmif.privacy.table import Table
from cmif.types import Piece

_TOKEN = re.compile(r"\s*\S+|\s+")


@dataclass(frozen=True, slots=True)
class Inspection:
    """``pieces`` joined by ``text`` give the text, by ``sent`` what would be sent. ``detectors``: names of what ran."""

    pieces: tuple[Piece, ...]
    detectors: tuple[str, ...]

    @property
    def sent_text(self) -> str:
        return "".join(piece.sent for piece in self.pieces)

    @property
    def epsilon(self) -> float:
        return sum(piece.epsilon for piece in self.pieces)

    def as_json(self) -> dict[str, Any]:
        tokens = [
            {"text": p.text, "sent": p.sent, "kept": p.kept, "kind": p.kind, "epsilon": p.epsilon}
            for p in self.pieces
        ]
        return {
            "sent_text": self.sent_text,
            "epsilon": self.epsilon,
            "detectors": list(self.detectors),
            "tokens": tokens,
        }


def inspect(text: str, policy: Policy, detectors: Sequence[Detector], table: Table) -> Inspection:
    """One fresh draw for every entity and word of ``text``, as a new conversation would make.

    Raises :class:`DetectorError` as a real request would.
    """
    found = segments({"prompt": text})
    spans = [detect_all(s.text, detectors, s.private) if policy.entities else () for s in found]
    cipher, scope = MemoCipher(secrets.token_bytes(32)), b"inspect"
    planned = plan(found, spans, policy, table)
    drawn = draw(planned, {}, table, cipher, scope)
    sealed = {key: made.sealed for key, made in drawn.items()}
    costs = {key: made.epsilon for key, made in drawn.items()}
    done = apply([s.text for s in found], planned, sealed, costs, cipher, scope)
    ran = tuple(detector.name for detector in detectors) if policy.entities else ()
    return Inspection(tuple(token for row in done.pieces for piece in row for token in _tokens(piece)), ran)


def _tokens(piece: Piece) -> Sequence[Piece]:
    if piece.kind != "text":
        return (piece,)
    return [Piece(token, token, "text", 0.0) for token in _TOKEN.findall(piece.text)]
