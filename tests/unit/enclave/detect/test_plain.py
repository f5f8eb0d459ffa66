from __future__ import annotations

import html

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cmif.enclave.detect.plain import plain, readings, spaced

from .conftest import Found

HIDDEN = ["\u200b", "\u00ad", "\u200f", "\u2060", "\ufeff", "\u202e", "\u200d"]


@pytest.mark.parametrize("mark", HIDDEN)
@pytest.mark.parametrize(
    ("value", "kind"),
    [("marta.krol@nordfell.com", "email"), ("+44 20 7946 0958", "phone"), ("4539 1488 0343 6467", "card"), ("14 March 1979", "date")],
)
def test_what_cannot_be_seen_hides_nothing(found: Found, mark: str, value: str, kind: str) -> None:
    for at in (2, len(value) // 2, len(value) - 2):
        written = value[:at] + mark + value[at:]
        assert (written, kind) in found(f"Note: {written}, thanks.")


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("marta.krol%40nordfell.com", "email"),
        ("marta.krol&#64;nordfell.com", "email"),
        ("marta.krol&commat;nordfell.com", "email"),
        ("marta.krol\\u0040nordfell.com", "email"),
        ("%2B44%2020%207946%200958", "phone"),
        ("4539&nbsp;1488&nbsp;0343&nbsp;6467", "card"),
    ],
)
def test_an_escaped_value_is_found_whole(found: Found, written: str, kind: str) -> None:
    assert (written, kind) in found(f"Note: {written}, thanks.")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Whitfield_Eleanor_divorce_2024-03-11.docx", {("Whitfield_Eleanor", "person"), ("2024-03-11", "date")}),
        ("CV-Oluwaseun-Adebayo.pdf", {("Oluwaseun-Adebayo", "person")}),
        ("scan_anna_weber.jpg", {("anna_weber", "person")}),
    ],
)
def test_the_words_of_a_documents_name_are_read_apart(found: Found, name: str, values: set[tuple[str, str]]) -> None:
    said = found(f"Please rename C:/data/{name} for me.")
    assert all(any(value in s and kind == k for s, k in said) for value, kind in values)
    assert found("Open quarterly_results_final-v2.xlsx and docker-compose.yml, then anna_weber.py.") == []


def test_a_url_stays_whole_though_its_escapes_are_undone(found: Found) -> None:
    url = "https://example.org/a%20b?name=anna%20weber&x=%41"
    assert found(f"see {url}") == [(url, "url")]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("4539148803436467", "card"), ("03-1234-5678", "phone"), ("DE89370400440532013000", "iban"),
        ("marta.krol@nordfell.com", "email"), ("192.168.10.7", "ip"), ("1979-03-14", "date"), ("529.982.247-25", "national_id"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("around", ["カード{}です", "卡号{}。", "번호{}입니다", "หมายเลข{}ครับ"])
def test_a_value_that_touches_a_script_without_spaces_is_found(found: Found, value: str, kind: str, around: str) -> None:
    assert (value, kind) in found(around.format(value))


def test_letters_of_a_name_with_combining_accents_are_one_word(found: Found) -> None:
    name = "Jose\u0301 Ibarra"
    assert (name, "person") in found(f"We met {name} yesterday.")


@example("&#1;0")
@given(st.text("ab1 é\u0301\u200b\u00ad%40&#;\\u字\u3000", max_size=40))
def test_every_span_of_a_reading_is_a_span_of_the_text(text: str) -> None:
    for reading in readings(text):
        for start in range(len(reading.text)):
            a, b = reading.original(start, start + 1)
            assert 0 <= a < b <= len(text)
            if text[a:b].isascii() and text[a:b].isalnum():
                assert reading.text[start] == text[a:b]
        if reading.text:
            a, b = reading.original(0, len(reading.text))
            # "&#1;" says a control character, which a reader does not see either
            assert set(html.unescape(text[:a]) + html.unescape(text[b:])) <= {*HIDDEN, "\u0301"}


@given(st.text(max_size=60))
def test_the_plain_and_the_spaced_form_keep_every_offset(text: str) -> None:
    assert len(plain(text)) == len(spaced(text)) == len(text)
