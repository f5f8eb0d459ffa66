"""Values under a heading: cells of CSV and of a command's columns, fields of a form ("Surname: rose").

What stands under ``name`` is a name however it is spelled, so no cell is judged by itself. A heading counts only among
headings: a line of short cells in words, with lines of as many cells below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from cmif.enclave.detect.lists import lists
from cmif.enclave.words import is_stopword
from cmif.types import Kind, Span

_NAME = "columns"
_HEADINGS: tuple[tuple[str, Kind], ...] = (
    (
        r"(?:(?:first|last|full|given|family|middle|maiden|sur|fore|legal|preferred|nick|display|patient|customer|client|"
        r"employee|contact|student|member|guest|tenant|owner|manager|recipient|sender|holder|"
        r"card ?holder|account holder|"
        r"account|doctor|physician|provider|author|billing|shipping|emergency contact|kin|next of kin|person|user|lead|"
        r"candidate|applicant|buyer|seller|driver|passenger|insured|signer|spouse|father|mother|child|"
        r"guardian|referrer) ?)"
        r"names?|surname|forename|firstname|lastname|fullname|fname|lname|patient|customer|employee|physician|assignee|"
        r"next of kin|emergency contact|card ?holder|passenger|insured",
        Kind.PERSON,
    ),
    (r"(?:date of birth|birth ?date|birth ?day|dob|d o b|born|(?:admission|discharge|visit|death|hire|"
    r"start|admit) date)", Kind.DATE),
    (r"(?:home |work |mobile |cell |contact |office )?(?:phone|telephone|tel|mobile|cell|"
    r"fax)(?: (?:number|no|nr))?", Kind.PHONE),
    (r"(?:(?:work|home|contact|user|customer|billing) )?e ?mail(?: address)?", Kind.EMAIL),
    (
        r"(?:(?:home|street|billing|shipping|mailing|postal|delivery|work|permanent|"
        r"current) )?address(?: line)?(?: \d)?|"
        r"street|zip|zip ?code|post ?code|postal code",
        Kind.ADDRESS,
    ),
    (r"(?:home |birth )?(?:city|town|village)|place of birth|birth ?place|hometown|county", Kind.PLACE),
    (r"company(?: name)?|employer|org|organi[sz]ation(?: name)?|hospital|clinic|workplace", Kind.ORGANISATION),
    (
        r"ssn|social security(?: number| no)?|nino?|national (?:id|insurance)(?: number| no)?|passport(?: number| no)?|"
        r"tax id|tin|aadhaar|pan|cpf|cnpj|nhs(?: number| no)?|driver s? ?licen[cs]e(?: number| no)?|"
        r"id card|nif|pesel|bsn",
        Kind.NATIONAL_ID,
    ),
    (
        r"mrn|(?:medical record|patient|account|customer|client|employee|member|policy|claim|order|"
        r"invoice|student|case|"
        r"insurance|badge|staff|subscriber|user|loan|chart) ?(?:id|number|no|nr|ref)|acct|account|"
        r"user ?name|login|user",
        Kind.ID,
    ),
    (r"(?:card|credit card|cc|pan) ?(?:number|no)|credit card", Kind.CARD),
    (r"iban", Kind.IBAN),
    (
        r"(?:\w+ )?(?:password|passwd|pwd|passphrase|secret|secret key|access key|api key|token|pin|cvv|"
        r"cvc|otp|private key)"
        r"(?: value)?",
        Kind.SECRET,
    ),
)  # fmt: skip
_KINDS = tuple((re.compile(form), kind) for form, kind in _HEADINGS)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_OTHER = re.compile(r"[\W_]+")
_RULE_LINE = re.compile(r"[\s|+:=-]*\Z")
_SPACES = re.compile(r"[ ]{2,}|\t")
_CSV_CELL = re.compile(r'[ ]*+"((?:[^"\n]|""){0,2000}+)"[ ]*+(?=,|;|\Z)|([^,;]*+)')
_HEADING = re.compile(r"[A-Za-z][\w .#()/°'’-]{0,30}")
_EMPTY = frozenset(
    {"", "-", "--", "n/a", "na", "null", "none", "nan", "unknown", "<none>", "true", "false", "yes", "no"}
)
_FIELD = re.compile(
    r"(?m)(?:^[ \t>*•-]{0,8}|(?<=[,;{] )|(?<=[{,]))[\"']?([A-Za-z][A-Za-z _'’.-]{2,30})[\"']?[ \t]{0,3}[:=][ \t]{0,8}"
    r"(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'|([^\s\"'{\[(<,;:][^\n\"{\[<,;]{0,80}))"
)  # fmt: skip
# Inside a line: `user=kasimir` of a log, `last_name = 'Rose'` of a query, `<city>Lubbeek</city>`, a home folder's name.
_PAIR = re.compile(
    r"(?<![\w$@<-])(?P<key>[A-Za-z][\w-]{2,30})(?:=(?P<bare>[^\W_][\w.-]{1,60})(?=[,;&\]]?(?:\s|\Z))"
    r"|[ ]?={1,2}[ ]?(?P<quote>[\"'])(?P<quoted>[^\"'\n]{2,80})(?P=quote))"
    r"|<(?P<tag>[A-Za-z][\w-]{2,30})>(?P<inner>[^<>\n]{2,80})</(?P=tag)>"
    r"|(?:/home/|[:/\\](?:Users|Benutzer)[/\\]{1,2})(?P<home>[^\W_][\w.-]{1,30})(?=[/\\\s\"',;:)]|\Z)"
)
_CALL = re.compile(r"[A-Za-z_][\w.]{0,40}\(")
_FULL_STOP = re.compile(r"(?<=\w{3})[.;!?](?=\s)")
_SPEAKERS = frozenset(
    {"patient", "customer", "employee", "physician", "assignee", "passenger", "insured", "user"}
)
_MOST_COLUMNS = 64


class Columns:
    """Spans of the cells under headings of personal data, and of the values of such fields."""

    name = _NAME

    def detect(self, text: str) -> list[Span]:
        return [*_tables(text), *_fields(text), *_pairs(text)]


@lru_cache(maxsize=4096)
def heading_kind(heading: str) -> Kind | None:
    """The kind of what stands under ``heading`` in any spelling (``dateOfBirth``, ``FIRST_NAME``), or None."""
    plain = _OTHER.sub(" ", _CAMEL.sub(" ", heading)).strip().lower()
    return next((kind for form, kind in _KINDS if form.fullmatch(plain)), None)


def _tables(text: str) -> Iterator[Span]:
    if "\n" not in text:
        return
    heads: list[tuple[int, int, str]] = []
    split = ""
    position = 0
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        if heads and _RULE_LINE.match(bare):
            heads = heads if bare.strip() else []
        else:
            cells = _cells(bare, split) if heads else []
            if heads and len(cells) == len(heads):
                yield from _row(cells, heads, position)
            elif heads and split == " " and len(cells) > 1:
                yield from _row(_by_position(bare, heads), heads, position)
            else:
                split, heads = _header(bare)
        position += len(line)


def _header(line: str) -> tuple[str, list[tuple[int, int, str]]]:
    """The separator and cells of a line of headings, if it is one and some cell is of personal data."""
    for split in ("\t", "|", ",", ";", " "):
        if (split if split != " " else "  ") not in line:
            continue
        cells = _cells(line, split)
        words = [cell for _, _, cell in cells]
        if 2 <= len(cells) <= _MOST_COLUMNS and all(_HEADING.fullmatch(cell) for cell in words):
            known = [
                heading_kind(cell) or (Kind.PERSON if cell.lower() == "name" else None) for cell in words
            ]
            short = sum(len(cell.split(" ")) <= 3 for cell in words) == len(words)
            shown = split != " " or all(cell[0].isupper() for cell in words)
            if short and shown and any(known):
                return split, cells
    return "", []


def _row(
    cells: Sequence[tuple[int, int, str]], heads: Sequence[tuple[int, int, str]], at: int
) -> Iterator[Span]:
    personal = any(heading_kind(head) for _, _, head in heads)
    for (start, end, cell), (_, _, head) in zip(cells, heads, strict=True):
        kind = heading_kind(head) or (Kind.PERSON if head.lower() == "name" and personal else None)
        if kind and cell.lower() not in _EMPTY and any(char.isalnum() for char in cell):
            yield Span(at + start, at + end, kind, _NAME)


def _cells(line: str, split: str) -> list[tuple[int, int, str]]:
    """``(start, end, text)`` of each cell, trimmed; quotes of CSV are no part of one."""
    if split == "|":
        inner = line.strip()
        first = line.index(inner) + inner.startswith("|") if inner else 0
        last = line.rindex(inner) + len(inner) - (inner.endswith("|") and len(inner) > 1) if inner else 0
        return [_trimmed(line, a, b) for a, b in _between(line, first, last, re.compile(r"\|"))]
    if split in (",", ";"):
        cells = []
        position = 0
        while position <= len(line):
            match = _CSV_CELL.match(line, position)
            if match is None:
                break
            group = 1 if match[1] is not None else 2
            cells.append(_trimmed(line, *match.span(group)))
            if match.end() < len(line) and line[match.end()] not in ",;":
                break
            position = match.end() + 1
        return cells
    first = len(line) - len(line.lstrip(" "))
    return [
        _trimmed(line, a, b)
        for a, b in _between(
            line, first, len(line.rstrip(" ")), _SPACES if split == " " else re.compile(r"\t")
        )
    ]


def _between(line: str, first: int, last: int, separator: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    position = first
    for match in separator.finditer(line, first, last):
        yield position, match.start()
        position = match.end()
    yield position, last


def _by_position(line: str, heads: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Cells of a line with empty columns: what stands below each heading."""
    starts = [start for start, _, _ in heads] + [len(line)]
    return [_trimmed(line, min(a, len(line)), min(b, len(line))) for a, b in pairwise(starts)]


