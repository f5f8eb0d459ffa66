from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from cmif.enclave.inspect import inspect
from cmif.enclave.memo import MemoCipher
from cmif.enclave.policy import Policy, detectors_for
from cmif.enclave.sanitise import Sanitised, apply, draw, plan
from cmif.enclave.segment import Segment
from cmif.privacy.build import build_table
from cmif.privacy.table import Table
from cmif.types import Kind, Span, WordClass

CIPHER, SCOPE = MemoCipher(b"k" * 32), b"conversation"


@pytest.fixture(scope="module")
def table() -> Table:
    """Eight words, eight names, eight numbers; K = 4."""
    words = ("pain fever cough rash chill ache cramp itch Anna Boris Carla Denis Elena Felix Gina Hugo "
             "1 2 3 4 5 6 7 8").split()  # fmt: skip
    classes = [WordClass.WORD] * 8 + [WordClass.NAME] * 8 + [WordClass.NUMBER] * 8
    vectors = np.random.default_rng(0).normal(size=(24, 6)).astype(np.float32)
    return build_table(tuple(words), np.array(classes, dtype=np.uint8), vectors, bundle="0" * 64, k=4, gamma=Fraction(1, 40))


def sanitise(
    texts: Sequence[str], spans: Sequence[Sequence[Span]], level: str, table: Table, known: dict[bytes, bytes] | None = None
) -> tuple[Sanitised, dict[bytes, bytes], float]:
    segments = [Segment(text, "user", f"messages[{i}].content") for i, text in enumerate(texts)]
    planned = plan(segments, spans, Policy.named(level), table)
    made = draw(planned, known or {}, table, CIPHER, SCOPE)
    sealed = {**(known or {}), **{key: d.sealed for key, d in made.items()}}
    costs = {key: d.epsilon for key, d in made.items()}
    return apply(texts, planned, sealed, costs, CIPHER, SCOPE), sealed, sum(costs.values())


def find(text: str, *found: tuple[str, Kind]) -> list[Span]:
    return [Span(text.index(word), text.index(word) + len(word), kind, "test") for word, kind in found]


def test_off_changes_nothing(table: Table) -> None:
    text = "John Smith has pain."
    done, _, epsilon = sanitise([text], [find(text, ("John Smith", Kind.PERSON))], "off", table)
    assert done.texts == (text,)
    assert epsilon == 0


def test_a_surname_alone_shares_the_draw_of_the_full_name(table: Table) -> None:
    texts = ["Smith called.", "John Smith answered SMITH."]
    spans = [find(texts[0], ("Smith", Kind.PERSON)), [*find(texts[1], ("John Smith", Kind.PERSON), ("SMITH", Kind.PERSON))]]
    done, _, epsilon = sanitise(texts, spans, "entities", table)
    sent = {piece.text: piece.sent for row in done.pieces for piece in row if piece.kind == "person"}
    assert sent["SMITH"] == sent["Smith"].upper()
    assert done.texts[0] == f"{sent['Smith']} called."
    assert done.texts[1] == f"{sent['John']} {sent['Smith']} answered {sent['SMITH']}."
    assert done.originals[sent["Smith"]] == "Smith"
    assert epsilon == 0


def test_two_people_never_share_a_surrogate(table: Table) -> None:
    names = [f"Person{chr(65 + i)}{chr(97 + i)}" for i in range(26)]
    text = " and ".join(names)
    done, _, _ = sanitise([text], [find(text, *((n, Kind.PERSON) for n in names))], "entities", table)
    assert len(done.originals) == 26


def test_remembered_draws_are_reused_and_free(table: Table) -> None:
    text = "pain and fever"
    first, known, epsilon = sanitise([text], [[]], "content", table)
    again, _, nothing = sanitise([text + " and Pain"], [[]], "content", table, known)
    assert epsilon == pytest.approx(2 * table.eps_in)
    assert nothing == 0
    assert again.texts[0].startswith(first.texts[0])
    pain = first.pieces[0][0].sent
    assert again.texts[0].endswith(pain.capitalize())


