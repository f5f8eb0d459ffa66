"""Where a text says what a user typed before, in any spelling, and the surrogate in that spelling."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain, pairwise

from cmif.enclave.detect.plain import readings
from cmif.enclave.folding import caseless, folded, is_known, one_word, ordinary
from cmif.enclave.originals import NAMES, NUMBERS, SHORT, Original, spellings
from cmif.types import Kind

_CASED = NAMES | {Kind.WORD, Kind.ADDRESS}
_KEY = 3
_REGROUPED = 6
"""Letters and digits that a number must have to be looked for in other groups than the usual ones."""
_LONGEST = 32
"""Letters that an ordinary word has at most."""
_DIGIT = re.compile(r"\d")
_APART = re.compile(r"[^\w \-./()]|[\W_]{4}")
_MARKUP = re.compile(r"</?[a-z][^<>]{0,24}>|\\[nrt]|=20")
_MARKED = re.compile(r"[<\\=]")
"""What parts words and has letters or digits itself: tags, escapes of JSON, quoted-printable."""
_GAP = 12
"""Signs between two words of one value: a quotation's marks, emphasis, cells."""
_BROKEN = re.compile(r"[-=] {1,3}|[*_~`]{1,3}")
"""Inside one word: a line's end, emphasis."""
_LONG = 10
"""Digits that are not two or three other numbers by chance."""
_SEVERAL = re.compile("[,;:]")


@dataclass(frozen=True, slots=True)
class Found:
    """``text[start:end]`` says ``original`` in some spelling; ``sent`` is the surrogate in that spelling."""

    start: int
    end: int
    original: Original
    sent: str


class Finder:
    """Where a text of the client's says one of some originals, in any spelling and at any boundary.

    Inside a longer run of letters ("getokaforname") a value counts if it has at least four letters and the run is no
    ordinary word ("prosecutor" does not say "Rose"); beside digits or signs ("id553291x", "get_okafor_name") always,
    and in a script without case, whose words are not set apart, from two letters on. A name that is also an ordinary
    word is not meant by its small spelling ("mark", "may"). Invisible characters, percent and HTML escapes are seen
    through, and so is what a quotation, markup or a table puts between the words of a value, or a line's end inside
    one.
    Linear in the text.
    """

    def __init__(self, originals: Iterable[Original]) -> None:
        self._index: defaultdict[str, dict[str, tuple[Original, str]]] = defaultdict(dict)
        self._numbers: defaultdict[str, dict[str, Original]] = defaultdict(dict)
        self._parted: defaultdict[str, dict[str, tuple[Original, bool]]] = defaultdict(dict)
        self._exact: dict[Original, dict[str, str]] = {}
        originals = tuple(originals)
        self._secrets = {o.original: o for o in originals if o.kind is Kind.SECRET}
        for restorable in (True, False):  # a spelling that can be restored outdoes one that cannot
            for o in originals:
                for spelled, sent in _said(o, restorable):
                    self._index[spelled[:_KEY]].setdefault(spelled, (o, sent))
        for value, written in [(o, written) for o in originals for written in (o.original, *_parts(o))]:
            plain = folded(written)[0].strip()
            marks = "".join(filter(str.isalnum, plain))
            if len(marks) < _REGROUPED or value.kind is Kind.WORD:
                continue
            if value.kind in NUMBERS:
                self._numbers[marks[:SHORT]].setdefault(marks, value)
            several = len(marks) < len(plain) or marks.isdigit()
            self._parted[marks[:SHORT]].setdefault(marks, (value, several))
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
            plain, at = folded(reading.text)
            for start, end, original, sent in chain(
                self._scan(reading.text, plain, at),
                self._regrouped(reading.text, plain, at),
                self._apart(reading.text, plain, at),
            ):
                hits.append(Found(*reading.original(start, end), original, sent))
        out: list[Found] = []
        for hit in sorted(hits, key=lambda f: (f.start, -f.end)):
            if not out or hit.start >= out[-1].end:
                out.append(hit)
        return out

    def _scan(self, text: str, plain: str, at: Sequence[int]) -> Iterator[tuple[int, int, Original, str]]:
        ordered, lengths = self._ordered, self._lengths
        position = 0
        while position < len(plain):
            best = None
            for length in lengths:  # falling, so that the first match is the longest
                for spelled, (original, sent) in ordered.get(plain[position : position + length], ()):
                    end = position + len(spelled)
                    if plain.startswith(spelled, position) and _counts(
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
        self, text: str, plain: str, at: Sequence[int]
    ) -> Iterator[tuple[int, int, Original, str]]:
        """Numbers whatever their groups."""
        if not self._numbers or not _DIGIT.search(text):
            return
        places = [i for i, char in enumerate(plain) if char.isalnum()]
        packed = "".join([plain[i] for i in places])
        for k in range(len(packed) - SHORT + 1):
            for digits, original in self._numbers.get(packed[k : k + SHORT], {}).items():
                last = k + len(digits) - 1
                if not packed.startswith(digits, k):
                    continue
                said = plain[places[k] : places[last] + 1]
                if not _APART.search(said):
                    start, end = at[places[k]], at[places[last] + 1]
                    yield start, end, original, _regroup(text[start:end], original.surrogate)

    def _apart(
        self, text: str, plain: str, at: Sequence[int]
    ) -> Iterator[tuple[int, int, Original, str]]:
        """Values whatever stands between their words, from the beginning of one word to the end of another."""
        bare = _MARKUP.sub(lambda match: " " * len(match.group()), plain) if _MARKED.search(plain) else plain
        places = [i for i, char in enumerate(bare) if char.isalnum()]
        packed = "".join([bare[i] for i in places])
        gaps = [b - a - 1 for a, b in pairwise(places)]
        begins = (k for k in range(len(packed) - SHORT + 1) if not k or gaps[k - 1])
        for k in begins:
            for marks, (original, several) in self._parted.get(packed[k : k + SHORT], {}).items():
                last = k + len(marks) - 1
                if not packed.startswith(marks, k) or (last < len(gaps) and not gaps[last]):
                    continue
                inside = gaps[k:last]
                if max(inside) > _GAP:
                    continue
                said = bare[places[k] : places[last] + 1]
                if marks.isdigit() and len(marks) < _LONG and _SEVERAL.search(said):
                    continue
                if not several and 0 in inside and (len(inside) - inside.count(0) > 1 or not _BROKEN.search(said)):
                    continue
                start, end = at[places[k]], at[places[last] + 1]
                as_number = original.kind in NUMBERS or original.kind is Kind.DATE
                like = _regroup if as_number else partial(_like, kind=original.kind)
                yield start, end, original, like(text[start:end], original.surrogate)


