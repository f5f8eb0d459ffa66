"""Dates moved by one secret number of whole weeks, in the layout in which they are written; or any day in that layout.

A date without a day moves by the nearest number of whole months, one without a year as in the conversation's year:
order survives, intervals to half a month. Month names are read in six languages and written in the one read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cmif.enclave.layouts import MONTHS
from cmif.enclave.surrogates.lists import RandBelow

WEEKS = 260
"""The offset is uniform over whole weeks of -260..260 but 0: about five years to either side."""

_FIRST_DAY = date(1950, 1, 1)
_DAYS = (date(2030, 1, 1) - _FIRST_DAY).days
_YEAR = 2024
"""The year in which a date without one is moved if the conversation's first dates name none. A leap year."""
_MONTH_DAYS = 30.4375
_ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
    "twenty-first",
    "twenty-second",
    "twenty-third",
    "twenty-fourth",
    "twenty-fifth",
    "twenty-sixth",
    "twenty-seventh",
    "twenty-eighth",
    "twenty-ninth",
    "thirtieth",
    "thirty-first",
]
_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORD = re.compile(r"[^\W\d_]+")
_ISO = re.compile(r"(?P<y>\d{4})(?P<j>[./-]|, ?)(?P<m>\d{1,2})(?P=j)(?P<d>\d{1,2})(?!\d)")
_FIGURES = re.compile(r"(?P<a>\d{1,2})[./-] ?(?P<b>\d{1,2})[./-] ?(?P<y>\d{4}|\d{2})(?!\d)")
_COMPACT = re.compile(r"(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})(?!\d)")
_MONTH_DAY = re.compile(r"(?P<a>\d{1,2})/(?P<b>\d{1,2})(?!\d)")
_ORDINAL = re.compile(
    rf"\b(?:{'|'.join(o.replace('-', '[- ]') for o in sorted(_ORDINALS, key=len, reverse=True))})\b", re.I
)
_SPOKEN_YEAR = re.compile(
    rf"\b(?:two thousand|nineteen|twenty)\b(?:(?: hundred)?(?: and)?[- ](?:(?:oh?|{'|'.join(_TENS)})[- ])?"
    rf"(?:{'|'.join(sorted([*_SMALL[1:], *_TENS, 'hundred'], key=len, reverse=True))})\b)?",
    re.I,
)
_FIGURE = re.compile(r"(?P<short>['’])?(?P<n>\d+)(?P<nth>st|nd|rd|th)?\b", re.I)


