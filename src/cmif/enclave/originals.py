"""What a user typed and what the engine saw for it, in every spelling that either side may write.

:func:`spellings` feeds both ways: the :class:`~cmif.enclave.restore.Restorer` reads it from the surrogate to the
original, the :class:`Finder` from the original to the surrogate, so that nothing can be restored into a spelling that
would not be found again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from cmif.enclave import layouts
from cmif.enclave.detect.lists import lists
from cmif.enclave.detect.plain import readings
from cmif.types import Kind

NUMBERS = frozenset({Kind.CARD, Kind.PHONE, Kind.IBAN, Kind.ID, Kind.NATIONAL_ID})
_NAMES = frozenset({Kind.PERSON, Kind.PLACE, Kind.ORGANISATION})
_CASED = _NAMES | {Kind.WORD, Kind.ADDRESS}
_KEY = 3
_SHORT = 4
"""A value with fewer letters or digits is looked for only where it stands by itself."""


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
    """What all spellings of one value share: white space and case folded, a number without its separators, a date as
    ISO 8601 where it can be read in one way only.
    """
    if kind in NUMBERS:
        return layouts.numbers(written).get("whole", "").casefold() or written.casefold()
    if kind is Kind.DATE:
        read = layouts.read_date(written)
        if read is not None:
            return "-".join(map(str, read)) if isinstance(read, tuple) else read.isoformat()
    return " ".join(written.replace("’", "'").split()).casefold()


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


def ordinary(word: str) -> bool:
    """Whether a word, whatever its case, is a common one of the public list."""
    return word.lower() in lists().ordinary


class Finder:
    """Where a text of the client's says one of some originals, in any spelling and at any boundary.

    Inside a longer run of letters ("getokaforname") a value counts if it has at least four letters and the run is no
    ordinary word ("prosecutor" does not say "Rose"); beside digits or signs ("id553291x", "get_okafor_name") always.
    A name that is also an ordinary word is not meant by its small spelling ("mark", "may"). Invisible characters,
    percent and HTML escapes are seen through. Linear in the text.
    """

    def __init__(self, originals: Iterable[Original]) -> None:
        self._by_key: defaultdict[str, dict[str, tuple[Original, str]]] = defaultdict(dict)
        for o in originals:
            for sent, said in spellings(o):
                spelled = " ".join(said.replace("’", "'").split()).casefold()
                if spelled:
                    self._by_key[spelled[:_KEY]].setdefault(spelled, (o, sent))
        self._ordered = {
            key: sorted(spelled.items(), key=lambda item: -len(item[0]))
            for key, spelled in self._by_key.items()
        }

    def find(self, text: str) -> list[Found]:
        """Not overlapping, in order; the longest of those that begin at one place."""
        if not self._ordered:
            return []
        out: list[Found] = []
        for reading in readings(text):
            before = list(out)
            for start, end, original, sent in self._scan(reading.text):
                a, b = reading.original(start, end)
                if not any(f.start < b and a < f.end for f in before):
                    out.append(Found(a, b, original, sent))
        return sorted(out, key=lambda f: f.start)

    def _scan(self, text: str) -> Iterable[tuple[int, int, Original, str]]:
        folded, at = _folded(text)
        position = 0
        while position < len(folded):
            best = None
            for length in (_KEY, 2, 1):
                for spelled, (original, sent) in self._ordered.get(folded[position : position + length], ()):
                    if len(spelled) < _KEY and length != len(spelled):
                        continue
                    if best and len(spelled) <= best[0]:
                        break
                    end = position + len(spelled)
                    if folded.startswith(spelled, position) and _counts(
                        text, at[position], at[end], original
                    ):
                        best = (len(spelled), original, sent)
                        break
            if best is None:
                position += 1
                continue
            start, end = at[position], at[position + best[0]]
            yield start, end, best[1], _like(text[start:end], best[2], best[1].kind)
            position += best[0]


def _counts(text: str, start: int, end: int, original: Original) -> bool:
    said = text[start:end]
    left, right = text[start - 1 : start], text[end : end + 1]
    inner_left = left.isalnum() and said[:1].isalnum() and left.isdigit() == said[:1].isdigit()
    inner_right = right.isalnum() and said[-1:].isalnum() and right.isdigit() == said[-1:].isdigit()
    if original.kind is Kind.WORD:
        return not (left.isalnum() or right.isalnum())
    if not (inner_left or inner_right):
        small = said.isalpha() and said.islower() and not original.original.islower()
        return not (small and original.kind in _NAMES and ordinary(said))
    camel_left = not inner_left or (left.islower() and said[:1].isupper())
    camel_right = not inner_right or (said[-1:].islower() and right.isupper())
    if camel_left and camel_right:
        return True
    if sum(char.isalnum() for char in said) < _SHORT:
        return False
    while start and text[start - 1].isalpha():
        start -= 1
    while end < len(text) and text[end].isalpha():
        end += 1
    return not ordinary(text[start:end])


def _folded(text: str) -> tuple[str, list[int]]:
    """``text`` case folded with every white space one space, and for each place in it where it is in ``text``."""
    out: list[str] = []
    at: list[int] = []
    previous = ""
    for i, char in enumerate(text):
        char = " " if char.isspace() else "'" if char == "’" else char.casefold()
        if char == " " and previous == " ":
            continue
        previous = char
        for folded in char:
            out.append(folded)
            at.append(i)
    return "".join(out), [*at, len(text)]


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


def _plural(name: str) -> str:
    return "es" if name.endswith(("s", "x", "z", "ch", "sh")) else "s"
