from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.detect import detect_all
from cmif.enclave.detect.patterns import Patterns
from cmif.enclave.detect.plain import plain
from cmif.enclave.detect.streets import streets

from .conftest import Found

FOUND = [
    ("write to anna.weber+x@mail.example.co.uk, please", "anna.weber+x@mail.example.co.uk", "email"),
    ("write to anna [at] example.org", "anna [at] example.org", "email"),
    ("mail o’brien@example.com", "o’brien@example.com", "email"),
    ("my card 4111 1111 1111 1111 was charged", "4111 1111 1111 1111", "card"),
    ("card 378282246310005.", "378282246310005", "card"),
    ("to GB82 WEST 1234 5698 7654 32 today", "GB82 WEST 1234 5698 7654 32", "iban"),
    ("iban de89370400440532013000", "de89370400440532013000", "iban"),
    ("NHS number 943 476 5919", "943 476 5919", "national_id"),
    ("SSN 123-45-6789", "123-45-6789", "national_id"),
    ("NI AB 12 34 56 C", "AB 12 34 56 C", "national_id"),
    ("Steuer-ID 86095742719", "86095742719", "national_id"),
    ("DNI 12345678Z", "12345678Z", "national_id"),
    ("NIR 2 55 08 14 168 025 38", "2 55 08 14 168 025 38", "national_id"),
    ("PESEL 44051401359", "44051401359", "national_id"),
    ("AHV 756.1234.5678.97", "756.1234.5678.97", "national_id"),
    ("codice RSSMRA85T10A562S", "RSSMRA85T10A562S", "national_id"),
    ("call +44 20 7946 0958 now", "+44 20 7946 0958", "phone"),
    ("call 07911 123456", "07911 123456", "phone"),
    ("ring (212) 555-0187 x12", "(212) 555-0187 x12", "phone"),
    ("Tel.: 030/1234567", "030/1234567", "phone"),
    ("reach me on 0033 1 42 68 53 00", "0033 1 42 68 53 00", "phone"),
    ("the number is 212 555 0187", "212 555 0187", "phone"),
    ("from 192.168.10.7 today", "192.168.10.7", "ip"),
    ("address fe80::1ff:fe23:4567:890a here", "fe80::1ff:fe23:4567:890a", "ip"),
    ("see https://example.org/a?b=c#d.", "https://example.org/a?b=c#d", "url"),
    ("see www.example.org/x, or", "www.example.org/x", "url"),
    ("on intranet.example.com today", "intranet.example.com", "url"),
    ("device 00:1B:44:11:3A:B7", "00:1B:44:11:3A:B7", "id"),
    ("a van, reg KX12 ZZT, outside", "KX12 ZZT", "id"),
    ("das Auto M-AB 1234", "M-AB 1234", "id"),
    ('{"city":"Ilkeston"}', "Ilkeston", "place"),
    ("born 3 May 1974 in", "3 May 1974", "date"),
    ("on May 3rd, 1974, he", "May 3rd, 1974", "date"),
    ("the 21st of June 2019", "21st of June 2019", "date"),
    ("on 03/05/1974", "03/05/1974", "date"),
    ("am 3.5.1974", "3.5.1974", "date"),
    ("on 1974-05-03", "1974-05-03", "date"),
    ("at 2024-03-01T10:20:30Z", "2024-03-01T10:20:30Z", "date"),
    ("le 14 juillet 1989", "14 juillet 1989", "date"),
    ("am 3. März 2020", "3. März 2020", "date"),
    ("in August 2008 she", "August 2008", "date"),
    ("DOB: 19740503", "19740503", "date"),
    ("MRN: 483920", "483920", "id"),
    ("policy number AB-2024/991", "AB-2024/991", "id"),
    ("account no. 12345678", "12345678", "id"),
    ("claim #7781-B", "7781-B", "id"),
    ("invoice INV-2024-00123", "INV-2024-00123", "id"),
    ("driver's license number is U62928788557186", "U62928788557186", "national_id"),
    ("run 550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000", "id"),
    ("follow @anna_weber there", "@anna_weber", "id"),
    ("at 12 Acacia Avenue, and", "12 Acacia Avenue", "address"),
    ("at 1600 N. Main St today", "1600 N. Main St", "address"),
    ("in Friedhofstraße 33a", "Friedhofstraße 33a", "address"),
    ("au 38 Rue de Virton", "38 Rue de Virton", "address"),
    ("in Apt. 864", "Apt. 864", "address"),
    ("postcode SW1A 1AA", "SW1A 1AA", "address"),
    ("in 10115 Berlin", "10115", "address"),
    ("Denver, CO 80202-1234", "CO 80202-1234", "address"),
    ("P.O. Box 242", "P.O. Box 242", "address"),
    ("my zip code is 35350", "35350", "address"),
    ("at 52.520008, 13.404954", "52.520008, 13.404954", "address"),
    ("he lives at 971 Kesk 53", "971 Kesk 53", "address"),
]