@lru_cache(maxsize=4096)
def _said(o: Original, restorable: bool) -> tuple[tuple[str, str], ...]:
    """Pairs (folded spelling of the original, the same spelling of the surrogate). Kept: a conversation's originals are
    looked for again at each of its turns.
    """
    once: dict[str, str] = {}
    for sent, said in spellings(o) if restorable else _said_only(o):
        once.setdefault(said.lower(), sent)
    plain = ((folded(said.strip())[0], sent) for said, sent in once.items())
    return tuple(pair for pair in plain if pair[0])


def _said_only(o: Original) -> list[tuple[str, str]]:
    """Spellings that a text can have and that are never restored: a value escaped for JSON, a name's words joined as
    an identifier, a part of an address, and every word of a place or an organisation that is neither an ordinary one
    nor a name by itself.
    """
    escaped = json.dumps(o.original, ensure_ascii=False)[1:-1]
    pairs = [(o.surrogate, escaped)] if escaped != o.original else []
    pairs += [(o.surrogate, part) for part in _parts(o)]
    sent, said = o.surrogate.split(), o.original.split()
    if o.kind in NAMES and len(said) > 1:
        pairs += [(joint.join(sent), joint.join(said)) for joint in ("_", "-", "")]
        words = [word.strip(".,&'()") for word in said]
        pairs += [
            (sent[0], word)
            for word in words
            if o.kind is not Kind.PERSON and len(word) >= SHORT and not is_known(word)
        ]
    return pairs


def _parts(o: Original) -> list[str]:
    """Of an address the street, the flat, the town with its postcode: each is it."""
    parts = re.split(r",\s*|\n", o.original) if o.kind is Kind.ADDRESS else []
    told = [part for part in parts if len(part) > SHORT and _DIGIT.search(part) and not part.isdigit()]
    return told if len(parts) > 1 else []


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
        return not (small and original.kind in NAMES and ordinary(said))
    if len(said) > 1 and all(map(caseless, filter(str.isalpha, said))):
        return True
    camel_left = not inner_left or (left.islower() and said[:1].isupper())
    camel_right = not inner_right or (said[-1:].islower() and right.isupper())
    if camel_left and camel_right:
        return True
    if sum(char.isalnum() for char in said) < SHORT:
        return False
    least, most = max(0, start - _LONGEST), end + _LONGEST
    while start > least and text[start - 1].isalpha():
        start -= 1
    while end < most and text[end : end + 1].isalpha():
        end += 1
    return not is_known(text[start:end])


def _like(said: str, sent: str, kind: Kind) -> str:
    """``sent`` in the case in which the text says the original; what is no name or word has none."""
    if kind not in _CASED:
        return sent
    if len(said) > 1 and said.isupper():
        return sent.upper()
    if said.islower() and any(char.isalpha() for char in said):
        return sent.lower() if sent[:1].isupper() else sent
    return sent[:1].upper() + sent[1:] if said[:1].isupper() and sent[:1].islower() else sent
