"""A dry run: what the engine would see, token by token. Nothing is sent, remembered or charged."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from cmif.enclave.conversation import Who
from cmif.enclave.cover import Covers, Guarantee
from cmif.enclave.detect import Detector
from cmif.enclave.draft import Drafts
from cmif.enclave.memo import Forgetful
from cmif.enclave.path import Conversations
from cmif.enclave.policy import PrivacyPolicy
from cmif.enclave.segment import replace, segments
from cmif.privacy.table import Table
from cmif.types import Piece

_TOKEN = re.compile(r"\s*\S+|\s+")


@dataclass(frozen=True, slots=True)
class Inspection:
    """``pieces`` joined by ``text`` give the texts, by ``sent`` what would be sent; ``request`` is what the engine's
    side of the template would get. ``detectors``: names of what ran. A covered word stands as its group.
    """

    pieces: tuple[Piece, ...]
    request: Mapping[str, Any]
    detectors: tuple[str, ...]
    guarantee: Guarantee

    @property
    def sent_text(self) -> str:
        return "".join(piece.sent for piece in self.pieces)

    @property
    def epsilon(self) -> float:
        return sum(piece.epsilon for piece in self.pieces)

    def as_json(self) -> dict[str, Any]:
        """For a text: ``sent_text``; for a chat: ``sent_messages``; for both the cost and the tokens."""
        tokens = [
            {"text": p.text, "sent": p.sent, "kept": p.kept, "kind": p.kind, "epsilon": p.epsilon}
            for p in self.pieces
        ]
        given = self.guarantee
        loss = {"mode": given.mode, "k": given.k, "eps_in": _finite(given.eps_in), "eps_out": _finite(given.eps_out)}
        rest = {"epsilon": self.epsilon, **loss, "detectors": list(self.detectors), "tokens": tokens}
        if "messages" in self.request:
            messages = [{"role": m["role"], "content": m.get("content")} for m in self.request["messages"]]
            tools = {"sent_tools": self.request["tools"]} if self.request.get("tools") else {}
            return {"sent_messages": messages, **tools, **rest}
        return {"sent_text": self.sent_text, **rest}


def inspect(
    request: Mapping[str, Any], policy: PrivacyPolicy, detectors: Sequence[Detector], table: Table
) -> Inspection:
    """What a new conversation would send of ``request``, an OpenAI chat or completion body, with fresh draws.

    Earlier answers in it are taken as texts of the client, as those of any history that this gateway did not see
    being written. Raises :class:`InputError` and :class:`DetectorError` as a real request would.
    """
    texts = segments(request)
    conversation = Conversations(secrets.token_bytes(32), Forgetful()).open(Who("inspect"), texts)
    drafts = Drafts(policy, detectors, table)
    draft = drafts.plan(texts, conversation)
    covered = None
    if policy.cover:
        covered = Covers(policy.cover.k, policy.cover.words).of(draft, conversation, may=not request.get("tools"))
        draft = covered.draft if covered else draft
    fresh = drafts.draw(draft, conversation)
    written = draft.priced(draft.write(conversation, fresh), fresh)
    sent = replace(request, ["".join(piece.sent for piece in pieces) for pieces in written])
    tokens = tuple(token for row in written for piece in row for token in _tokens(piece))
    ran = tuple(d.name for d in detectors) if policy.entities else ()
    return Inspection(tokens, sent, ran, Guarantee.of(policy, table, covered=covered is not None))


def _finite(epsilon: float) -> float | None:
    """JSON has no infinity."""
    return epsilon if isfinite(epsilon) else None


def _tokens(piece: Piece) -> Sequence[Piece]:
    if piece.kind != "text":
        return (piece,)
    return [Piece(token, token, "text", 0.0) for token in _TOKEN.findall(piece.text)]
