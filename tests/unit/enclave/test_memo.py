from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.memo import MemoCipher
from cmif.errors import IntegrityError

CIPHER = MemoCipher(b"k" * 32)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80))
def test_what_is_sealed_opens_again(surrogate: str) -> None:
    assert CIPHER.open(b"unit", CIPHER.seal(b"unit", surrogate)) == surrogate


def test_equal_values_have_one_name_in_a_conversation_and_another_elsewhere() -> None:
    here, there = CIPHER.conversation("t", "a"), CIPHER.conversation("t", "b")
    assert CIPHER.unit(here, "person", "smith") == CIPHER.unit(here, "person", "smith")
    names = {CIPHER.unit(c, k, "smith") for c in (here, there) for k in ("person", "place")}
    assert len(names) == 4


def test_parts_of_a_name_cannot_run_into_each_other() -> None:
    assert CIPHER.conversation("ab", "c") != CIPHER.conversation("a", "bc")


def test_sealed_values_of_short_surrogates_have_one_length() -> None:
    assert len({len(CIPHER.seal(b"u", s)) for s in ("Al", "Bartholomew", "x" * 32)}) == 1


@pytest.mark.parametrize("damage", ["flip", "other unit", "other key", "cut"])
def test_an_altered_entry_does_not_open(damage: str) -> None:
    sealed = CIPHER.seal(b"unit", "Anna")
    cipher, unit = CIPHER, b"unit"
    if damage == "flip":
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    elif damage == "other unit":
        unit = b"tinu"
    elif damage == "other key":
        cipher = MemoCipher(b"K" * 32)
    else:
        sealed = sealed[:5]
    with pytest.raises(IntegrityError):
        cipher.open(unit, sealed)
