from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.memo import MemoCipher
from cmif.errors import IntegrityError

CIPHER = MemoCipher(b"k" * 32)


@given(st.text(max_size=80))
def test_what_is_sealed_opens_again(text: str) -> None:
    assert CIPHER.open(b"key", CIPHER.seal(b"key", {"draw": [text, 1]})) == {"draw": [text, 1]}


def test_equal_parts_have_one_name_in_a_scope_and_another_elsewhere() -> None:
    here, there = CIPHER.name(b"t", "a"), CIPHER.name(b"t", "b")
    assert CIPHER.name(here, "person", "smith") == CIPHER.name(here, "person", "smith")
    assert len({CIPHER.name(c, k, "smith") for c in (here, there) for k in ("person", "place")}) == 4


def test_parts_of_a_name_cannot_run_into_each_other() -> None:
    assert CIPHER.name(b"t", "ab", "c") != CIPHER.name(b"t", "a", "bc")


def test_sealed_values_of_short_surrogates_have_one_length() -> None:
    assert len({len(CIPHER.seal(b"u", s)) for s in ("Al", "Bartholomew", "x" * 28)}) == 1


@pytest.mark.parametrize("damage", ["flip", "other key of the entry", "other key of the enclave", "cut"])
def test_an_altered_entry_does_not_open(damage: str) -> None:
    sealed = CIPHER.seal(b"unit", "Anna")
    cipher, key = CIPHER, b"unit"
    if damage == "flip":
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    elif damage == "other key of the entry":
        key = b"tinu"
    elif damage == "other key of the enclave":
        cipher = MemoCipher(b"K" * 32)
    else:
        sealed = sealed[:5]
    with pytest.raises(IntegrityError):
        cipher.open(key, sealed)
