"""One value in other layouts: a number grouped otherwise, a date written otherwise. What a model may write for either.

Each function gives for a value its writings by layout, in a fixed order of names, so that the writings of a value and
of its surrogate can be paired.
"""

from __future__ import annotations

import re
from datetime import date

MONTHS = tuple(
    tuple(names.split())
    for names in (
        "January February March April May June July August September October November December",
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    )
)
_JOINTS = (". ", " "), (" ", " "), (" de ", " de "), (" ", " "), (" de ", " de ")
"""Between day, month and year, of the languages after English."""
_GROUP = re.compile(r"[^\W_]+")
_FIGURES = re.compile(r"(\d{1,4})[./-] ?(\d{1,2})[./-] ?(\d{1,4})")
_WORDS = (
    re.compile(
        r"(?P<d>\d{1,2})(?:st|nd|rd|th|\.)?(?: of| de)?[ -](?P<m>[^\W\d_]{3,10})\.?,?(?: de)?[ -](?P<y>\d{4})"
    ),
    re.compile(r"(?P<m>[A-Za-z]{3,9})\.? (?P<d>\d{1,2})(?:st|nd|rd|th)?,? (?P<y>\d{4})"),
)


def numbers(written: str) -> dict[str, str]:
    """A number's groups joined in the usual ways: as one, by spaces, hyphens, points, slashes."""
    groups = _GROUP.findall(written)
    whole = "".join(groups)
    out = {f"groups{joint}": joint.join(groups) for joint in (" ", "-", ".", "/")} if len(groups) > 1 else {}
    out["whole"] = whole
    if whole.isdigit() and len(whole) in (15, 16):
        fours = [whole[i : i + 4] for i in range(0, len(whole), 4)]
        out |= {f"fours{joint}": joint.join(fours) for joint in (" ", "-")}
    if written.startswith("+"):
        out |= {f"plus {name}": f"+{text}" for name, text in list(out.items())}
    return out


def read_date(written: str) -> date | tuple[int, int, int] | None:
    """The day a date names; where day and month could be either, its two numbers and the year; None if not readable."""
    text = " ".join(written.split())
    for pattern in _WORDS:
        match = pattern.fullmatch(text)
        if match:
            month = next((i for i, names in enumerate(zip(*MONTHS, strict=True), 1) if _means(match["m"], names)), None)
            return None if month is None else _date(int(match["y"]), month, int(match["d"]))
    match = _FIGURES.fullmatch(text)
    if match is None:
        return None
    first, second, third = match.groups()
    if len(first) == 4:
        return _date(int(first), int(second), int(third))
    if len(third) not in (2, 4) or len(first) > 2:
        return None
    year = int(third) if len(third) == 4 else 2000 + int(third) if int(third) < 50 else 1900 + int(third)
    a, b = int(first), int(second)
    if a > 12 or b > 12:
        return _date(year, b, a) if a > 12 else _date(year, a, b)
    return (a, b, year) if a != b else _date(year, a, b)


def day_first(written: str) -> bool | None:
    """Whether a date in figures says the day before the month; None if it could be either."""
    match = _FIGURES.fullmatch(written.strip())
    if match is None or len(match[1]) == 4 or int(match[1]) <= 12 >= int(match[2]):
        return None
    return int(match[1]) > 12


def dates(written: str, day_first: bool | None = None) -> dict[str, str]:
    """A date's writings by layout. Where day and month could be either and ``day_first`` does not say, only those that
    leave it open.
    """
    read = read_date(written)
    if read is None:
        return {}
    if isinstance(read, tuple) and day_first is not None:
        a, b, y = read
        read = _date(y, b, a) if day_first else _date(y, a, b)
        if read is None:
            return {}
    if isinstance(read, tuple):
        a, b, y = read
        out = {}
        for joint in ("/", "-", "."):
            out[f"n{joint}"] = f"{a}{joint}{b}{joint}{y}"
            out[f"nn{joint}"] = f"{a:02d}{joint}{b:02d}{joint}{y}"
            out[f"n{joint}2"] = f"{a}{joint}{b}{joint}{y % 100:02d}"
            out[f"nn{joint}2"] = f"{a:02d}{joint}{b:02d}{joint}{y % 100:02d}"
        return out
    d, m, y = read.day, MONTHS[0][read.month - 1], read.year
    n = read.month
    ordinal = f"{d}{'th' if 10 <= d % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(d % 10, 'th')}"
    out = {"iso": f"{y}-{n:02d}-{d:02d}", "y/": f"{y}/{n:02d}/{d:02d}", "y.": f"{y}.{n:02d}.{d:02d}"}
    for names, (first, second) in zip(MONTHS[1:], _JOINTS, strict=True):  # before English, which writes no "14. May"
        begun = f"{d}{first}{names[n - 1]}"
        out |= {f"dmy {names[0]}": f"{begun}{second}{y}", f"dm {names[0]}": begun}
    for name, month in (("", m), ("3", m[:3])):
        out |= {
            f"dmy{name}": f"{d} {month} {y}",
            f"omy{name}": f"{ordinal} {month} {y}",
            f"oofmy{name}": f"{ordinal} of {month} {y}",
            f"oofm,y{name}": f"{ordinal} of {month}, {y}",
            f"d.my{name}": f"{d}. {month} {y}",
            f"mdy{name}": f"{month} {d}, {y}",
            f"mdy-{name}": f"{month} {d} {y}",
            f"moy{name}": f"{month} {ordinal}, {y}",
            f"d-m-y{name}": f"{d}-{month}-{y}",
            f"dm{name}": f"{d} {month}",
            f"om{name}": f"{ordinal} of {month}",
            f"md{name}": f"{month} {d}",
            f"mo{name}": f"{month} {ordinal}",
        }
    for joint in ("/", "-", "."):
        for pair, (a, b) in {"dm": (d, n), "md": (n, d)}.items():
            if a == b and pair == "md":
                continue
            out[f"{pair}{joint}"] = f"{a}{joint}{b}{joint}{y}"
            out[f"{pair}0{joint}"] = f"{a:02d}{joint}{b:02d}{joint}{y}"
            out[f"{pair}{joint}2"] = f"{a}{joint}{b}{joint}{y % 100:02d}"
            out[f"{pair}0{joint}2"] = f"{a:02d}{joint}{b:02d}{joint}{y % 100:02d}"
    return out


def _means(written: str, names: tuple[str, ...]) -> bool:
    """``names``: of one month, in every language; English ones also as they are shortened."""
    english, said = names[0], written.casefold().rstrip(".")
    return said in (english[:3].casefold(), english[:4].casefold(), *map(str.casefold, names))


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
