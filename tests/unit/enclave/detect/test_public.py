"""Names that everybody knows stay where nothing ties them to a person, and are protected where something does."""

from __future__ import annotations

import pytest

from cmif.enclave.detect import default_detectors, detect
from cmif.types import Kind, Span

DETECTORS = default_detectors()


def sent(text: str, marked: tuple[Span, ...] = (), *, keep_public: bool = True) -> str:
    """``text`` with every private character but those of special words as a dot."""
    out = list(text)
    for span in detect(text, DETECTORS, marked, keep_public=keep_public).spans:
        if span.kind is not Kind.WORD:
            out[span.start : span.end] = "." * (span.end - span.start)
    return "".join(out)


KEPT = [
    "What is the capital of France?",
    "Compare the economies of Japan and South Korea.",
    "Explain the causes of World War II in Europe.",
    "How far is Mars from Jupiter?",
    "Write an essay about Leo Tolstoy and Shakespeare.",
    "Did Albert Einstein like Mozart?",
    "In Hamlet, who kills Polonius?",
    "Translate this into French: the train leaves at noon.",
    "What does Microsoft Excel do that Google Sheets cannot?",
    "Write a Python script that calls the Kubernetes API.",
    "Prove the Pythagorean theorem and Bayes' rule.",
    "Use the Fourier transform and the Gaussian distribution.",
    "Foley catheter in place, positive Murphy sign, Holter monitor fitted.",
    "HEENT normal. Start Zetia, stop Flomax.",
    "Roe v. Wade, 410 U.S. 113 (1973)",
    "See Brown v. Board of Education, 347 U.S. 483 (1954), and 42 U.S.C. § 1983.",
    "Tell me about Brazil.",
    "Explain ISO 27001, ISO/IEC 27001:2022, RFC 2616, PEP 8, CVE-2021-44228, CPT 99213, ISBN 978-0-306-40615-7 and KB5034441.",
    "curl http://localhost:8080/health fails at 127.0.0.1:8080 and 0.0.0.0; the mask is 255.255.255.0, the block 192.168.0.0/16.",
    "Abraham Lincoln was shot on April 14, 1865. The French Revolution began on 14 July 1789.",
    "Burn C6H12O6 and C21H30O2 -> H2O.",
    "The Nile is longer than the Danube.",
    "Should I donate to Oxfam or buy shares of Tesco? The FCA and the ECHR disagree with Sainsbury's and LinkedIn.",
]


@pytest.mark.parametrize("text", KEPT)
def test_public_knowledge_stays(text: str) -> None:
    assert sent(text) == text


@pytest.mark.parametrize("text", ["What is the capital of France?", "Write an essay about Leo Tolstoy.", KEPT[8]])
def test_the_policy_protects_public_names_too(text: str) -> None:
    assert sent(text, keep_public=False) != text


@pytest.mark.parametrize("text", ["Roe v. Wade, 410 U.S. 113 (1973)", "ISO 27001", "CVE-2021-44228"])
def test_what_somebody_marked_or_said_before_in_private_is_public_nowhere(text: str) -> None:
    assert text not in sent(f"Read {text} to me.", (Span(5, 5 + len(text), Kind.PRIVATE, "marks"),))
    assert text not in sent(f"Read {text} to me.", (Span(5, 5 + len(text), Kind.ID, "conversation"),))


@pytest.mark.parametrize("text", ["10.20.30.0/24", "192.168.1.7", "172.20.0.0/16", "ISBN 4539148803436467", "http://localhost/patients/lunde"])
def test_what_only_looks_like_everybody_s_is_protected(text: str) -> None:
    assert text not in sent(f"Look at {text} please.")


TIED = [
    ("My great-grandfather was born on 14 March 1879.", ["14 March 1879"]),
    ("Einstein was born on 14 March 1879 and died on 18 April 1955.", ["14 March 1879", "18 April 1955"]),
    ("Patient born 14/03/1979.", ["14/03/1979"]),
    ("My patient Ngozi Eze was born in France and lives in Lyon.", ["Ngozi", "France", "Lyon"]),
    ("I live in France.", ["France"]),
    ("We moved from Portugal to Canada last year.", ["Portugal", "Canada"]),
    ("She was born in Kenya.", ["Kenya"]),
    ("He works for Google.", ["Google"]),
    ("My employer is Microsoft.", ["Microsoft"]),
    ("The patient returned from Brazil with a fever.", ["Brazil"]),
    ("Anna Weber flew to Tokyo.", ["Anna", "Tokyo"]),
    ("Country: France", ["France"]),
    ("Employer: Microsoft", ["Microsoft"]),
    ("12 Acacia Avenue\nLondon\nEngland", ["Acacia", "London", "England"]),
    ("Our office is in Berlin.", ["Berlin"]),
    ("Ask my colleague Michael Jordan about the lease.", ["Michael", "Jordan"]),
    ("Dear Elizabeth Taylor, your invoice is due.", ["Elizabeth", "Taylor"]),
    ("Please email John Adams about the contract.", ["John Adams"]),
    ("Florence Nightingale was seen in clinic for a cough.", ["Nightingale"]),
    ("Write a reference letter for Michael Jackson, who worked at Nordfell Ltd.", ["Jackson", "Nordfell"]),
    ("Mr Churchill is our tenant.", ["Churchill"]),
    ("Send it to maria@nordfell.com in Norway.", ["Norway", "nordfell"]),
]


