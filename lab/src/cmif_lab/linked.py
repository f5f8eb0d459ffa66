"""Partial mentions in PUPA that get the matching part of the full name's surrogate: how often.

    python -m cmif_lab.linked PUPA_TNB.csv

A pair is a labelled unit and a longer labelled unit of the same prompt that begins or ends with it, both in the text.
It is linked if what is sent for the short one, standing by itself, is the first or the last part of what is sent for
the long one; kept if both leave as they are. Pairs of which the detectors miss one are counted apart.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter
from typing import cast

from cmif.enclave.conversation import Who
from cmif.enclave.detect import default_detectors
from cmif.enclave.draft import Drafts
from cmif.enclave.memo import Forgetful
from cmif.enclave.path import Conversations
from cmif.enclave.policy import PrivacyPolicy
from cmif.enclave.segment import Segment
from cmif.privacy.table import Table
from cmif.types import Piece

# Under `entities` no word is drawn from a table.
_BY_ITSELF = r"(?i)(?<![\w.@/-]){}(?![\w@/-]|\.\w)"
"""A mention that is no part of a longer word, address or host."""
_DRAFTS = Drafts(PrivacyPolicy.named("entities"), default_detectors(), cast(Table, None))


def sanitised(text: str) -> tuple[Piece, ...]:
    """``text`` as a first message under the level `entities`."""
    conversation = Conversations(bytes(32), Forgetful()).open(Who("linked"), ())
    texts = (Segment(text, "user", "messages[0].content"),)
    draft = _DRAFTS.plan(texts, conversation)
    return draft.write(conversation, _DRAFTS.draw(draft, conversation))[0]


def sent_at(pieces: tuple[Piece, ...], start: int, end: int) -> str:
    """What is sent for ``text[start:end]``, whole pieces of it."""
    out, at = "", 0
    for piece in pieces:
        a, b = max(start, at), min(end, at + len(piece.text))
        if a < b:
            out += piece.text[a - at : b - at] if piece.kept else piece.sent
        at += len(piece.text)
    return out


def by_itself(pieces: tuple[Piece, ...], mentions: list[re.Match[str]]) -> re.Match[str]:
    """The first of ``mentions`` that is no part of a longer piece ("Safran" of "Safran Electric"), else the first."""
    borders = {0}
    for piece in pieces:
        borders.add(max(borders) + len(piece.text))
    return next((m for m in mentions if {m.start(), m.end()} <= borders), mentions[0])


def pairs(units: list[str], text: str) -> list[tuple[list[re.Match[str]], list[re.Match[str]]]]:
    """The mentions of each (short, long) pair, the short one's outside every mention of the long one."""
    out = []
    for long in units:
        for short in units:
            ends = re.match(rf"{re.escape(short)}\b", long) or re.search(rf"\b{re.escape(short)}\Z", long)
            if ends and 3 <= len(short) < len(long):
                longs = list(re.finditer(_BY_ITSELF.format(re.escape(long)), text))
                shorts = [
                    m
                    for m in re.finditer(_BY_ITSELF.format(re.escape(short)), text)
                    if not any(x.start() <= m.start() < x.end() for x in longs)
                ]
                if longs and shorts:
                    out.append((shorts, longs))
    return out


def verdict(short: str, long: str, pieces: tuple[Piece, ...], a: re.Match[str], b: re.Match[str]) -> str:
    one, whole = sent_at(pieces, *a.span()), sent_at(pieces, *b.span())
    if one == short and whole == long:
        return "kept"
    if one == short or whole == long:
        return "missed"
    if whole.casefold().startswith(one.casefold()) or whole.casefold().endswith(one.casefold()):
        return "linked"
    return "apart"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--show", type=int, default=0, help="print so many pairs that are apart")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    with open(arguments.file, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            text = row["user_query"]
            found = pairs([u.strip() for u in row["pii_units"].split("||") if u.strip()], text)
            pieces = sanitised(text) if found else ()
            for shorts, longs in found:
                a, b = by_itself(pieces, shorts), by_itself(pieces, longs)
                said = verdict(a.group(), b.group(), pieces, a, b)
                counts[said] += 1
                if said in ("apart", "missed") and counts["shown"] < arguments.show:
                    counts["shown"] += 1
                    print(f"{said}:", *(f"{m.group()} -> {sent_at(pieces, *m.span())};" for m in (a, b)))
    shown = {k: counts[k] for k in ("linked", "apart", "kept", "missed")}
    print(
        shown, f"linked of both replaced: {counts['linked'] / max(1, counts['linked'] + counts['apart']):.3f}"
    )


if __name__ == "__main__":
    main()
