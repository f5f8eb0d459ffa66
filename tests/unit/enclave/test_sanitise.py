from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from cmif.enclave.inspect import inspect
from cmif.enclave.nodes import Drawn, Name
from cmif.enclave.policy import PrivacyPolicy, detectors_for
from cmif.enclave.sanitise import draw, units, write
from cmif.privacy.table import Table
from cmif.types import Kind, Piece, Span, WordClass
from cmif_server.tables.build import build_table


@pytest.fixture(scope="module")
def table() -> Table:
    """Eight words, eight names, eight numbers; K = 4."""
    words = ("pain fever cough rash chill ache cramp itch Anna Boris Carla Denis Elena Felix Gina Hugo "
             "1 2 3 4 5 6 7 8").split()  # fmt: skip
    classes = [WordClass.WORD] * 8 + [WordClass.NAME] * 8 + [WordClass.NUMBER] * 8
    vectors = np.random.default_rng(0).normal(size=(24, 6)).astype(np.float32)
    return build_table(tuple(words), np.array(classes, dtype=np.uint8), vectors, bundle="0" * 64, k=4, gamma=Fraction(1, 40))


@dataclass
class Done:
    pieces: list[tuple[Piece, ...]]
    drawn: dict[Name, Drawn]
    epsilon: float

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple("".join(piece.sent for piece in row) for row in self.pieces)


def sanitise(
    texts: Sequence[str], spans: Sequence[Sequence[Span]], level: str, table: Table, known: dict[Name, Drawn] | None = None
) -> Done:
    known = dict(known or {})
    found = [
        units(text, row, {}, PrivacyPolicy.named(level), table, prose=True) if level != "off" else ()
        for text, row in zip(texts, spans, strict=True)
    ]
    fresh = draw([u for row in found for u in row], known.get, {d.sent for d in known.values()}, table)
    known.update(fresh)
    return Done([write(t, row, known.get) for t, row in zip(texts, found, strict=True)], known, sum(d.epsilon for d in fresh.values()))


def find(text: str, *found: tuple[str, Kind]) -> list[Span]:
    return [Span(text.index(word), text.index(word) + len(word), kind, "test") for word, kind in found]


def test_off_changes_nothing(table: Table) -> None:
    text = "John Smith has pain."
    done = sanitise([text], [find(text, ("John Smith", Kind.PERSON))], "off", table)
    assert done.texts == (text,)
    assert done.epsilon == 0


def test_a_surname_alone_shares_the_draw_of_the_full_name(table: Table) -> None:
    texts = ["Smith called.", "John Smith answered SMITH."]
    spans = [find(texts[0], ("Smith", Kind.PERSON)), [*find(texts[1], ("John Smith", Kind.PERSON), ("SMITH", Kind.PERSON))]]
    done = sanitise(texts, spans, "entities", table)
    sent = {piece.text: piece.sent for row in done.pieces for piece in row if piece.kind == "person"}
    assert sent["SMITH"] == sent["Smith"].upper()
    assert done.texts[0] == f"{sent['Smith']} called."
    assert done.texts[1] == f"{sent['John']} {sent['Smith']} answered {sent['SMITH']}."
    assert done.epsilon == 0


def test_two_people_never_share_a_surrogate(table: Table) -> None:
    names = [f"Person{chr(65 + i)}{chr(97 + i)}" for i in range(26)]
    text = " and ".join(names)
    done = sanitise([text], [find(text, *((n, Kind.PERSON) for n in names))], "entities", table)
    assert len({d.sent for d in done.drawn.values()}) == 26


def test_remembered_draws_are_reused_and_free(table: Table) -> None:
    text = "pain and fever"
    first = sanitise([text], [[]], "content", table)
    again = sanitise([text + " and Pain"], [[]], "content", table, first.drawn)
    assert first.epsilon == pytest.approx(2 * table.eps_in)
    assert again.epsilon == 0
    assert again.texts[0].startswith(first.texts[0])
    pain = first.pieces[0][0].sent
    assert again.texts[0].endswith(pain.capitalize())


def test_words_outside_the_lexicon_get_a_word_of_their_class_and_cost_nothing(table: Table) -> None:
    for word, cls in (("zyxwv", WordClass.WORD), ("Zyxwv", WordClass.NAME), ("987654", WordClass.NUMBER)):
        seen = Counter(sanitise([word], [[]], "content", table).texts[0] for _ in range(200))
        inside = {w for w, c in zip(table.words, table.classes, strict=True) if c == cls}
        assert set(seen) <= inside | {w.capitalize() for w in inside}
        assert word not in seen
        assert len(seen) >= 6  # uniform over eight: fewer than six in 200 draws has probability below 1e-10
        assert sanitise([word], [[]], "content", table).epsilon == 0


def test_content_keeps_stopwords_and_all_does_not(table: Table) -> None:
    done = sanitise(["the pain"], [[]], "content", table)
    assert done.texts[0].startswith("the ")
    kinds = [p.kind for p in sanitise(["the pain"], [[]], "all", table).pieces[0] if p.text.strip()]
    assert kinds == ["word", "word"]


@pytest.mark.parametrize("level", ["entities", "content"])
def test_initials_before_a_name_leave_once(table: Table, level: str) -> None:
    text = "by A. Okafor"
    done = sanitise([text], [find(text, ("Okafor", Kind.PERSON))], level, table)
    assert "".join(piece.text for piece in done.pieces[0]) == text
    assert "Okafor" not in done.texts[0]


def test_sensitive_touches_special_words_only(table: Table) -> None:
    text = "mild pain today"
    done = sanitise([text], [find(text, ("pain", Kind.WORD))], "sensitive", table)
    assert [p.kind for p in done.pieces[0]] == ["text", "word", "text"]
    assert done.epsilon == table.eps_in
    assert sanitise([text], [find(text, ("pain", Kind.WORD))], "entities", table).texts == (text,)


def test_identifiers_keep_their_words_but_lose_their_entities(table: Table) -> None:
    text = "pain of Anna"
    found = units(text, find(text, ("Anna", Kind.PERSON)), {}, PrivacyPolicy.named("content"), table, prose=False)
    assert [(u.kind, u.written) for u in found] == [(Kind.PERSON, "Anna")]


@pytest.mark.parametrize("policy", ["entities", "sensitive", "content", "all"])
def test_inspection_adds_up(table: Table, policy: str) -> None:
    text = "Dr. John Smith (j.smith@mail.org) has pain,  fever\nand diabetes."
    seen: dict[str, Any] = inspect({"prompt": text}, PrivacyPolicy.named(policy), detectors_for(PrivacyPolicy.named(policy)), table).as_json()
    assert "".join(t["text"] for t in seen["tokens"]) == text
    assert "".join(t["sent"] for t in seen["tokens"]) == seen["sent_text"]
    assert seen["epsilon"] == pytest.approx(sum(t["epsilon"] for t in seen["tokens"]))
    assert all(t["kept"] == (t["text"] == t["sent"]) for t in seen["tokens"])
    assert "j.smith" not in seen["sent_text"]


def test_a_policy_s_own_lists_are_found(table: Table) -> None:
    policy = PrivacyPolicy.parse({"level": "sensitive", "words": ["itch"], "private": ["Project Falcon"]})
    seen = inspect({"prompt": "itch in Project Falcon"}, policy, detectors_for(policy), table).as_json()
    kinds = {t["text"]: t["kind"] for t in seen["tokens"] if t["kind"] != "text"}
    assert kinds == {"itch": "word", "Project Falcon": "private"}