NOT_FOUND = [
    "The total is 1,234,567.89 and pi is 3.14159265.",
    "between 1990-2000 and 2001 - 2005",
    "It costs $ 2500000, or 1000000 in all.",
    "Give me 5 ideas in 10 words, at 12:30.",
    "version 1.2.3 of the file",
    "0x1F and 1e-05 and 3rd and 250mg",
    "Type 2, chapter 12, page 300, in 2024",
    "the end.In the beginning",
    "core::vector and a::b",
    "i.e. and e.g. and etc.",
    "case closed, order now, account for it",
    "I may go; you can march on.",
]


@pytest.mark.parametrize(("text", "value", "kind"), FOUND)
def test_found_whole_and_without_its_label(found: Found, text: str, value: str, kind: str) -> None:
    assert (value, kind) in found(text)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_everyday_numbers_and_words_are_left(found: Found, text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("GB82\u00a0WEST\u00a01234\u00a05698\u00a07654\u00a032", None, "iban"),
        ("４１１１１１１１１１１１１１１１", None, "card"),
        ("call +44\u202f20\u20117946\u20110958", "+44\u202f20\u20117946\u20110958", "phone"),
        ("SSN 123\u201345\u20136789", "123\u201345\u20136789", "national_id"),
    ],
)
def test_typographers_spaces_hyphens_and_digits_hide_nothing(found: Found, text: str, value: str | None, kind: str) -> None:
    assert (value or text, kind) in found(text)


@given(st.text(max_size=60))
def test_plain_text_has_the_same_length(text: str) -> None:
    assert len(plain(text)) == len(text)
    assert plain(plain(text)) == plain(text)


def test_the_domain_of_an_address_is_found_without_its_user(found: Found) -> None:
    assert found("Set it from @blacksunplc.com to @nordfell-global.com again.") == [
        ("blacksunplc.com", "url"),
        ("nordfell-global.com", "url"),
    ]


def test_a_mistyped_card_is_still_an_id(found: Found) -> None:
    [(value, kind)] = found("my card 4111 1111 1111 1112")
    assert value == "4111 1111 1111 1112"
    assert kind in ("id", "phone", "card")


def test_an_iban_ends_where_its_country_says(found: Found) -> None:
    assert ("GB82 WEST 1234 5698 7654 32", "iban") in found("from GB82 WEST 1234 5698 7654 32 to other bank")


def test_an_address_takes_the_numbers_beside_it(found: Found) -> None:
    assert found("Ship to 6750 Koskikatu 25 Apt. 864 today")[0] == ("6750 Koskikatu 25 Apt. 864", "address")


def test_an_address_ends_with_its_sentence() -> None:
    text = "Letters go to 273 Thanel Drive. The court is in Leeds. The property is at 5 Elm Blvd. Apt 4."
    found = [text[span.start : span.end] for span in streets(text)]
    assert "273 Thanel Drive" in found
    assert not any("The court" in address for address in found)
    assert any(address.startswith("5 Elm Blvd") for address in found)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Eleanor, MRN 4471-9025, was seen", "id"),
        ("on his account 88213467 and", "id"),
        ("policy number 4471 9025 11", "id"),
        ("order no. 555 014 7788", "id"),
        ("account holder's phone 202 555 0147", "phone"),
        ("Patient: 202 555 0147", "phone"),
        ("account +49 30 901820", "phone"),
    ],
)
def test_what_a_record_is_called_by_is_no_phone(text: str, kind: str) -> None:
    (found,) = [s for s in detect_all(text, [Patterns()]) if any(c.isdigit() for c in text[s.start : s.end])]
    assert found.kind.value == kind
