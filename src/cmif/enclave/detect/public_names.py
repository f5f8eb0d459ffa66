"""Names that everybody knows: the packaged list, and which of its categories a found name is in, however it is tied."""

from __future__ import annotations

import re
from functools import lru_cache

from cmif.enclave.detect import cues
from cmif.enclave.detect.data import entries
from cmif.enclave.detect.lists import lists
from cmif.types import Kind, Span

CATEGORIES = ("term", "work", "person", "organisation", "place", "eponym", "host")
NAMES = frozenset({Kind.PERSON, Kind.PLACE, Kind.ORGANISATION})
JUDGED = frozenset({"names", "address_forms", "ner", "patterns", "special"})
_OWN_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::\d{1,5})?(?![\w.])")
"""The machine one sits at: a path of ordinary words on it ("localhost:8080/health") says nothing either."""
_BEFORE_ANYBODY = re.compile(r"(?<!\d)1[0-8]\d\d(?!\d)")
"""A year of a day that nobody who lives has seen: "April 14, 1865"."""
_POSSESSIVE = re.compile(r"['’]s?\Z")
_WORD_BEFORE = re.compile(r"(?<![^\W_])[^\W_]{2,20} \Z")
_WORD_AFTER = re.compile(r" [^\W_]{2,20}(?![^\W_])")
_TERM = re.compile(
    r"(?:['’]s?)?(?:[ -](?:[a-z]+[ -]){0,1}(?:" + "|".join(sorted(cues.TERM_NOUNS)) + r")s?\b)", re.IGNORECASE
)


@lru_cache(maxsize=1)
def listed() -> dict[str, str]:
    """Every public entry and its category; a person's last word too where it alone means the person."""
    found: dict[str, str] = {}
    for category in CATEGORIES:
        files = ("place", "place_geonames") if category == "place" else (category,)
        for file in files:
            for entry in entries(f"public/{file}.txt"):
                name = entry.lstrip("*").rstrip(".")
                found.setdefault(name, category)
                if entry.startswith("*"):
                    parts = name.split(" ")
                    found.setdefault(parts[-1], category)
                    if parts[-2:-1] and parts[-2] in cues.PARTICLES:
                        found.setdefault(" ".join(parts[-2:]), category)  # "Van Gogh"
    return found


@lru_cache(maxsize=1)
def special_public() -> frozenset[str]:
    """Words of special categories that in a question of general knowledge say nothing about who asks."""
    return frozenset().union(
        entries("public/question_word.txt"),
        *(entries(f"special/{c}.txt") for c in ("origin", "faith", "politics")),
    )


def is_judged(span: Span) -> bool:
    return span.detector in JUDGED and (span.kind in NAMES or span.kind in (Kind.WORD, Kind.URL, Kind.DATE))


def category_of(text: str, span: Span) -> str | None:
    """The category of a found span in the public list, however it is tied."""
    if not is_judged(span):
        return None
    name = spelling(text[span.start : span.end])
    if span.kind is Kind.DATE:
        return "history" if _BEFORE_ANYBODY.search(name) else None
    if span.kind is Kind.WORD:
        return "word" if name in special_public() or name.rstrip("s") in special_public() else None
    if span.kind is Kind.URL:
        host = re.sub(r"\Ahttps?://|\Awww\.", "", name).rstrip("/").split("/licenses")[0].removeprefix("www.")
        if (own := _OWN_HOST.match(host)) is not None:
            path = re.findall(r"[^\W_]+", host[own.end() :])
            ordinary = lists().ordinary | lists().modern
            return "host" if all(word in ordinary or word[1:].isdigit() for word in path) else None
        return "host" if host in listed() else None
    if text[span.end : span.end + 2] in ("'s", "’s") and (shop := listed().get(f"{name}'s")):
        return shop
    known = listed().get(name) or listed().get("the " + name)
    words = name.split(" ")
    if known and (len(words) > 1 or not _may_be_private(name, known)):
        return known if known != "eponym" or _goes_on_as_term(text, span) else None
    if _goes_on_as_term(text, span) and words[-1] in _eponyms():
        return "eponym"
    if span.kind in NAMES and len(words) == 1 and (around := _around(text, span, name)):
        return around
    made = tiled(words) if len(words) > 1 else None
    return None if made == "place" and span.kind is Kind.PERSON else made


def spelling(name: str) -> str:
    return _POSSESSIVE.sub("", " ".join(name.lower().replace("’", "'").split())).rstrip(".")


def _around(text: str, span: Span, name: str) -> str | None:
    """The category of a listed name of which only this word has its capital: "las Vegas", "Coca cola"."""
    before = _WORD_BEFORE.search(text, max(0, span.start - 22), span.start)
    after = _WORD_AFTER.match(text, span.end)
    singular = name.removesuffix("s")  # "new Zealands coast"
    led = (before.group() + name, before.group() + singular) if before else ()
    for whole in (*led, after and name + after.group()):
        if whole and listed().get(whole.lower()) in ("place", "organisation", "work"):
            return listed()[whole.lower()]
    return None


def _may_be_private(word: str, category: str) -> bool:
    """Whether a listed single word is a private person's name as well."""
    known = lists()
    if category == "person":
        return word in known.given
    return known.names.get(word) is Kind.PERSON and category not in ("eponym",)


@lru_cache(maxsize=1)
def _eponyms() -> frozenset[str]:
    return entries("public/eponym.txt") | cues.EPONYMS


def _goes_on_as_term(text: str, span: Span) -> bool:
    """ "Murphy sign", "Bayes' rule", "Foley balloon catheter"; or the noun is the last word of the name itself."""
    last = text[span.start : span.end].rpartition(" ")[2].lower()
    return _TERM.match(text, span.end) is not None or last.rstrip("s") in cues.TERM_NOUNS


def tiled(words: list[str]) -> str | None:
    """The category of a name made of public names, with everyday words beside terms: "Microsoft Excel"."""
    known = lists()
    category: str | None = None
    plain = False
    i = 0
    while i < len(words):
        for n in range(min(4, len(words) - i), 0, -1):
            part = " ".join(words[i : i + n])
            found = listed().get(part)
            if found in (None, "eponym", "person") or (n == 1 and _may_be_private(part, found or "")):
                continue
            category = category or found
            i += n
            break
        else:
            if words[i] in known.names or (
                words[i] not in known.ordinary and words[i].upper() not in known.abbreviations
            ):
                return None
            plain = True
            i += 1
    return (
        category
        if not plain or category in ("term", "organisation", "work") or words[-1] in cues.PLACE
        else None
    )