@dataclass(frozen=True, slots=True)
class Offset:
    """One conversation's secret: ``days`` a multiple of 7, ``year`` that of its first dates, ``day_first`` how it
    writes dates such as 03/04/2024.
    """

    days: int
    year: int
    day_first: bool

    @classmethod
    def draw(cls, written: Iterable[str], randbelow: RandBelow) -> Offset:
        """``written``: the dates of the first text that has any; their layout and year are read, and for the
        layout which months are near each other, which surrogates keep anyway."""
        dates = list(written)
        weeks = 1 + randbelow(WEEKS)
        years = [int(m) for text in dates for m in re.findall(r"(?<!\d)(?:19|20)\d{2}(?!\d)", text)]
        return cls(7 * (weeks if randbelow(2) else -weeks), years[0] if years else _YEAR, _writes_day_first(dates))

    def __str__(self) -> str:
        return f"{self.days} {self.year} {'dm' if self.day_first else 'md'}"

    @classmethod
    def parse(cls, text: str) -> Offset:
        days, year, order = text.split()
        return cls(int(days), int(year), order == "dm")

    def moved(self, written: str, more: int = 0) -> str | None:
        """``written`` moved by the offset (and ``more`` days) in its own layout; None if it cannot be read."""
        try:
            return self._figures(written, more) or self._words(written, more)
        except (ValueError, OverflowError):
            return None

    def _figures(self, written: str, more: int) -> str | None:
        match = _ISO.match(written) or _COMPACT.match(written) or _FIGURES.match(written)
        partial = None if match else _MONTH_DAY.fullmatch(written)
        found = match or partial
        if found is None:
            return None
        fields = {name: found.span(name) for name in found.groupdict() if name != "j"}
        if "a" in fields:
            a, b = int(found["a"]), int(found["b"])
            # Points mean day first; without a year only month/day is looked for, and 13/4 has no such month.
            usual = "." in found.group() or (self.day_first and partial is None)
            day_first = a > 12 or (b <= 12 and usual)
            names = ("d", "m") if day_first else ("m", "d")
            fields[names[0]], fields[names[1]] = fields.pop("a"), fields.pop("b")
        text = {name: written[start:end] for name, (start, end) in fields.items()}
        day = date(_century(text["y"]) if "y" in text else self.year, int(text["m"]), int(text["d"]))
        day += timedelta(days=self.days + more)
        width = 2 if len(text["m"]) == len(text["d"]) == 2 else 1
        new = {"d": f"{day.day:0{width}d}", "m": f"{day.month:0{width}d}"}
        if "y" in text:
            new["y"] = f"{day.year:04d}" if len(text["y"]) == 4 else f"{day.year % 100:02d}"
        return _put(written, [(*fields[name], new[name]) for name in fields])

    def _words(self, written: str, more: int) -> str | None:
        month = next((m for m in _WORD.finditer(written) if _month(m.group())), None)
        if month is None:
            return None
        language, number, short = _month(month.group()) or (0, 0, False)
        rest = f"{written[: month.start()]}{' ' * len(month.group())}{written[month.end() :]}"
        day_at = year_at = None
        day, year = 0, self.year
        nth = ""
        for figure in _FIGURE.finditer(rest):
            if len(figure["n"]) == 4 or figure["short"]:
                year_at, year = figure, _century(figure["n"])
            elif len(figure["n"]) <= 2 and day_at is None:
                day_at, day, nth = figure, int(figure["n"]), figure["nth"] or ""
            elif len(figure["n"]) == 2 and year_at is None:
                year_at, year = figure, _century(figure["n"])
            else:
                return None
        spoken_day = _ORDINAL.search(rest) if day_at is None else None
        if spoken_day:
            day = _ORDINALS.index(spoken_day.group().lower().replace(" ", "-")) + 1
            rest = f"{rest[: spoken_day.start()]}{' ' * len(spoken_day.group())}{rest[spoken_day.end() :]}"
        spoken_year = _SPOKEN_YEAR.search(rest) if year_at is None else None
        if spoken_year:
            year = _year_of(spoken_year.group())
        if day:
            moved = date(year, number, day) + timedelta(days=self.days + more)
            year, number, day = moved.year, moved.month, moved.day
        else:
            months = year * 12 + number - 1 + round(self.days / _MONTH_DAYS) + more
            year, number = months // 12, months % 12 + 1
        name = MONTHS[language][number - 1]
        out = [(*month.span(), _like(name[:3] if short else name, month.group()))]
        if day_at is not None:
            out.append((day_at.start("n"), day_at.end(), f"{day}{_nth(day) if nth else ''}"))
        if spoken_day is not None:
            out.append((*spoken_day.span(), _like(_ORDINALS[day - 1], spoken_day.group())))
        if year_at is not None:
            n = year_at["n"]
            out.append((*year_at.span("n"), f"{year:04d}" if len(n) == 4 else f"{year % 100:02d}"))
        if spoken_year is not None:
            out.append((*spoken_year.span(), _like(_spoken(year), spoken_year.group())))
        return _put(written, out)


