from __future__ import annotations

import pytest

from cmif.enclave.detect import detect_all
from cmif.enclave.detect.address_forms import AddressForms

NAMED = [
    ("ask inessa in lubbeek about jonsson", [("inessa", "person"), ("lubbeek", "place"), ("jonsson", "person")]),
    ("tell frederikke that we are late", [("frederikke", "person")]),
    ("the dr okafor said so", [("okafor", "person")]),
    ("mr. de vries agrees", [("de vries", "person")]),
    ("Ms.yoyo was late", [("yoyo", "person")]),
    ("ms brown called", [("brown", "person")]),
    ("hi tjeerd, how are you", [("tjeerd", "person")]),
    ("my boss tjeerd hooft is away", [("tjeerd hooft", "person")]),
    ("hi i am belal a gp doctor", [("belal", "person")]),
    ("he lives in zwevezele now", [("zwevezele", "place")]),
    ("she works at zenvia", [("zenvia", "organisation")]),
    ("my company called soskill sells soap", [("soskill", "organisation")]),
    ("email okonjo's brother", [("okonjo", "person")]),
    ("mr bean and mrs farthing came", [("bean", "person"), ("farthing", "person")]),
    ("hi im kasimir, 34", [("kasimir", "person")]),
    ("my gf tamsin oyelaran works @ halvorsen", [("tamsin oyelaran", "person"), ("halvorsen", "organisation")]),
    ("as discussed w/ oyelaran today", [("oyelaran", "person")]),
]  # fmt: skip
NONE = [
    "ask the team in advance about it", "tell me about the weather", "a 10 ms delay", "ms excel and ms word", "dr appointment",
    "dear customer, hello world, hi all", "i am tired and hungry", "she works at home", "lives in harmony with nature",
    "thanks a lot, best wishes", "my friend called yesterday", "the company publishes maps",
]  # fmt: skip


@pytest.mark.parametrize(("text", "names"), NAMED)
def test_an_unknown_word_behind_a_form_of_address_is_a_name(text: str, names: list[tuple[str, str]]) -> None:
    spans = detect_all(text, [AddressForms()])
    assert [(text[s.start : s.end], s.kind.value) for s in spans] == names


@pytest.mark.parametrize(
    ("text", "company"),
    [
        ("For the first time, Halcyon Robotics Ltd grew.", "Halcyon Robotics Ltd"),
        ("On december 31, 2024, Sword Corp paid.", "Sword Corp"),
        ("works for hubbard, fox and gill ltd", "hubbard, fox and gill ltd"),
        ("I work for 48 Factoring Inc", "48 Factoring Inc"),
        ("with Hubbard, Fox and Gill ltd", "Hubbard, Fox and Gill ltd"),
    ],
)
def test_a_company_begins_with_its_own_words(text: str, company: str) -> None:
    assert company in [text[s.start : s.end] for s in detect_all(text, [AddressForms()])]


@pytest.mark.parametrize("text", NONE)
def test_a_word_that_is_one_stays(text: str) -> None:
    assert detect_all(text, [AddressForms()]) == ()
