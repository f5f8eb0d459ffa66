from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave import surrogates
from cmif.enclave.detect import checksums
from cmif.types import Kind

CHECKS = {
    "card": (checksums.card, ["4111 1111 1111 1111", "378282246310005", "5555-5555-5555-4444"]),
    "iban": (checksums.iban, ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NO9386011117947"]),
}


@pytest.mark.parametrize("name", CHECKS)
def test_published_examples_pass(name: str) -> None:
    check, valid = CHECKS[name]
    assert all(check(number) for number in valid)


@pytest.mark.parametrize("name", CHECKS)
def test_every_change_of_the_last_digit_fails(name: str) -> None:
    """All these schemes find every error in a single digit that they cover."""
    check, valid = CHECKS[name]
    for number in valid:
        at = max(i for i, char in enumerate(number) if char.isdigit())
        others = [number[:at] + str(d) + number[at + 1 :] for d in range(10) if str(d) != number[at]]
        assert not any(check(other) for other in others)


@pytest.mark.parametrize("name", CHECKS)
@given(junk=st.text("0123456789 -AZé٣", max_size=24))
def test_any_text_has_an_answer(name: str, junk: str) -> None:
    assert CHECKS[name][0](junk) in (True, False)


@given(st.randoms(use_true_random=False))
def test_surrogate_cards_and_ibans_are_found_again(source: random.Random) -> None:
    assert checksums.card(surrogates.draw(Kind.CARD, "4111 1111 1111 1111", randbelow=source.randrange))
    assert checksums.iban(surrogates.draw(Kind.IBAN, "DE89 3704 0044 0532 0130 00", randbelow=source.randrange))


def test_zeros_are_no_number() -> None:
    assert not checksums.card("0000 0000 0000 0000")