def any_day(layout: str, randbelow: RandBelow) -> str:
    """A uniform day of 1950-2029 in the layout of ``layout``; "3 May 2024" where that cannot be read."""
    day = _FIRST_DAY + timedelta(days=randbelow(_DAYS))
    word = next((m for m in _WORD.finditer(layout) if _month(m.group())), None)
    if word:
        month = MONTHS[0][day.month - 1]
        month = month[:3] if len(word.group()) <= 3 and word.group().lower() != "may" else month
        out = f"{layout[: word.start()]}\0{layout[word.end() :]}"
        out = re.sub(r"\d+", lambda m: f"{day.year}" if len(m.group()) == 4 else f"{min(day.day, 28)}", out)
        return out.replace("\0", month)
    fields = re.split(r"(\d+)", layout)
    values = [f for f in fields if f.isdigit()]
    if len(values) != 3:
        return f"{day.day} {MONTHS[0][day.month - 1]} {day.year}"
    # day and month both <= 12 where either may come first, so that each reading of the layout is a real date
    order = [day.year, day.month, day.day] if len(values[0]) == 4 else [min(day.day, 12), day.month, day.year]
    texts = iter(
        f"{v % 10 ** len(t):0{len(t)}d}" if len(t) in (2, 4) else str(v)
        for v, t in zip(order, values, strict=True)
    )
    return "".join(next(texts) if f.isdigit() else f for f in fields)


def _writes_day_first(dates: Sequence[str]) -> bool:
    """Whether 03/04/2024 is in April here: as a figure above 12 says, else as it is nearer to the dates written year
    first, else, with slashes, in March.
    """
    figures = [m for text in dates if (m := _FIGURES.match(text))]
    if any(int(m["a"]) > 12 for m in figures):
        return True
    if any(int(m["b"]) > 12 for m in figures):
        return False
    certain = [int(m["y"]) * 12 + int(m["m"]) for text in dates if (m := _ISO.match(text))]
    full = [m for m in figures if len(m["y"]) == 4]
    if certain and full:
        months = {name: [int(m["y"]) * 12 + int(m[name]) for m in full] for name in "ab"}
        far = {name: sum(min(abs(one - other) for other in certain) for one in months[name]) for name in "ab"}
        if far["a"] != far["b"]:
            return far["b"] < far["a"]
    return not any("/" in m.group() for m in figures)


def _month(word: str) -> tuple[int, int, bool] | None:
    """(language, 1..12, whether cut to three or four letters) of a month's name."""
    folded = word.casefold()
    for language, names in enumerate(MONTHS):
        for number, name in enumerate(names, 1):
            if folded == name.casefold():
                return language, number, False
    for language, names in enumerate(MONTHS):
        for number, name in enumerate(names, 1):
            if len(folded) in (3, 4) and name.casefold().startswith(folded):
                return language, number, True
    return None


def _century(year: str) -> int:
    n = int(year)
    return n if len(year) == 4 else 2000 + n if n < 50 else 1900 + n


def _nth(day: int) -> str:
    return "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _year_of(spoken: str) -> int:
    words = re.findall(r"[a-z]+", spoken.lower())
    base = 2000 if words[0] == "two" else 1900 if words[0] == "nineteen" else 2000
    below = sum(
        _SMALL.index(w) if w in _SMALL else 10 * (_TENS.index(w) + 2) if w in _TENS else 0
        for w in words[2 if words[0] == "two" else 1 :]
    )
    return base + below


def _spoken(year: int) -> str:
    rest = year % 100
    small = (
        _SMALL[rest] if rest < 20 else _TENS[rest // 10 - 2] + (f"-{_SMALL[rest % 10]}" if rest % 10 else "")
    )
    if 2000 <= year < 2010:
        return f"two thousand {small}" if rest else "two thousand"
    below = "hundred" if not rest else f"oh {small}" if rest < 10 else small
    return f"{'nineteen' if year < 2000 else 'twenty'} {below}"


def _like(new: str, written: str) -> str:
    if len(written) > 1 and written.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if written[:1].isupper() else new.lower()


def _put(text: str, parts: Iterable[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(parts, reverse=True):
        text = f"{text[:start]}{new}{text[end:]}"
    return text
