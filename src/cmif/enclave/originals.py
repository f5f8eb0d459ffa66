"""What a user typed and what the engine saw for it, in every spelling that either side may write.

:func:`spellings` feeds both ways: the :class:`~cmif.enclave.restore.Restorer` reads it from the surrogate to the
original, the :class:`Finder` from the original to the surrogate, so that nothing can be restored into a spelling that
would not be found again.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, dropwhile

from cmif.enclave import layouts
from cmif.enclave.detect.data import entries
from cmif.enclave.detect.lists import lists
from cmif.enclave.detect.plain import readings
from cmif.types import Kind

NUMBERS = frozenset({Kind.CARD, Kind.PHONE, Kind.IBAN, Kind.ID, Kind.NATIONAL_ID})
_NAMES = frozenset({Kind.PERSON, Kind.PLACE, Kind.ORGANISATION})
_CASED = _NAMES | {Kind.WORD, Kind.ADDRESS}
_KEY = 3
_SHORT = 4
"""A value with fewer letters or digits is looked for only where it stands by itself."""
_REGROUPED = 6
"""Letters and digits that a number must have to be looked for in other groups than the usual ones."""
_LONGEST = 32
"""Letters that an ordinary word has at most."""
_DIGIT = re.compile(r"\d")
_APART = re.compile(r"[^\w \-./()]|[\W_]{4}")
_SPACE_RUN = re.compile(r"\s\s")
_TO_SPACE = dict.fromkeys(map(ord, "\t\n\r\f\v\x1c\x1d\x1e\x1f"), " ")


@dataclass(frozen=True, slots=True)
class Original:
    """A value the user typed and the surrogate that the engine saw for it."""

    kind: Kind
    original: str
    surrogate: str


@dataclass(frozen=True, slots=True)
class Found:
    """``text[start:end]`` says ``original`` in some spelling; ``sent`` is the surrogate in that spelling."""

    start: int
    end: int
    original: Original
    sent: str


def canonical(kind: Kind, written: str) -> str:
    """What all spellings of one value share: white space, case and accents folded (a secret's are part of it), a number
    without its separators, a date as ISO 8601 where it can be read in one way only.
    """
    if kind is Kind.SECRET:
        return written
    if kind in NUMBERS:
        return layouts.numbers(written).get("whole", "").casefold() or written.casefold()
    if kind is Kind.DATE:
        read = layouts.read_date(written)
        if read is not None:
            return "-".join(map(str, read)) if isinstance(read, tuple) else read.isoformat()
    return _folded(written)[0].strip()


def spellings(o: Original) -> list[tuple[str, str]]:
    """Pairs (spelling of the surrogate, the same spelling of the original), the exact one first, none twice.

    Other case, other grouping or layout, a plural of a name; of a name of several words also its first one, unless
    that is an ordinary word. A spelling that two originals share is for the caller to leave alone.
    """
    pairs = [(o.surrogate, o.original)]
    if o.kind in NUMBERS:
        pairs += _paired(layouts.numbers(o.surrogate), layouts.numbers(o.original))
    elif o.kind is Kind.DATE:
        # The two are written alike: where only one says which of its numbers is the day, it says so for both.
        day_first = layouts.day_first(o.surrogate)
        day_first = layouts.day_first(o.original) if day_first is None else day_first
        pairs += _paired(layouts.dates(o.surrogate, day_first), layouts.dates(o.original, day_first))
    elif o.kind in _NAMES:
        if o.kind is Kind.ORGANISATION and (bare := _without_form(o.original)) is not None:
            pairs.append((_without_form(o.surrogate) or o.surrogate, bare))
        first = [text.split()[0].rstrip(",") for text in (o.surrogate, o.original)]
        several = all(len(text.split()) > 1 for text in (o.surrogate, o.original))
        if several and o.kind is not Kind.PERSON and all(len(w) >= _SHORT and not ordinary(w) for w in first):
            pairs.append((first[0], first[1]))
        pairs += [(f"{s}{_plural(s)}", f"{t}{_plural(t)}") for s, t in pairs if s.isalpha() and t.isalpha()]
    pairs += [(s.upper(), t.upper()) for s, t in pairs]
    for s, t in list(pairs):
        if not (s.isalpha() and not s.islower() and o.kind in _NAMES and ordinary(s)):
            pairs.append((s.lower(), t.lower()))
        if s[:1].islower() and s.isalpha():
            pairs.append((s[:1].upper() + s[1:], t[:1].upper() + t[1:]))
    return list(dict.fromkeys(pairs))


def one_word(left: str, right: str) -> bool:
    """Whether two neighbouring characters belong to one word. Scripts without case (Han, kana, Hangul, Thai, Arabic,
    ...) set particles and titles beside a name with nothing between, so a name of another script ends there.
    """
    return left.isalnum() and right.isalnum() and _caseless(left) == _caseless(right)


def reads_alike(one: str, other: str) -> bool:
    """Whether two writings differ in case, accents and white space only."""
    return _folded(one)[0].strip() == _folded(other)[0].strip()


def ordinary(word: str) -> bool:
    """Whether a word, whatever its case, is a common one of the public list."""
    return word.lower() in lists().ordinary


class Finder:
    """Where a text of the client's says one of some originals, in any spelling and at any boundary.

    Inside a longer run of letters ("getokaforname") a value counts if it has at least four letters and the run is no
    ordinary word ("prosecutor" does not say "Rose"); beside digits or signs ("id553291x", "get_okafor_name") always,
    and in a script without case, whose words are not set apart, from two letters on. A name that is also an ordinary
    word is not meant by its small spelling ("mark", "may"). Invisible characters, percent and HTML escapes are seen
    through. Linear in the text.
    """

    def __init__(self, originals: Iterable[Original]) -> None:
        self._index: defaultdict[str, dict[str, tuple[Original, str]]] = defaultdict(dict)
        self._numbers: defaultdict[str, dict[str, Original]] = defaultdict(dict)
        self._exact: dict[Original, dict[str, str]] = {}
        originals = tuple(originals)
        self._secrets = {o.original: o for o in originals if o.kind is Kind.SECRET}
        for restorable in (True, False):  # a spelling that can be restored outdoes one that cannot
            for o in originals:
                for spelled, sent in _said(o, restorable):
                    self._index[spelled[:_KEY]].setdefault(spelled, (o, sent))
        for o in originals:
            if o.kind in NUMBERS:
                digits = "".join(filter(str.isalnum, _folded(o.original)[0]))
                if len(digits) >= _REGROUPED:
                    self._numbers[digits[:_SHORT]].setdefault(digits, o)
        self._ordered = {
            key: sorted(spelled.items(), key=lambda item: -len(item[0]))
            for key, spelled in self._index.items()
        }
        self._lengths = [n for n in range(_KEY, 0, -1) if any(len(key) == n for key in self._ordered)]

    def find(self, text: str) -> list[Found]:
        """Not overlapping, in order; the longest of those that begin at one place."""
        if not self._ordered:
            return []
        hits: list[Found] = []
        for reading in readings(text):
            folded, at = _folded(reading.text)
            for start, end, original, sent in chain(
                self._scan(reading.text, folded, at), self._regrouped(reading.text, folded, at)
            ):
                hits.append(Found(*reading.original(start, end), original, sent))
        out: list[Found] = []
        for hit in sorted(hits, key=lambda f: (f.start, -f.end)):
            if not out or hit.start >= out[-1].end:
                out.append(hit)
        return out

    def _scan(self, text: str, folded: str, at: Sequence[int]) -> Iterator[tuple[int, int, Original, str]]:
        ordered, lengths = self._ordered, self._lengths
        position = 0
        while position < len(folded):
            best = None
            for length in lengths:  # falling, so that the first match is the longest
                for spelled, (original, sent) in ordered.get(folded[position : position + length], ()):
                    end = position + len(spelled)
                    if folded.startswith(spelled, position) and _counts(
                        text, at[position], at[end], original
                    ):
                        best = (len(spelled), original, sent)
                        break
                if best is not None:
                    break
            if best is None:
                position += 1
                continue
            start, end = at[position], at[position + best[0]]
            said, original = text[start:end], best[1]
            if (secret := self._secrets.get(said)) is not None:  # its case is part of it
                yield start, end, secret, secret.surrogate
                position += best[0]
                continue
            yield start, end, original, self._sent(said, original) or _like(said, best[2], original.kind)
            position += best[0]

    def _sent(self, said: str, original: Original) -> str | None:
        """The surrogate's spelling that is restored as exactly this one."""
        if original not in self._exact:
            self._exact[original] = {written: sent for sent, written in reversed(spellings(original))}
        return self._exact[original].get(said)

    def _regrouped(
        self, text: str, folded: str, at: Sequence[int]
    ) -> Iterator[tuple[int, int, Original, str]]:
        """Numbers whatever their groups."""
        if not self._numbers or not _DIGIT.search(text):
            return
        places = [i for i, char in enumerate(folded) if char.isalnum()]
        packed = "".join([folded[i] for i in places])
        for k in range(len(packed) - _SHORT + 1):
            for digits, original in self._numbers.get(packed[k : k + _SHORT], {}).items():
                last = k + len(digits) - 1
                if not packed.startswith(digits, k):
                    continue
                said = folded[places[k] : places[last] + 1]
                if not _APART.search(said):
                    start, end = at[places[k]], at[places[last] + 1]
                    yield start, end, original, _regroup(text[start:end], original.surrogate)


@lru_cache(maxsize=4096)
def _said(o: Original, restorable: bool) -> tuple[tuple[str, str], ...]:
    """Pairs (folded spelling of the original, the same spelling of the surrogate). Kept: a conversation's originals are
    looked for again at each of its turns.
    """
    once: dict[str, str] = {}
    for sent, said in spellings(o) if restorable else _said_only(o):
        once.setdefault(said.lower(), sent)
    folded = ((_folded(said.strip())[0], sent) for said, sent in once.items())
    return tuple(pair for pair in folded if pair[0])


def _said_only(o: Original) -> list[tuple[str, str]]:
    """Spellings that a text can have and that are never restored: a value escaped for JSON, a name's words joined as
    an identifier, and every word of a place or an organisation that is neither an ordinary one nor a name by itself.
    """
    escaped = json.dumps(o.original, ensure_ascii=False)[1:-1]
    pairs = [(o.surrogate, escaped)] if escaped != o.original else []
    sent, said = o.surrogate.split(), o.original.split()
    if o.kind in _NAMES and len(said) > 1:
        pairs += [(joint.join(sent), joint.join(said)) for joint in ("_", "-", "")]
        words = [word.strip(".,&'()") for word in said]
        pairs += [
            (sent[0], word)
            for word in words
            if o.kind is not Kind.PERSON and len(word) >= _SHORT and not _is_known(word)
        ]
    return pairs


def _regroup(said: str, sent: str) -> str:
    """The letters and digits of ``sent`` in the groups of ``said``."""
    marks = [char for char in sent if char.isalnum()]
    if len(marks) != sum(char.isalnum() for char in said):
        return sent
    fresh = iter(marks)
    return "".join(next(fresh) if char.isalnum() else char for char in said)


def _counts(text: str, start: int, end: int, original: Original) -> bool:
    said = text[start:end]
    left, right = text[start - 1 : start], text[end : end + 1]
    inner_left = one_word(left, said[:1]) and left.isdigit() == said[:1].isdigit()
    inner_right = one_word(said[-1:], right) and right.isdigit() == said[-1:].isdigit()
    if original.kind is Kind.WORD:
        return not (left.isalnum() or right.isalnum())
    if not (inner_left or inner_right):
        small = said.isalpha() and said.islower() and not original.original.islower()
        return not (small and original.kind in _NAMES and ordinary(said))
    if len(said) > 1 and all(map(_caseless, filter(str.isalpha, said))):
        return True
    camel_left = not inner_left or (left.islower() and said[:1].isupper())
    camel_right = not inner_right or (said[-1:].islower() and right.isupper())
    if camel_left and camel_right:
        return True
    if sum(char.isalnum() for char in said) < _SHORT:
        return False
    least, most = max(0, start - _LONGEST), end + _LONGEST
    while start > least and text[start - 1].isalpha():
        start -= 1
    while end < most and text[end : end + 1].isalpha():
        end += 1
    return not _is_known(text[start:end])


def _caseless(char: str) -> bool:
    return char.isalpha() and char.lower() == char.upper()


def _is_known(word: str) -> bool:
    """Whether a run of letters is an ordinary word or a name of the public lists, so that no other is meant in it."""
    return ordinary(word) or word.lower() in lists().names


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """``text`` without case and accents and with every white space one space, and for each place in it where it is in
    ``text``.
    """
    if text.isascii() and not _SPACE_RUN.search(text):
        return text.lower().translate(_TO_SPACE), range(len(text) + 1)
    out: list[str] = []
    at: list[int] = []
    previous = ""
    for i, char in enumerate(text):
        char = char.lower() if char.isascii() and not char.isspace() else _fold(char)
        if char == " " and previous == " ":
            continue
        previous = char
        for folded in char:
            out.append(folded)
            at.append(i)
    return "".join(out), [*at, len(text)]


@lru_cache(maxsize=4096)
def _fold(char: str) -> str:
    if char.isspace():
        return " "
    if char in "‘’ʼ":
        return "'"
    return "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c)).casefold()


def _like(said: str, sent: str, kind: Kind) -> str:
    """``sent`` in the case in which the text says the original; what is no name or word has none."""
    if kind not in _CASED:
        return sent
    if len(said) > 1 and said.isupper():
        return sent.upper()
    if said.islower() and any(char.isalpha() for char in said):
        return sent.lower() if sent[:1].isupper() else sent
    return sent[:1].upper() + sent[1:] if said[:1].isupper() and sent[:1].islower() else sent


def _paired(surrogate: dict[str, str], original: dict[str, str]) -> list[tuple[str, str]]:
    return [(surrogate[name], original[name]) for name in surrogate if name in original]


def _without_form(organisation: str) -> str | None:
    """A name without the legal form at its end and small words before it ("Meridian Foods" of "client of Meridian Foods
    plc"); None if it is without them, or nothing is left that is a name by itself.
    """
    words = organisation.split()
    kept = list(dropwhile(str.islower, words))
    while kept and kept[-1].strip(".,()").casefold() in entries("organisation_forms.txt"):
        kept.pop()
    name = " ".join(kept).rstrip(",")
    return None if len(kept) in (0, len(words)) or (len(kept) == 1 and ordinary(name)) else name


def _plural(name: str) -> str:
    return "es" if name.endswith(("s", "x", "z", "ch", "sh")) else "s"
