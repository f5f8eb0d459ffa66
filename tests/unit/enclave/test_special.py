from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from fractions import Fraction
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.detect.lexicon import SpecialCategories
from cmif.enclave.inspect import inspect
from cmif.enclave.nodes import Drawn, Name
from cmif.enclave.policy import PrivacyPolicy, detectors_for
from cmif.enclave.reasons import told
from cmif.enclave.sanitise import draw, units, write
from cmif.enclave.special import TYPES, Form, key, plural, special, written
from cmif.privacy.integers import exp_lower
from cmif.privacy.table import Table
from cmif.types import Kind, Piece, Span, WordClass
from cmif_server.tables.build import build_table

SPECIAL = special()
MEMBERS = [(group, i) for group in SPECIAL.groups.values() for i in range(len(group.members))]
FORMS = sorted(SPECIAL.forms.values(), key=lambda f: (f.group, f.member, f.column, f.plural, f.spelled))
FORM = st.sampled_from(FORMS)
K = 16


@pytest.fixture(scope="module")
def table() -> Table:
    """Forty words, forty names and forty numbers, none of them special; K = 16."""
    words = [f"{w}{a}{b}" for w in ("w", "N") for a in "abcde" for b in "pqrstuvx"] + [str(i) for i in range(40)]
    classes = np.repeat(np.array([WordClass.WORD, WordClass.NAME, WordClass.NUMBER], dtype=np.uint8), 40)
    vectors = np.random.default_rng(0).normal(size=(120, 6)).astype(np.float32)
    return build_table(tuple(words), classes, vectors, bundle="0" * 64, k=K, gamma=Fraction(1, 40))


def found(text: str) -> list[str]:
    return [text[start:end] for start, end, _ in SPECIAL.find(text)]


def sent(text: str, table: Table) -> str:
    policy = PrivacyPolicy.named("sensitive")
    return inspect({"prompt": text}, policy, detectors_for(policy), table).sent_text


TYPED = [
    ("pain", "symptom"), ("cancer", "condition"), ("diabetes", "condition"), ("diabetic", "condition"), ("HIV", "condition"),
    ("type 2 diabetes", "condition"), ("heart attack", "condition"), ("aspirin", "drug"), ("metformin", "drug"),
    ("chemotherapy", "procedure"), ("biopsy", "procedure"), ("kidney", "body"), ("debt", "money"), ("bankrupt", "money"),
    ("muslim", "faith"), ("Islam", "faith"), ("Kurdish", "origin"), ("refugee", "origin"), ("gay", "orientation"),
    ("theft", "offence"), ("thieves", "offence"), ("robbed", "offence"),
]  # fmt: skip


@pytest.mark.parametrize(("word", "name"), TYPED)
def test_a_special_word_is_drawn_within_its_type(word: str, name: str, table: Table) -> None:
    assert SPECIAL.forms[key(word)].type == name
    policy = PrivacyPolicy.named("sensitive")
    for _ in range(20):
        seen = inspect({"prompt": word}, policy, detectors_for(policy), table)
        assert SPECIAL.forms[key(seen.sent_text)].group == SPECIAL.forms[key(word)].group
        assert seen.epsilon == pytest.approx(table.eps_in)


def test_every_group_hides_a_member_among_sixteen_at_least() -> None:
    assert {group.name.split(".")[0] for group in SPECIAL.groups.values()} == set(TYPES)
    assert min(len(group.members) for group in SPECIAL.groups.values()) >= K


@pytest.mark.parametrize("group", SPECIAL.groups.values(), ids=lambda group: str(group.name))
def test_no_two_members_of_a_group_differ_by_more_than_e_to_its_epsilon(group: object) -> None:
    law = SPECIAL.groups[group.name].law(1.0)  # type: ignore[attr-defined]
    rows = [[law.probability(y, x) for y in range(law.n)] for x in range(law.n)]
    bound = exp_lower(Fraction(law.epsilon))
    assert all(sum(row) == 1 for row in rows)
    assert all(max(column) <= bound * min(column) for column in zip(*rows, strict=True))


def test_no_form_belongs_to_two_members_and_no_member_is_lost() -> None:
    """Every form that can be written is read as the member it was written for: nothing is restored or shared wrongly."""
    assert sum(len(group.members) for group in SPECIAL.groups.values()) > 1000
    for group, i in MEMBERS:
        for spelled in {spelled for pair in group.members[i] for spelled in pair}:
            form = SPECIAL.forms[key(spelled)]
            assert (form.group, form.member) == (group.name, i), spelled


