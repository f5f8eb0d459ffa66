"""Dates that an engine reckons from those it was sent ("14 days later", "her 18th birthday"), moved back.

All dates of a conversation are moved by one offset, so what is reckoned from them is moved by it too, and a reader who
gets it as it is gets a wrong date. A date of an answer counts as reckoned if it is whole (day, month, year), was in no
text that was sent as it is, and lies within a year of a date that was sent moved, or at an anniversary of one. A public
date that lies there by chance is moved too, which is the price.

Only where a detector finds it is a date moved back, and what may be such a date stays no public knowledge
(:meth:`Reckoned.shown`), so that one that a client types again is moved again. An
anniversary that a client types again may then be a day beside what the engine wrote, which says where leap years lie.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from calendar import isleap
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from itertools import chain

from cmif.enclave import layouts
from cmif.enclave.detect.dates import dates
from cmif.enclave.detect.plain import plain, spaced
from cmif.enclave.surrogates import Offset

_NEAR = 400
"""Days between a date that was sent and one that was reckoned from it, unless that is an anniversary."""
_BESIDE, _YEARS = 2, 100
"""Days beside an anniversary, which still is one ("the day before"); years to the farthest."""
_MONTHS = layouts.MONTHS[0]
_MONTH = "|".join([*_MONTHS, *(f"{m[:3]}\\b" for m in _MONTHS), "Sept\\b"])
_MONTH_BEGUN = "|".join(sorted({m[:n] for m in _MONTHS for n in range(1, len(m) + 1)}, key=len, reverse=True))
_AROUND = 4
"""Characters on either side of a date in which a detector sees that it is one."""
_NTH = "(?:st|nd|rd|th)?"
_WHOLE = re.compile(
    rf"(?:\d{{1,2}}{_NTH}(?: of)? (?:{_MONTH}),? \d{{4}}|(?:{_MONTH}) \d{{1,2}}{_NTH},? \d{{4}}"
    r"|\d{4}-\d{2}-\d{2}|\d{1,2}(?P<joint>[./-])\d{1,2}(?P=joint)\d{4})(?!\w|[./-]\d)"
)
_BEGUN = re.compile(
    rf"\d{{1,2}}(?:s|n|r|t|{_NTH})(?: (?:of? ?)?(?:{_MONTH_BEGUN})?(?:,? ?\d{{0,4}})?)?|(?:{_MONTH_BEGUN})(?: "
    rf"\d{{0,2}}(?:s|n|r|t|{_NTH})(?:,? ?\d{{0,4}})?)?|\d{{3,4}}|\d{{4}}-\d{{0,2}}(?:-\d{{0,2}})?"
    r"|\d{1,2}[./-](?:\d{1,2}(?:[./-]\d{0,4})?)?|[\d-]{10}[./-]|[\d/]{8,10}/|[\d.]{8,10}\."
)
FIRST = frozenset("0123456789JFMASOND")


class Reckoned:
    """Reads whole dates of an answer. ``days``: pairs of a date that was sent moved and the one it stands for."""

    def __init__(self, offset: Offset, days: Iterable[tuple[str, str]]) -> None:
        self._offset = offset
        read = [(self._day(sent), self._day(original)) for sent, original in days]
        pairs = [(sent, original) for sent, original in read if sent is not None and original is not None]
        self._sent = _Days(pairs)
        self._true = _Days([(original, sent) for sent, original in pairs])

    def begun(self, text: str, start: int) -> bool:
        """Whether ``text`` ends in what may still become a whole date that begins at ``start``, or just behind one."""
        whole = _WHOLE.match(text, start)
        return _BEGUN.fullmatch(text, start) is not None or (whole is not None and whole.end() + _AROUND > len(text))

    def whole(self, text: str, start: int, before: str) -> tuple[int, str] | None:
        """Where the whole date at ``start`` ends and what it is moved back, itself if it was not reckoned; or None.
        ``before``: what stands before it.
        """
        match = _WHOLE.match(text, start)
        day = self._day(match.group()) if match else None
        if match is None or day is None:
            return None
        back = self._back(day)
        moved = replace(self._offset, days=back).moved(match.group()) if back is not None else None
        if moved is None or not _is_found(moved, before[-_AROUND:], text[match.end() : match.end() + _AROUND]):
            return match.end(), match.group()
        return match.end(), moved

    def shown(self, written: str) -> bool:
        """Whether a date that a client writes may be one that was moved back for it."""
        day = self._day(written)
        if day is None:
            return False
        return self._true.near(day) or any(_years(day, o, _BESIDE + 1) is not None for o, _ in self._true.beside(day))

    def _back(self, day: date) -> int | None:
        """Days to the true date of ``day``: as many years from the true one as it is from a date that was sent, or as
        many days.
        """
        for sent, original in self._sent.beside(day):
            if (years := _years(day, sent, _BESIDE)) is not None:
                return (_after(original, years) - _after(sent, years)).days
        return -self._offset.days if self._sent.near(day) else None

    def _day(self, written: str) -> date | None:
        read = layouts.read_date(written)
        if not isinstance(read, tuple):
            return read
        first, second, year = read
        return date(year, second, first) if self._offset.day_first else date(year, first, second)


class _Days:
    """Pairs of days in an order that tells which of the first lie near a day, or have an anniversary beside it."""

    def __init__(self, pairs: Sequence[tuple[date, date]]) -> None:
        self._sorted = sorted({day for day, _ in pairs})
        self._in_year: defaultdict[int, list[tuple[int, tuple[date, date]]]] = defaultdict(list)
        for i, pair in enumerate(dict.fromkeys(pairs)):
            self._in_year[_in_year(pair[0])].append((i, pair))

    def near(self, day: date) -> bool:
        """Whether one lies within :data:`_NEAR` days."""
        i = bisect_left(self._sorted, day)
        return any(abs((day - other).days) <= _NEAR for other in self._sorted[max(0, i - 1) : i + 1])

    def beside(self, day: date) -> list[tuple[date, date]]:
        """Those that lie at about this time of a year, in their order."""
        at, reach = _in_year(day), _BESIDE + 2  # a 29 February may lie between
        found = (self._in_year.get(n, ()) for n in range(at - reach, at + reach + 1))
        return [pair for _, pair in sorted(chain.from_iterable(found))]


def _in_year(day: date) -> int:
    """The number of the day in a leap year."""
    return day.replace(year=2000).timetuple().tm_yday


def _is_found(written: str, before: str, after: str) -> bool:
    """Whether a detector finds exactly this date where it stands: else one that is sent again would not be moved."""
    start, end = len(before), len(before) + len(written)
    over = {(s.start, s.end) for s in dates(spaced(plain(before + written + after))) if s.start < end and start < s.end}
    return (start, end) in over and all(start <= a and b <= end for a, b in over)


def _years(day: date, of: date, beside: int) -> int | None:
    """Which anniversary of ``of`` a ``day`` is, within ``beside`` days; None for none."""
    years = day.year - of.year
    return years if abs(years) <= _YEARS and abs((day - _after(of, years)).days) <= beside else None


def _after(day: date, years: int) -> date:
    """The anniversary, of a 29 February the day after where there is none."""
    if (day.month, day.day) == (2, 29) and not isleap(day.year + years):
        return date(day.year + years, 3, 1)
    return day.replace(year=day.year + years)
