"""Whether a name is a person's, a place's or an organisation's: it decides the surrogate's list, not
whether there is one.
"""

from __future__ import annotations

from cmif.enclave.detect import cues
from cmif.enclave.detect.lists import lists
from cmif.enclave.detect.tokens import Token, Written
from cmif.types import Kind


def kind_of(sentence: list[Token], first: int, end: int) -> Kind:
    """The kind of the name ``sentence[first:end]``; PERSON where nothing says otherwise."""
    tokens = sentence[first:end]
    words = [token.lower for token in tokens]
    listed = _by_words(words)
    if listed is not None:
        return listed
    before = sentence[first - 1].lower if first else ""
    after = sentence[end] if end < len(sentence) else None
    if _is_street(before, words) or _is_destination(sentence, first) or (
        after and after.follows_closely and after.lower in _BEHIND_A_PLACE
    ):
        return Kind.PLACE
    by_first = lists().names.get(words[0])
    if by_first is Kind.PERSON or (by_first is None and len(words) > 1 and before not in cues.BEFORE_PLACE):
        return Kind.PERSON
    if before in cues.BEFORE_PLACE:
        return Kind.PLACE
    if by_first is not None:
        return by_first
    if tokens[0].written is Written.UPPER and len(words[0]) <= 6:
        return Kind.ORGANISATION
    if before in cues.BEFORE_ORGANISATION:
        return Kind.ORGANISATION
    return Kind.PLACE if before in cues.BEFORE_EITHER else Kind.PERSON


def _is_street(before: str, words: list[str]) -> bool:
    """ "parked on Mill Lane"; not "relies on Diane Lane"."""
    return before in _ALONG and words[-1] in _STREETS and len(words) > 1 and words[0] not in lists().given


def _is_destination(sentence: list[Token], first: int) -> bool:
    """ "flew to Leppen", "arrived at Lendava", "originally from Espoo", "home city Assen"."""
    before = [t.lower for t in sentence[max(0, first - 3) : first]]
    if not before:
        return False
    if before[-1] in ("city", "town", "village", "country", "capital", "suburb"):
        return sentence[first - 1].text.islower()
    return before[-1] in ("to", "from", "at", "in", "for") and any(word in _MOTION for word in before[:-1])


_ALONG = frozenset(("on", "along", "off", "down", "up"))
_STREETS = frozenset(("street", "road", "avenue", "lane", "drive", "way", "close", "crescent", "row", "hill", "square"))
_BEHIND_A_PLACE = frozenset(
    ("bridge", "airport", "harbour", "harbor", "river", "county", "province", "suburb", "valley")
)
_BEGINS_A_PLACE = frozenset(
    ("st", "san", "santa", "port", "fort", "mount", "lake", "cape", "cite", "cité", "villa")
)
_MOTION = frozenset(
    (  # noqa: SIM905
        "flew fly flies flying flight flights travel travelled traveled travelling traveling trip move moved moves "
        "moving relocate relocated drove drive driving return returned coming come comes came arrived arrive arrives "
        "arriving landed born raised originally grew emigrated immigrated train bus ferry road capital sailed headed"
    ).split()
)


def _by_words(words: list[str]) -> Kind | None:
    names = lists().names
    if (whole := names.get(" ".join(words))) is not None:
        return whole
    if len(words) == 1:
        return None
    if any(word in cues.ORGANISATION for word in words[1:]):
        return Kind.ORGANISATION
    if words[-1] in cues.PLACE or words[0] in cues.COMPASS or words[0] in _BEGINS_A_PLACE:
        return Kind.PLACE
    if names.get(words[-1]) is Kind.PLACE and names.get(words[0]) is not Kind.PERSON:
        return Kind.PLACE
    return None