def test_no_name_in_the_lists_is_listed_twice() -> None:
    owners: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for name in TYPES:
        text = files("cmif.enclave").joinpath(f"data/special/types/{name}.txt").read_text("utf-8")
        lines = [line for line in text.split("\n") if line and line[0] not in "#["]
        for member in (m.strip() for line in lines for m in line.split(",")):
            for spelled in re.split(r"[|/~]", member):
                owners[key(spelled)].add((name, member))
    assert {spelled: of for spelled, of in owners.items() if len(of) > 1} == {}
    assert set(owners) <= set(SPECIAL.forms)


def test_every_list_states_its_licence() -> None:
    for name in TYPES:
        text = files("cmif.enclave").joinpath(f"data/special/types/{name}.txt").read_text("utf-8")
        assert "Licence:" in text.split("\n", 1)[0]


@pytest.mark.parametrize("case", [str, str.upper, str.capitalize])
@pytest.mark.parametrize("gap", [" ", "\n", "  ", "\r\n\t", "-", "\u00a0"])
def test_every_member_is_one_unit_in_any_case_and_over_line_ends(case: Callable[[str], str], gap: str) -> None:
    for form in FORMS:
        said = gap.join(case(form.spelled).split(" "))
        text = f"Well, {said}, they wrote."
        assert [(text[a:b], f.group, f.member) for a, b, f in SPECIAL.find(text)] == [(said, form.group, form.member)]


@given(FORM)
def test_the_detector_finds_every_form_as_one_span(form: Form) -> None:
    text = f"About {form.spelled} now"
    assert (6, 6 + len(form.spelled)) in {(s.start, s.end) for s in SpecialCategories().detect(text)}


@given(FORM, st.data())
def test_inflection_goes_to_another_member_and_back(form: Form, data: st.DataObject) -> None:
    members = SPECIAL.groups[form.group].members
    other = SPECIAL.like(data.draw(st.integers(0, len(members) - 1)), form)
    assert (other.column, other.plural) == (form.column, form.plural)
    assert other.spelled == members[other.member][form.column][form.plural]
    again = SPECIAL.like(form.member, other)
    assert SPECIAL.read(written(again, "x", other), form.group) == form.member
    for case in (str, str.upper, str.capitalize):
        assert SPECIAL.read(written(other, case(form.spelled), form), form.group) == other.member


@pytest.mark.parametrize(
    ("noun", "many"),
    [("debt", "debts"), ("biopsy", "biopsies"), ("x-ray", "x-rays"), ("mosque", "mosques"), ("abscess", "abscesses"), ("stomach ache", "stomach aches")],
)
def test_regular_plurals(noun: str, many: str) -> None:
    assert plural(noun) == many
    assert SPECIAL.forms[key(many)].spelled == many or noun == "mosque"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Parkinson's and lupus's effects", ["Parkinson's", "lupus"]),
        ("Alzheimer’s disease", ["Alzheimer’s disease"]),
        ("type 2, diabetes", ["diabetes"]),
        ("type 2 diabetes or breast\ncancer", ["type 2 diabetes", "breast\ncancer"]),
        ("cancer-related HIV/AIDS", ["cancer", "HIV", "AIDS"]),
        ("diabetesque concerts painted", []),
        ("", []),
    ],
)
def test_the_longest_member_is_found_and_nothing_inside_other_words(text: str, words: list[str]) -> None:
    assert found(text) == words


def test_the_draw_is_made_for_the_member_that_was_written() -> None:
    """The true one of 18 comes 225 times of 1500, each other 75 times: ten standard deviations apart, none missing but with
    probability 1e-31."""
    drawn = Counter(SPECIAL.drawn(SPECIAL.forms["mosque"], 1.1)[0].spelled for _ in range(1500))
    assert len(drawn) == 18
    assert drawn.most_common(1)[0][0] == "mosque"


def test_plural_stays_plural_and_an_adjective_an_adjective(table: Table) -> None:
    for _ in range(20):
        text = sent("Thieves took two loans from diabetic Muslims.", table)
        forms = [f for _, _, f in SPECIAL.find(text)]
        assert [(f.group, f.plural) for f in forms] == [
            ("offence.1", True), ("money.1", True), ("condition.1", False), ("faith.1", True),
        ]  # fmt: skip
        assert (forms[0].column, forms[2].column) == (1, 0)