@pytest.mark.parametrize(("text", "private"), TIED)
def test_a_public_name_that_is_tied_to_somebody_is_protected(text: str, private: list[str]) -> None:
    left = sent(text)
    assert [name for name in private if name in left] == []


def test_a_name_that_is_tied_once_is_protected_everywhere() -> None:
    left = sent("I live in Portugal. What is the capital of Portugal?")
    assert "Portugal" not in left


@pytest.mark.parametrize(
    "text",
    [
        "Who played Zarko Lunde in the movie Nordlicht?",
        "When was the first season of Vestmark released?",
        "Which team won the Tippeligaen championship?",
        "Who sang Drommeland in the musical?",
        "Where does the last name Lunde come from?",
        "Who does Zarko end up with in nordlicht?",
        "What is the definition of Lundeite?",
        "Which Government wrote the articles of confederation?",
        "Who is Zarko on days of our lives?",
        "Who played Mr Lunde in nordlicht?",
        "How tall is the tallest building in las Vegas?",
        "When was the first Lundet put in captivity?",
        "Who is Zarko in where the kettle never rests?",
        "Who was Zarko's mother in when kettles rest?",
        "Who was Mr Lunde in and then there were none?",
        "Who kicked the longest field goal, Zarko Lunde or Ezra Vand?",
        "Croatia Slovenia Bosnia used to be parts of?",
        "How many customers does Vodafone have in the uk?",
    ],
)
def test_a_question_of_general_knowledge_keeps_names_that_no_list_has(text: str) -> None:
    assert sent(text) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Why is Zarko so impulsive?", "Zarko"),
        ("Who is Anna Weber?", "Anna"),
        ("When is my first meeting with Zarko?", "Zarko"),
        ("What did our client Lunde say about the book?", "Lunde"),
        ("Have you been to a Zarko Lunde concert?", "Zarko"),
        ("Where does Zarko Lunde live?", "Lunde"),
        ("Who is Zarko in the office?", "Zarko"),
        ("Who is Mr Lunde in the sales team?", "Lunde"),
        ("Who was the last tenant Zarko ended up with?", "Zarko"),
        ("When did Zarko read once upon a time?", "Zarko"),
        ("What does Zarko know of our lives?", "Zarko"),
        ("Who called Zarko a Lunde?", "Zarko"),
        ("Who wrote the report, Anna Weber or Ben?", "Anna"),
        ("When does Zarko arrive?", "Zarko"),
        ("Who is Zarko coming in to see?", "Zarko"),
        ("Who is Zarko bringing in and when?", "Zarko"),
        ("Who did Mr Lunde see Forrest Gump with?", "Lunde"),
        ("What is the salary of Zarko at the mint?", "Zarko"),
        ("Did Zarko change his address after the election?", "Zarko"),
        ("The flat of Zarko is next to the?", "Zarko"),
        ("Zarko Lunde lives in?", "Lunde"),
        ("When did Zarko start?", "Zarko"),
        ("What is the name of Zarko's company?", "Zarko"),
        ("Did Nordfell win the tender?", "Nordfell"),
        ("Which hospital is treating Zarko, and did the government find out?", "Zarko"),
        ("Did Lunde's diagnosis mean that he will die?", "Lunde"),
        ("Call zarko@lunde.no. Who played Zarko in the movie?", "Zarko"),
    ],
)
def test_a_question_about_somebody_is_none_of_general_knowledge(text: str, name: str) -> None:
    assert name not in sent(text)


@pytest.mark.parametrize("text", ["Murphy called.", "Foley and Holter are our tenants.", "Ask Bayes for the file."])
def test_an_eponym_without_its_term_is_a_person(text: str) -> None:
    assert "." * 4 in sent(text)


@pytest.mark.parametrize("text", ["Sita called about the invoice.", "Rachel Green was admitted.", "Hector is our tenant."])
def test_a_character_whose_name_people_bear_is_a_person(text: str) -> None:
    assert text.split()[0] not in sent(text)


def test_a_special_word_in_the_title_of_an_event_stays_in_a_question_and_nowhere_else() -> None:
    told = "Since the great depression of last year I sleep badly."
    for asked in ("Who was president in the great depression?", "During the great depression farmers moved to the?"):
        assert [s for s in detect(asked, DETECTORS).spans if s.kind is Kind.WORD] == []
    assert "depression" in [told[s.start : s.end] for s in detect(told, DETECTORS).spans if s.kind is Kind.WORD]


def test_what_stays_is_reported_with_its_reason() -> None:
    text = "Does Shakespeare mention France in Hamlet?"
    found = {text[kept.start : kept.end]: kept.reason for kept in detect(text, DETECTORS).kept}
    assert found == {"Shakespeare": "person", "France": "place", "Hamlet": "work"}


def test_a_mark_of_the_user_is_never_public() -> None:
    text = "What is the capital of France?"
    at = text.index("France")
    assert "France" not in sent(text, (Span(at, at + 6, Kind.PRIVATE, "marks"),))


@pytest.mark.parametrize("word", ["cancer", "diabetes", "HIV"])
def test_a_condition_stays_a_special_word_in_any_question(word: str) -> None:
    text = f"What is the first movie about {word}?"
    assert word in [text[s.start : s.end] for s in detect(text, DETECTORS).spans if s.kind is Kind.WORD]
