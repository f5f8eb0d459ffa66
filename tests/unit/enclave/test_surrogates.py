from __future__ import annotations

import random
import re
import secrets
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.surrogates import Part, draw, lists, name_word
from cmif.errors import MechanismError
from cmif.types import Kind


def luhn(number: str) -> bool:
    digits = [int(c) for c in number if c.isdigit()][::-1]
    return sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0


@given(st.integers(13, 19))
def test_cards_pass_luhn_and_keep_their_grouping(length: int) -> None:
    layout = " ".join(["9" * 4] * (length // 4) + ["9" * (length % 4)]).strip()
    made = draw(Kind.CARD, layout)
    assert luhn(made)
    assert re.sub(r"\d", "9", made) == layout


@given(st.sampled_from(["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "NL91ABNA0417164300"]))
def test_ibans_pass_mod_97_and_keep_their_country(layout: str) -> None:
    made = draw(Kind.IBAN, layout).replace(" ", "")
    assert made[:2] == layout[:2]
    assert int("".join(str(int(c, 36)) for c in made[4:] + made[:4])) % 97 == 1


@pytest.mark.parametrize(
    "layout", ["2024-03-01", "12/03/2024", "1.2.2024", "3 May 2024", "March 3, 2024", "Jan 3 2024"]
)
def test_dates_are_real_days_in_the_same_layout(layout: str) -> None:
    shape = re.sub(r"[A-Za-z]+", "M", re.sub(r"\d+", "N", layout))
    for _ in range(50):
        made = draw(Kind.DATE, layout)
        assert re.sub(r"[A-Za-z]+", "M", re.sub(r"\d+", "N", made)) == shape
        if layout == "2024-03-01":
            date.fromisoformat(made)


@given(st.text("aZ09-/ .", min_size=1, max_size=20))
def test_identifiers_keep_length_case_and_separators(layout: str) -> None:
    made = draw(Kind.ID, layout)
    kind = [("d" if c.isdigit() else "U" if c.isupper() else "l" if c.isalpha() else c) for c in layout]
    assert [("d" if c.isdigit() else "U" if c.isupper() else "l" if c.isalpha() else c) for c in made] == kind


@pytest.mark.parametrize("kind", [k for k in Kind if k is not Kind.WORD])
def test_the_value_does_not_influence_the_draw(kind: Kind) -> None:
    """Same layout, same randomness, other value: the same surrogate. This is the epsilon of 0."""
    pairs = {
        Kind.PERSON: ("John Smith", "Mary Jones"), Kind.CARD: ("4111 1111", "5500 0000"), Kind.IBAN: ("DE89 3704 0044", "DE11 1111 1111"),
        Kind.DATE: ("2024-03-01", "1999-12-31"), Kind.IP: ("10.0.0.1", "192.168.7.9"),
    }  # fmt: skip
    first, second = pairs.get(kind, ("ab-12", "xy-98"))
    a, b = random.Random(7), random.Random(7)
    assert draw(kind, first, (), a.randrange) == draw(kind, second, (), b.randrange)


def test_distinct_values_get_distinct_surrogates_even_beyond_the_list() -> None:
    taken: set[str] = set()
    for _ in range(len(lists()["surname"]) + 20):
        word = name_word(Part.SURNAME, None, taken, secrets.randbelow)
        assert word not in taken
        taken.add(word)


def test_a_used_up_layout_is_an_error_not_a_repeat() -> None:
    class Everything:
        def __contains__(self, _item: object) -> bool:
            return True

    with pytest.raises(MechanismError):
        draw(Kind.ID, "AB-12", Everything())


def test_a_network_keeps_the_length_of_its_prefix() -> None:
    assert re.fullmatch(r"198\.1[89]\.\d{1,3}\.\d{1,3}/24", draw(Kind.IP, "10.20.30.0/24", set(), secrets.randbelow))
