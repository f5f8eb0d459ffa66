from __future__ import annotations

from pathlib import Path

import pytest

from cmif.enclave.inspect import inspect
from cmif.enclave.policy import PrivacyPolicy, detectors_for
from cmif.enclave.reasons import told
from cmif.gateway.bundles import open_bundle
from cmif.privacy.table import Table
from cmif.types import Piece


@pytest.fixture(scope="module")
def table(tiny_split: Path) -> Table:
    return open_bundle(tiny_split / "client").table


def test_each_piece_says_why_it_leaves_as_it_does(table: Table) -> None:
    text = "Write to Eleanor Whitfield. New York was severe."
    policy = PrivacyPolicy.named("sensitive")
    pieces = [*inspect({"prompt": text[:-7]}, policy, detectors_for(policy), table).pieces]
    pieces += [Piece("severe", "mild", "word", 0.5), Piece(".", ".", "text", 0.0)]
    shown = told(pieces, table, detectors_for(policy), policy)
    assert "".join(piece["text"] for piece in shown) == text
    reasons = {piece["text"]: piece["reason"] for piece in shown}
    assert reasons["Eleanor"] == reasons["Whitfield"] == "surrogate"
    assert reasons["New York"] == "kept as public"
    assert {piece["text"]: piece["category"] for piece in shown if piece["category"]} == {"New York": "place"}
    assert reasons["severe"] == "drawn"
    assert reasons["."] == ""


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (Piece("severe", "Severe", "word", 0.5), "drawn as itself"),
        (Piece("asthma", "lupus", "word", 0.0), "drawn, condition"),
        (Piece("asthma", "Asthma", "word", 0.0), "drawn as itself"),
        (Piece("qqzzx", "mild", "word", 0.0), "drawn, from every word"),
        (Piece("3 May", "3 May", "date", 0.0), "surrogate, the same"),
        (Piece("so it said", "so it said", "answer", 0.0), "the engine's own words"),
    ],
)
def test_what_was_drawn_and_what_the_engine_wrote_are_told_apart(table: Table, piece: Piece, reason: str) -> None:
    [shown] = told([piece], table, (), PrivacyPolicy.named("sensitive"))
    assert shown["reason"] == reason
