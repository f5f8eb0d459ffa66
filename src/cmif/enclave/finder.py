"""Where a text says what a user typed before, in any spelling, and the surrogate in that spelling."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from heapq import merge
from itertools import chain, pairwise

from cmif.enclave.detect.plain import readings
from cmif.enclave.folding import caseless, folded, is_known, one_word, ordinary
from cmif.enclave.originals import NAMES, NUMBERS, SHORT, Original, spellings
from cmif.enclave.prefixes import Prefixes
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


_Hit = tuple[int, int, Original, Callable[[str], str]]
"""Where an original is said, and what is sent for it as it is said there."""


class Finder:
    """Where a text of the client's says one of some originals, in any spelling and at any boundary.

    Inside a longer run of letters ("getokaforname") a value counts if it has at least four letters and the run is no
    ordinary word ("prosecutor" does not say "Rose"); beside digits or signs ("id553291x", "get_okafor_name") always,
    and in a script without case, whose words are not set apart, from two letters on. A name that is also an ordinary
    word is not meant by its small spelling ("mark", "may"). Invisible characters, percent and HTML escapes are seen
    through, and so is what a quotation, markup or a table puts between the words of a value, or a line's end inside
    one.
    Of originals that begin alike each is not tried: linear in the text, and at most its power of 1.5 where they are
    made to begin with one another and none ends at a word's end.
    """

    def __init__(self, originals: Iterable[Original]) -> None:
        index: dict[str, tuple[Original, str]] = {}
        numbers: dict[str, Original] = {}
        parted: dict[bool, dict[str, Original]] = {True: {}, False: {}}
        self._exact: dict[Original, dict[str, str]] = {}
        originals = tuple(originals)
        self._secrets = {o.original: o for o in originals if o.kind is Kind.SECRET}
        for restorable in (True, False):  # a spelling that can be restored outdoes one that cannot
            for o in originals:
                for spelled, sent in _said(o, restorable):
                    index.setdefault(spelled, (o, sent))
        for value, written in [(o, written) for o in originals for written in (o.original, *_parts(o))]:
            plain = folded(written)[0].strip()
            marks = "".join(filter(str.isalnum, plain))
            if len(marks) < _REGROUPED or value.kind is Kind.WORD:
                continue
            if value.kind in NUMBERS:
                numbers.setdefault(marks, value)
            several = len(marks) < len(plain) or marks.isdigit()
            if marks not in parted[not several]:
                parted[several].setdefault(marks, value)
        self._index, self._numbers = Prefixes(index, _KEY), Prefixes(numbers, SHORT)
        self._several, self._single = Prefixes(parted[True], SHORT), Prefixes(parted[False], SHORT)

    def find(self, text: str) -> list[Found]:
        """Not overlapping, in order; the longest of those that begin at one place."""
        if not self._index.values:
            return []
        hits = []
        for reading in readings(text):
            plain, at = folded(reading.text)
            for start, end, original, like in chain(
                self._scan(reading.text, plain, at),
                self._regrouped(reading.text, plain, at),
                self._apart(reading.text, plain, at),
            ):
                hits.append((*reading.original(start, end), original, like, reading.text, start, end))
        out: list[Found] = []
        for begin, last, original, like, read, start, end in sorted(hits, key=lambda hit: (hit[0], -hit[1])):
            if not out or begin >= out[-1].end:
                out.append(Found(begin, last, original, like(read[start:end])))
        return out

    def _scan(self, text: str, plain: str, at: Sequence[int]) -> Iterator[_Hit]:
        keys, lengths = self._index.keys, self._index.lengths
        position = 0
        while position < len(plain):
            for length in lengths:
                if plain[position : position + length] in keys:
                    break
            else:
                position += 1
                continue
            for spelled, (original, sent) in self._index.at(plain, position, len(plain)):
                start, end = at[position], at[position + len(spelled)]
                if _counts(text, start, end, original):
                    said = text[start:end]
                    if (secret := self._secrets.get(said)) is not None:  # its case is part of it
                        yield start, end, secret, partial(_whole, sent=secret.surrogate)
                    else:
                        yield start, end, original, partial(self._as_said, original, sent)
                    position += len(spelled)
                    break
            else:
                position += 1

    def _as_said(self, original: Original, sent: str, said: str) -> str:
        return self._sent(said, original) or _like(said, sent, original.kind)

    def _sent(self, said: str, original: Original) -> str | None:
        """The surrogate's spelling that is restored as exactly this one."""
        if original not in self._exact:
            self._exact[original] = {written: sent for sent, written in reversed(spellings(original))}
        return self._exact[original].get(said)

    def _regrouped(self, text: str, plain: str, at: Sequence[int]) -> Iterator[_Hit]:
        """Numbers whatever their groups."""
        if not self._numbers.values or not _DIGIT.search(text):
            return
        places, packed = _packed(plain)
        keys = self._numbers.keys
        stop = 0
        for k in range(len(packed) - SHORT + 1):
            if packed[k : k + SHORT] not in keys:
                continue
            if stop <= k:  # as far as nothing parts what is said
                stop = k + 1
                while stop < len(packed) and not _APART.search(plain, places[stop - 1] + 1, places[stop]):
                    stop += 1
            for digits, original in self._numbers.at(packed, k, stop):
                start, end = at[places[k]], at[places[k + len(digits) - 1] + 1]
                yield start, end, original, partial(_regroup, sent=original.surrogate)
                break

    def _apart(self, text: str, plain: str, at: Sequence[int]) -> Iterator[_Hit]:
        """Values whatever stands between their words, from the beginning of one word to the end of another."""
        bare = _MARKUP.sub(lambda match: " " * len(match.group()), plain) if _MARKED.search(plain) else plain
        places, packed = _packed(bare)
        gaps = [b - a - 1 for a, b in pairwise(places)]
        begins = [k for k in range(len(packed)) if not k or gaps[k - 1]]
        several, single = self._several, self._single
        far = letters = 0
        for i, k in enumerate(begins):
            key = packed[k : k + SHORT]
            said: list[Iterable[tuple[str, Original]]] = []
            if key in several.keys:
                far = max(far, k + 1)
                while far < len(packed) and gaps[far - 1] <= _GAP:
                    far += 1
                said.append(several.at(packed, k, far))
            if key in single.keys:  # spelled out, or broken once
                letters = max(letters, k + 1)
                while letters < len(packed) and 0 < gaps[letters - 1] <= _GAP:
                    letters += 1
                said.append(single.at(packed, k, letters))
                second, third = (*begins[i + 1 : i + 3], len(packed), len(packed))[:2]
                broken = packed[k:third]
                near = broken in single.values and second < third and gaps[second - 1] <= _GAP
                if near and _BROKEN.search(bare, places[second - 1] + 1, places[second]):
                    said.append([(broken, single.values[broken])])
            for marks, original in merge(*said, key=lambda spelled: -len(spelled[0])):
                last = k + len(marks) - 1
                if last < len(gaps) and not gaps[last]:
                    continue
                if len(marks) < _LONG and marks.isdigit() and _SEVERAL.search(bare, places[k], places[last]):
                    continue
                start, end = at[places[k]], at[places[last] + 1]
                as_number = original.kind in NUMBERS or original.kind is Kind.DATE
                like = _regroup if as_number else partial(_like, kind=original.kind)
                yield start, end, original, partial(like, sent=original.surrogate)
                break


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


def _packed(plain: str) -> tuple[list[int], str]:
    """Where the letters and digits are, and they alone."""
    places = [i for i, char in enumerate(plain) if char.isalnum()]
    return places, "".join([plain[i] for i in places])


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


def _whole(said: str, sent: str) -> str:
    return sent


def _like(said: str, sent: str, kind: Kind) -> str:
    """``sent`` in the case in which the text says the original; what is no name or word has none."""
    if kind not in _CASED:
        return sent
    if len(said) > 1 and said.isupper():
        return sent.upper()
    if said.islower() and any(char.isalpha() for char in said):
        return sent.lower() if sent[:1].isupper() else sent
    return sent[:1].upper() + sent[1:] if said[:1].isupper() and sent[:1].islower() else sent
