"""What a user typed and what the engine saw for it, in every spelling that either side may write.

:func:`spellings` feeds both ways: the :class:`~cmif.enclave.restore.Restorer` reads it from the surrogate to the
original, the :class:`~cmif.enclave.finder.Finder` from the original to the surrogate, so that nothing can be restored
into a spelling that would not be found again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import dropwhile

from cmif.enclave import layouts
from cmif.enclave.detect.data import entries
from cmif.enclave.folding import folded, ordinary
from cmif.types import Kind

NUMBERS = frozenset({Kind.CARD, Kind.PHONE, Kind.IBAN, Kind.ID, Kind.NATIONAL_ID})
NAMES = frozenset({Kind.PERSON, Kind.PLACE, Kind.ORGANISATION})
SHORT = 4
"""A value with fewer letters or digits is looked for only where it stands by itself."""


@dataclass(frozen=True, slots=True)
class Original:
    """A value the user typed and the surrogate that the engine saw for it."""

    kind: Kind
    original: str
    surrogate: str


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
    return folded(written)[0].strip()


def spellings(o: Original) -> list[tuple[str, str]]:
    """Pairs (spelling of the surrogate, the same spelling of the original), the exact one first, none twice.

    Other case, other grouping or layout, a plural of a name; of a name of several words also its first one, unless
    that is an ordinary word. A spelling that two originals share is for the caller to leave alone.
    """
    pairs = [(o.surrogate, o.original)]
    if o.kind in NUMBERS:
        pairs += _paired(layouts.numbers(o.surrogate), layouts.numbers(o.original))
        if o.original.startswith("@"):  # a handle is a user name as well
            pairs.append((o.surrogate.removeprefix("@"), o.original.removeprefix("@")))
    elif o.kind is Kind.DATE:
        # The two are written alike: where only one says which of its numbers is the day, it says so for both.
        day_first = layouts.day_first(o.surrogate)
        day_first = layouts.day_first(o.original) if day_first is None else day_first
        pairs += _paired(layouts.dates(o.surrogate, day_first), layouts.dates(o.original, day_first))
    elif o.kind in NAMES:
        if o.kind is Kind.ORGANISATION and (bare := _without_form(o.original)) is not None:
            pairs.append((_without_form(o.surrogate) or o.surrogate, bare))
        first = [text.split()[0].rstrip(",") for text in (o.surrogate, o.original)]
        several = all(len(text.split()) > 1 for text in (o.surrogate, o.original))
        if several and o.kind is not Kind.PERSON and all(len(w) >= SHORT and not ordinary(w) for w in first):
            pairs.append((first[0], first[1]))
        pairs += [(f"{s}{_plural(s)}", f"{t}{_plural(t)}") for s, t in pairs if s.isalpha() and t.isalpha()]
    pairs += [(s.upper(), t.upper()) for s, t in pairs]
    for s, t in list(pairs):
        if not (s.isalpha() and not s.islower() and o.kind in NAMES and ordinary(s)):
            pairs.append((s.lower(), t.lower()))
        if s[:1].islower() and s.isalpha():
            pairs.append((s[:1].upper() + s[1:], t[:1].upper() + t[1:]))
    return list(dict.fromkeys(pairs))


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