def test_the_first_mention_shows_the_cost_and_only_it(table: Table) -> None:
    done, _, _ = sanitise(["pain pain pain"], [[]], "content", table)
    assert [p.epsilon for p in done.pieces[0] if p.kind == "word"] == [table.eps_in, 0, 0]


def test_words_outside_the_lexicon_get_a_word_of_their_class_and_cost_nothing(table: Table) -> None:
    for word, cls in (("zyxwv", WordClass.WORD), ("Zyxwv", WordClass.NAME), ("987654", WordClass.NUMBER)):
        seen = Counter(sanitise([word], [[]], "content", table)[0].texts[0] for _ in range(200))
        inside = {w for w, c in zip(table.words, table.classes, strict=True) if c == cls}
        assert set(seen) <= inside | {w.capitalize() for w in inside}
        assert word not in seen
        assert len(seen) >= 6  # uniform over eight: fewer than six in 200 draws has probability below 1e-10
        assert sanitise([word], [[]], "content", table)[2] == 0


def test_content_keeps_stopwords_and_all_does_not(table: Table) -> None:
    done, _, _ = sanitise(["the pain"], [[]], "content", table)
    assert done.texts[0].startswith("the ")
    kinds = [p.kind for p in sanitise(["the pain"], [[]], "all", table)[0].pieces[0] if p.text.strip()]
    assert kinds == ["word", "word"]


def test_sensitive_touches_special_words_only(table: Table) -> None:
    text = "mild pain today"
    done, _, epsilon = sanitise([text], [find(text, ("pain", Kind.WORD))], "sensitive", table)
    assert [p.kind for p in done.pieces[0]] == ["text", "word", "text"]
    assert epsilon == table.eps_in
    assert sanitise([text], [find(text, ("pain", Kind.WORD))], "entities", table)[0].texts == (text,)


def test_identifiers_keep_their_words_but_lose_their_entities(table: Table) -> None:
    segment = Segment("pain of Anna", "tools", "tools[0]", prose=False)
    planned = plan([segment], [find(segment.text, ("Anna", Kind.PERSON))], Policy.named("content"), table)
    assert [(u.kind, u.written) for u in planned[0]] == [(Kind.PERSON, "Anna")]


def test_a_surrogate_that_stands_in_the_kept_text_is_not_restored(table: Table) -> None:
    """With 'Carla' kept elsewhere, restoring 'Carla' to somebody's name would be a lie."""
    for _ in range(300):
        texts = ["Anna", "Ada Adam Alan Alice Amy Andrew Ann Arthur Ben Beth Carl Carol Clara Colin Daisy Dan David Dean"]
        done, _, _ = sanitise(texts, [find("Anna", ("Anna", Kind.PERSON)), []], "entities", table)
        sent = done.texts[0]
        assert (sent in done.ambiguous) == (sent in texts[1].split())
        if sent in done.ambiguous:
            assert sent not in done.originals
            return
    raise AssertionError("no collision came up in 300 draws")


@pytest.mark.parametrize("policy", ["entities", "sensitive", "content", "all"])
def test_inspection_adds_up(table: Table, policy: str) -> None:
    text = "Dr. John Smith (j.smith@mail.org) has pain,  fever\nand diabetes."
    seen: dict[str, Any] = inspect(text, Policy.named(policy), detectors_for(Policy.named(policy)), table).as_json()
    assert "".join(t["text"] for t in seen["tokens"]) == text
    assert "".join(t["sent"] for t in seen["tokens"]) == seen["sent_text"]
    assert seen["epsilon"] == pytest.approx(sum(t["epsilon"] for t in seen["tokens"]))
    assert all(t["kept"] == (t["text"] == t["sent"]) for t in seen["tokens"])
    assert "j.smith" not in seen["sent_text"]


def test_a_policy_s_own_lists_are_found(table: Table) -> None:
    policy = Policy.parse({"level": "sensitive", "words": ["itch"], "private": ["Project Falcon"]})
    seen = inspect("itch in Project Falcon", policy, detectors_for(policy), table).as_json()
    kinds = {t["text"]: t["kind"] for t in seen["tokens"] if t["kind"] != "text"}
    assert kinds == {"itch": "word", "Project Falcon": "private"}