def test_words_that_only_introduce_a_condition_stay(table: Table) -> None:
    text = sent("I was diagnosed with HIV and the prescription says metformin.", table)
    assert text.startswith("I was diagnosed with ")
    assert " and the prescription says " in text


def test_names_and_forms_of_one_thing_share_one_draw_and_one_charge(table: Table) -> None:
    text = "Tylenol, acetaminophen, PARACETAMOL"
    policy = PrivacyPolicy.named("sensitive")
    seen = inspect({"prompt": text}, policy, detectors_for(policy), table)
    first, second, third = seen.sent_text.split(", ")
    assert first == second
    assert third == first.upper()
    assert seen.epsilon == pytest.approx(table.eps_in)
    diabetic, diabetes = sent("diabetic; diabetes", table).split("; ")
    assert SPECIAL.forms[key(diabetic)].member == SPECIAL.forms[key(diabetes)].member


@pytest.mark.parametrize(("said", "shape"), [("Type 2 diabetes", str.istitle), ("TYPE 2 DIABETES", str.isupper)])
def test_case_is_that_of_the_original(said: str, shape: object, table: Table) -> None:
    for _ in range(10):
        text = sent(said, table)
        assert text[:1].isupper()
        assert shape is not str.isupper or text.isupper()


def test_an_abbreviation_does_not_show_as_one(table: Table) -> None:
    """ "HIV" is written as the lists write it, so its draw is written as the lists write that."""
    members = {m[0][0] for m in SPECIAL.groups["condition.2"].members}
    assert all(sent("has HIV now", table).removeprefix("has ").removesuffix(" now") in members for _ in range(30))


def test_a_later_turn_writes_the_same_member_in_its_own_form(table: Table) -> None:
    policy = PrivacyPolicy.named("sensitive")
    first, later = "The diabetic man.", "His Diabetes."
    spans = [[Span(4, 12, Kind.WORD, "t")], [Span(4, 12, Kind.WORD, "t")]]
    known: dict[Name, Drawn] = {}
    rows = []
    for text, row in zip((first, later), spans, strict=True):
        made = units(text, row, {}, policy, table, prose=True)
        fresh = draw(made, known.get, set(), table)
        known.update(fresh)
        rows.append("".join(p.sent for p in write(text, made, known.get)))
    adjective = SPECIAL.forms[key(rows[0].removeprefix("The ").removesuffix(" man."))]
    noun = SPECIAL.forms[key(rows[1].removeprefix("His ").removesuffix("."))]
    assert len(known) == 1
    assert (adjective.group, adjective.member) == (noun.group, noun.member)
    assert (adjective.column, noun.column) == (0, 1)
    assert rows[1][4].isupper()


def test_a_marked_phrase_of_the_same_name_stays_a_surrogate_and_the_word_a_word(table: Table) -> None:
    policy = PrivacyPolicy.named("sensitive")
    seen = inspect({"prompt": "<private>asthmatic</private> or asthma"}, policy, detectors_for(policy), table)
    kinds = {p.text: p.kind for p in seen.pieces if p.kind != "text"}
    assert kinds == {"asthmatic": "private", "asthma": "word"}
    assert seen.epsilon == pytest.approx(table.eps_in)


def test_the_reason_names_the_type(table: Table) -> None:
    pieces = [Piece("breast cancer", "gout", "word", 1.0), Piece("Asthma", "asthma", "word", 1.0)]
    assert [row["reason"] for row in told(pieces, table, (), PrivacyPolicy.named("sensitive"))] == ["drawn, condition", "drawn as itself"]


def test_a_group_smaller_than_the_tables_k_is_left_to_the_table() -> None:
    words = [f"w{a}{b}" for a in "abcdefgh" for b in "pqrstuvx"]
    vectors = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    table = build_table(tuple(words), np.zeros(64, dtype=np.uint8), vectors, bundle="0" * 64, k=32, gamma=Fraction(1, 40))
    [mosque] = units("mosque", [Span(0, 6, Kind.WORD, "t")], {}, PrivacyPolicy.named("sensitive"), table, prose=True)
    [drug] = units("aspirin", [Span(0, 7, Kind.WORD, "t")], {}, PrivacyPolicy.named("sensitive"), table, prose=True)
    assert (mosque.form, mosque.word_class) == (None, WordClass.WORD)
    assert drug.form is not None
