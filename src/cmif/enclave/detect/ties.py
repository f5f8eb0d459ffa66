"""What ties a public name to somebody: the first person, a patient or relative, a private value near it, a home."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cmif.types import Kind, Span

# A private value of these kinds makes its sentence, and an address the lines around it, somebody's.
CONTACT = frozenset(
    {
        Kind.EMAIL, Kind.PHONE, Kind.ADDRESS, Kind.NATIONAL_ID, Kind.CARD, Kind.IBAN, Kind.PRIVATE, Kind.SECRET,
        Kind.PERSON, Kind.ORGANISATION, Kind.ID,
    }
)  # fmt: skip
_NEAR_ADDRESS = 60  # characters
_NEAR_LINE = 40  # characters: from a line that holds nothing but names, as in a letter's head
_SAID = re.compile(r"(?<![^\W_])[a-z]{3,}")
_JOURNEY = re.compile(
    r"(?i:\b(?:trips?|vacations?|holidays?|honeymoon|travell?ed|travell?ing|fun to visit|visited|visiting|"
    r"flights?|hotels?|booked|"
    r"booking|itinerary|visas?|relocation|internship|roles?|positions?|office)\b)"
)
REQUEST = re.compile(
    r"(?i:\b(?:tell|give|show|help|teach|ask|send|write|explain to|let|for) me\b|\b(?:can|could|may|should|do|"
    r"must|did) (?:I|we)\b|"
    r"\bI(?:['’]d| would)? (?:want|need|like|love|wish)(?: to (?:know|learn|understand|see|write|read|find out|"
    r"create|make)| you to| an?\b)|"
    r"\bI(?:['’]m| am) (?:writing|studying|looking for|researching|reading|working on|curious|interested|"
    r"trying)\b|\bplease help me\b)"
)
FIRST_PERSON = re.compile(
    r"(?<![\w.])(?:I(?:['’](?:m|ve|d|ll))?(?![\w.-])|(?i:my|mine|myself|me|our|ours|i['’]m|i['’]ve)\b|(?:We|we)\b)"
    r"|(?<![\w.])i (?=(?:am|was|live|lived|moved|work|worked|grew|study|studied|come|came|went|have|had)\b)"
)
SOMEBODY = re.compile(
    r"(?i:\b(?:patient|pt|client|customer|employee|tenant|landlord|applicant|claimant|plaintiff|defendant|"
    r"candidate|resident|"
    r"colleague|coworker|co-worker|neighbou?r|girlfriend|boyfriend|fianc[ée]e?|roommate|flatmate|"
    r"mr|mrs|ms|mx|(?:reference|recommendation|resignation) letter|letter (?:to|for)|seen (?:in|by|at|for)|"
    r"treat(?:ed|ing)|"
    r"follow-?up|referred (?:to|by)|denies|"
    r"(?:his|her|their|your) (?:wife|husband|son|daughter|mother|father|mom|mum|dad|brother|sister|employer|"
    r"boss|company|team|"
    r"address|home|house|flat|office|account|passport|visa)|"
    r"year[- ]old|(?<=\d )yo|(?<=\d)yo|y/o|diagnosed|admitted|discharged|prescribed|presents (?:with|"
    r"to (?:the|our) (?:clinic|ed|er|"
    r"hospital|office))|complains|"
    r"dear|sincerely|regards|attn|invoice|appointment|lease|resume|curriculum vitae|cover letter|e-?mail|text "
    r"message|phone number|"
    r"passport|visa application|payroll|(?<!average )(?<!minimum )salary(?! cap)|hired|hiring|onboard(?:ing)?)\b)"
)
_HE_OR_SHE = re.compile(r"(?i:\b(?:he|she|him|her|his|hers)\b)")
# Directly before a public name, what says that somebody lives, was born or works there.
_RESIDES = re.compile(
    r"(?i:\b(?:liv(?:es?|ed|ing)|resid(?:es?|ed|ing)|born|raised|grew up|bred|mov(?:ed?|es|ing)|"
    r"relocat(?:ed?|es|ing)|"
    r"emigrat\w+|immigrat\w+|settled|stay(?:s|ed|ing)?|based|located|works?|worked|working|employed|employee|"
    r"intern(?:ed)?|job|"
    r"stud(?:y|ies|ied|ying)|enrolled|graduat\w+|native|resident|citizen|national|home|house|flat|apartment|"
    r"office|flew|flying|"
    r"travel\w*|hails?|comes?|came|originally|is|was|are|am) (?:[a-z]+ )?(?:in|at|to|for|from|of|near|with|as an?)"
    r"(?: the| a)? )\Z"
)
_GENERIC = re.compile(
    r"(?i:\b(?:who|what|where|when|which|how|why|people|population|animals?|species|movie|film|show|song)\b)"
)
_LABELLED = re.compile(
    r"(?i:\b(?:country|city|town|state|county|nationality|citizenship|birth ?place|place of birth|hometown|"
    r"location|address|"
    r"employer|company|organi[sz]ation|school|university|college|hospital|name|residence|origin|destination|"
    r"based in|"
    r"workplace)\b[\"']?[ \t]{0,3}[:=|][ \t\"']{0,4})\Z"
)
_ROLE = re.compile(
    r"(?i:\b(?:mr|mrs|ms|miss|mx|dr|prof|my|our|his|her|their|your|dear|hi|hello|hey|named?|called|colleague|"
    r"friend|boss|manager|"
    r"patient|client|customer|tenant|employee|user|contact|from|to|with|by|attn|cc|bcc|signed|regards|sincerely|"
    r"wife|husband|son|"
    r"daughter|brother|sister|neighbou?r|uncle|aunt|cousin|i am|i['’]m|this is|ask|tell|call|email|e-mail|met|"
    r"meet|invite|pay|"
    r"remind|phone|visit|contacted|texted)[.:,]? {0,2})\Z"
)
# A person by full name is public after these too, of which only a relation to the writer is private.
_HARMLESS = re.compile(r"(?i:\b(?:by|from|to|with|named?|called) {0,2})\Z")


def making_private(text: str, spans: Sequence[Span], reasons: Sequence[str | None]) -> list[Span]:
    """The spans that make a sentence somebody's: private names and values."""
    return [s for s, reason in zip(spans, reasons, strict=True) if reason is None and s.kind in CONTACT]


def is_tied(
    text: str, span: Span, category: str, sentence: tuple[int, int], private: Sequence[Span]
) -> bool:
    start, end = sentence
    before = text[max(start, span.start - 60) : span.start]
    if category == "host":
        return False
    if category in ("term", "eponym", "work"):
        return category == "work" and _ROLE.search(before) is not None and not _HARMLESS.search(before)
    told = REQUEST.sub(" ", text[start:end])
    if category == "person" and _ROLE.search(before) and not _HARMLESS.search(before):
        return True
    if SOMEBODY.search(told) or _LABELLED.search(before):
        return True
    if any(s.start < end and start < s.end for s in private):
        return True
    reach = _NEAR_LINE if category != "person" and not _SAID.search(told) else 0
    for other in private:
        near = _NEAR_ADDRESS if other.kind is Kind.ADDRESS else reach
        if -near < other.start - span.end < near or -near < span.start - other.end < near:
            return True
    if FIRST_PERSON.search(told):
        return True
    if category == "person":
        return False
    if category == "place" and _JOURNEY.search(told):
        return True
    resides = _RESIDES.search(before) is not None
    return resides and (_HE_OR_SHE.search(told) is not None or not _GENERIC.search(told))
