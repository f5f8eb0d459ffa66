"""Examples are the issuing authorities' or python-stdnum's published ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.detect.national import is_valid, national
from cmif.types import Kind

NUMBERS = {
    "US SSN": "536-90-4399", "US EIN": "12-3456789", "UK NI": "AB 12 34 56 C", "UK NHS": "943 476 5919",
    "UK VAT": "GB980780684", "German tax": "86095742719", "German tax, spaced": "65 929 970 489",
    "Polish PESEL": "44051401359", "Belgian": "85.07.30-033 28", "Spanish DNI": "12345678Z", "Spanish NIE": "X1234567L",
    "French NIR": "2 55 08 14 168 025 38", "Italian": "RCCMNL83S18D969H", "Swedish": "640823-3234", "Finnish": "131052-308T",
    "Czech": "710319/2745", "Romanian": "1630615123457", "Irish PPS": "6433435F", "Dutch BSN": "111222333",
    "Austrian VAT": "ATU13585627", "Dutch VAT": "NL123456789B13", "French VAT": "FR 40 303 265 045",
    "Belgian VAT": "BE0428759497", "Swiss AHV": "756.9217.0769.85", "Aadhaar": "2345 6789 0124", "Indian PAN": "ABCPE1234F",
    "Indian GSTIN": "27AAPFU0939F1ZV", "Brazilian CPF": "529.982.247-25", "Brazilian CNPJ": "11.222.333/0001-81",
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_a_national_number_is_found_in_a_sentence(name: str) -> None:
    number = NUMBERS[name]
    for text in (number, f"It is {number}, as said.", f"({number})", f"no:{number};"):
        start = text.index(number)
        spans = [(s.start, s.end) for s in national(text) if s.kind is Kind.NATIONAL_ID]
        assert (start, start + len(number)) in spans


@pytest.mark.parametrize("text", ["104000+5200", "000.000.000-00", "86095742718", "529.982.247-24", "2019 2020 2021"])
def test_digits_that_do_not_check_are_none(text: str) -> None:
    assert list(national(text)) == []


@given(st.text("0123456789 .-/ABKXZ٣é", max_size=40))
def test_any_text_has_an_answer(junk: str) -> None:
    assert all(0 <= s.start < s.end <= len(junk) for s in national(junk))
    assert is_valid(junk, ("gb.nhs", "eu.vat", "br.cpf", "in_.aadhaar")) in (True, False)