def _trimmed(line: str, start: int, end: int) -> tuple[int, int, str]:
    while start < end and line[start] == " ":
        start += 1
    while start < end and line[end - 1] == " ":
        end -= 1
    return start, end, line[start:end]


def _fields(text: str) -> Iterator[Span]:
    for match in _FIELD.finditer(text):
        heading = match[1].strip()
        group = match.lastindex or 4
        kind = heading_kind(heading)
        if heading == "Name" and group == 4:
            kind = Kind.PERSON
        value = _FULL_STOP.split(match[group], maxsplit=1)[0].rstrip(" .")
        empty = value.lower() in _EMPTY or value.rstrip(")") == heading  # "f(city=city)"
        if kind in (None, Kind.SECRET) or empty or not value[-1:].isalnum():
            continue
        if kind in (Kind.PERSON, Kind.PLACE, Kind.ORGANISATION):
            spoken = heading.lower() in _SPEAKERS or (
                " " in value and any(is_stopword(word) for word in value.split(" "))
            )
            if spoken or value.count(" ") > 3 or not value[0].isalpha() or any(c in value for c in "_(=/"):
                continue
        elif not any(char.isdigit() for char in value) or _CALL.match(value):
            continue
        if kind is not None:
            yield Span(match.start(group), match.start(group) + len(value), kind, _NAME)


