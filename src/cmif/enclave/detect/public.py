"""Public knowledge stays: of the names that were found, those that everybody knows and nothing ties to a person.

"What is the capital of France?" keeps France; "Ngozi was born in France" does not. A name is *public* when it is in the
packaged list (countries, large cities, peoples, persons of history by full name, works, terms, well-known
organisations). It is *tied*, and then protected, where its sentence speaks of somebody: in the first person, of a
patient or relative, with a private name, number or address in it, or after "lives in", "born in", "works for",
"Country:". A name that is tied once is protected in the whole text, so that what stays cannot betray what was replaced.

In questions of general knowledge ("who played ... in the movie") a name that no list has is public as well, if the
question holds a word of public life and nothing of the above.

What this gives away: that a text mentions these public names. A private person who bears a listed full name, in a
sentence without any tie, is taken for the public one. The policy key `public = "protect"` switches all of it off.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cmif.enclave.detect.public_names import JUDGED, NAMES, category_of, is_judged, spelling
from cmif.enclave.detect.questions import Question, is_asked_about, is_in_title, question_of
from cmif.enclave.detect.scan import around, figures, within
from cmif.enclave.detect.ties import is_tied, making_private
from cmif.enclave.words import is_stopword
from cmif.types import Kind, Span

_BOUNDARY = re.compile(r"(?<=[^\W_]{3})(?<!Mrs)(?<!Prof)(?<!Capt)[.!?]+[\"'”’)\]]*\s|\n")
# A published decision by its reporter, with the parties before it: "Roe v. Wade, 410 U.S. 113 (1973)".
_CITE = re.compile(
    r"(?:[A-Z][\w.'’&-]{0,30}(?: [A-Z&][\w.'’-]{0,30}| of| and| the){0,6} vs?\.? [A-Z][\w.'’&-]{0,30}(?: "
    r"[A-Z&][\w.'’-]{0,30}| of| and| the){0,6}, )?"
    r"(?<!\w)\d{1,4} (?:U\. ?S\.|F\.(?: ?(?:2d|3d|4th|Supp\.(?: ?[23]d)?|App[’']x))?|S\. ?Ct\.|L\. ?Ed\.(?: "
    r"?2d)?|N\.[EWY]\.(?:S\.)?(?: ?[23]d)?|"
    r"S\.[EW]\.(?: ?[23]d)?|So\.(?: ?[23]d)?|P\.(?: ?[23]d)|A\.(?: ?[23]d)|Cal\.(?: ?App\.)?(?: ?(?:2d|3d|4th|"
    r"5th))?|U\.S\.C\.|C\.F\.R\.|Fed\. Reg\.|"
    r"Wis\.|Ill\.|Mass\.|Pa\.|Va\.|Ga\.|Mich\.|Minn\.|Conn\.|Wash\.|Tex\.|Ohio St\.) (?:§{1,2} "
    r"?)?\d{1,5}(?:[\w.()-]{0,12})(?:, \d{1,5}){0,2}(?: \((?:[\w. ]{0,20} )?[12]\d{3}\))?"
    r"|\[[12]\d{3}\] (?:\d{1,3} )?[A-Z][A-Za-z ]{1,12} \d{1,5}"
)
# A document, standard, weakness or code that its publisher numbers: "ISO/IEC 27001", "CVE-2021-44228", "CPT 99213".
_SERIES = re.compile(
    r"(?<![\w-])(?:(?:ISO|IEC|IEEE|RFC|PEP|ANSI|ASTM|DIN|EN|BS|ITU-T|ETSI|NIST|FIPS|ECMA|PCI DSS|IFRS|IAS|"
    r"SNOMED(?:[ -]CT)?|LOINC|CPT|HCPCS|RxNorm|OMIM|CAS|PMID|PMCID|arXiv|ISBN(?:-1[03])?|ISSN|JEP)"
    r"(?:[/ -](?:IEC|IEEE|TS|TR|EN|ISO|SP|PAS|No\.?|no\.?|code))?[ :-]{0,2}\d[\d.:/-]{0,18}(?:[A-Z]{1,2}\d{0,3})?"
    r"|(?:CVE|CWE|CAPEC|ORA|ICD|DSM)-(?:\d{1,4}[-:])?\d{1,7}|(?:KB|PMC)\d{6,8}|MS\d\d-\d{3}"
    r"|ATC [A-Z]\d\d[A-Z]{2}\d\d|(?:doi:|DOI:? )10\.\d{4,9}/[\w./()-]{1,60})(?!\w)"
)

_CITED = re.compile(r"\d(?: [A-Z]|\] )")  # what stands in each


@dataclass(frozen=True, slots=True)
class KeptPublic:
    """``text[start:end]`` was found as ``kind`` and stays; ``reason``: the category it is listed in, or "question"."""

    start: int
    end: int
    kind: Kind
    reason: str


def judge(text: str, spans: Sequence[Span]) -> tuple[tuple[Span, ...], tuple[KeptPublic, ...]]:
    """``spans`` (disjoint, sorted) without those that are public and tied to nobody, and these with the reason."""
    cites = [match.span() for match in _CITE.finditer(text)] if _CITED.search(text) else []
    cites += [match.span() for match in within(_SERIES, text, around(figures(text), 30, 90))]
    reasons = ["cite" if _is_cited(s, cites) else category_of(text, s) for s in spans]
    if any(s.kind is Kind.DATE and reason is None for s, reason in zip(spans, reasons, strict=True)):
        # All dates are moved or none, else intervals are not kept.
        reasons = [None if reason == "history" else reason for reason in reasons]
    questions: dict[tuple[int, int], Question | None] = {}
    borders = [match.span() for match in _BOUNDARY.finditer(text)] if spans else []
    bounds: list[tuple[int, int]] = []
    for span, reason in zip(spans, reasons, strict=True):
        bounds.append(_sentence(text, borders, span.start) if is_judged(span) or reason else (0, 0))
    protected: set[str] = set()
    kept: list[str | None] = []
    sentences = making_private(text, spans, reasons)
    for i, (span, reason) in enumerate(zip(spans, reasons, strict=True)):
        if reason == "cite" or not is_judged(span):
            kept.append(reason)
            continue
        sentence = bounds[i]
        if sentence not in questions:
            questions[sentence] = question_of(text, *sentence, spans)
        question = questions[sentence]
        if question and span.kind is not Kind.WORD and not reason:
            reason = "question" if is_asked_about(text, span, question) else None
        elif question and span.kind is Kind.WORD and not reason:
            reason = "work" if is_in_title(text, span, sentence) else None
        elif reason == "word":
            reason = reason if question else None
        elif reason and not question and is_tied(text, span, reason, sentence, sentences):
            reason = None
        kept.append(reason)
        if reason is None and span.kind in NAMES:
            protected.update(_names(text, span))
    out: list[Span] = []
    public: list[KeptPublic] = []
    for span, reason in zip(spans, kept, strict=True):
        if reason and (span.kind is Kind.WORD or not protected.intersection(_names(text, span))):
            public.append(KeptPublic(span.start, span.end, span.kind, reason))
        else:
            out.append(span)
    return tuple(out), tuple(public)


def _is_cited(span: Span, cites: Sequence[tuple[int, int]]) -> bool:
    """Whether a span lies in one of ``cites`` and is a detector's guess: not what the user marked, nor what a
    conversation has protected, nor a number whose check digits are right.
    """
    guessed = span.detector in JUDGED and span.kind not in (Kind.CARD, Kind.IBAN)
    return guessed and any(start <= span.start and span.end <= end for start, end in cites)


def _names(text: str, span: Span) -> Iterator[str]:
    """A name and the parts of it that may stand alone."""
    name = spelling(text[span.start : span.end])
    yield name
    if span.kind is Kind.PERSON:
        yield from (part for part in name.split(" ") if len(part) > 2 and not is_stopword(part))


def _sentence(text: str, borders: Sequence[tuple[int, int]], at: int) -> tuple[int, int]:
    """The sentence or line around ``at``, looked for within 600 characters on either side. ``borders``: where
    sentences and lines of the whole text end.
    """
    first, last = max(0, at - 600), min(len(text), at + 600)
    i = bisect_right(borders, at, key=_end)
    start = max(first, borders[i - 1][1]) if i else first
    end = next((border[0] + 1 for border in borders[i : i + 2] if border[0] >= at and border[1] <= last), last)
    return start, end


def _end(border: tuple[int, int]) -> int:
    return border[1]