_WORD = re.compile(r"[^\W\d_]+")
_NAMES = frozenset({Kind.PERSON, Kind.PLACE, Kind.ORGANISATION, Kind.ID})
_ANYBODY = frozenset("admin administrator root guest nobody postgres www-data ec2-user".split())  # noqa: SIM905


def _pairs(text: str) -> Iterator[Span]:
    """Names and user names behind a label inside a line. What is made of ordinary words is a name of the program
    ("user=current_user", a home folder "app") unless it stands in quotes or between tags with capitals.
    """
    for match in _PAIR.finditer(text):
        group = next(name for name in ("bare", "quoted", "inner", "home") if match[name] is not None)
        value = match[group]
        kind = Kind.PERSON if group == "home" else heading_kind(match["key"] or match["tag"])
        if kind not in _NAMES or value.lower() in _EMPTY | _ANYBODY or not value[0].isalnum():
            continue
        words, quoted = lists(), group in ("quoted", "inner") and value.istitle()
        known = all(
            word in words.ordinary or word in words.modern or word in words.proper
            for word in _WORD.findall(value.lower())
        )
        digits = any(char.isdigit() for char in value)
        if known and not (quoted or (kind is Kind.ID and digits)):
            continue
        yield Span(*match.span(group), Kind.PERSON if kind is Kind.ID and not digits else kind, _NAME)
