"""Special words by public type: conditions, symptoms, drugs, procedures, parts of the body, faiths, origins,
orientations, offences, money trouble. A word or phrase of a type is one unit, drawn among the members of its group and
written in its form.

A **type** is a file of ``data/special/types``; a **group** is the members of a type that have the same forms, so that
whatever is drawn can be written as the original was: "diabetic" becomes "asthmatic", "thefts" become "burglaries". A
**member** is one thing with all its forms and names ("Tylenol" and "acetaminophen" are paracetamol): its mentions share
one draw.

Guarantee, for two texts that differ in members of one group (`cmif.privacy.typed`): the law's epsilon a member and
conversation. Type, group, form (column, number), case and which mentions are equal are skeleton: they leak, and so does
an article before the unit ("an" says that a vowel follows). The engine cannot tell from the draw which name or how many
words the original had.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from cmif.enclave.words import Shape, shape, with_shape
from cmif.privacy.typed import TypeLaw, type_law

TYPES = (
    "condition", "symptom", "drug", "procedure", "body", "faith", "origin", "orientation", "offence", "money",
)  # fmt: skip

_COUNTED = frozenset({"noun", "agent"})
"""Columns whose plural is written; that of a mass noun ("cancers") is read as the same form."""
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_GAP = re.compile(r"['’]?(?:\s+|\s?[-‐‑]\s?)")
_POSSESSIVE = re.compile(r"['’]s\Z")
_Y = re.compile(r"(?<=[^aeiou])y\Z")


@dataclass(frozen=True, slots=True)
class Form:
    """One spelling of a member. ``group``: the group's name, "faith.1"; ``member``: its index there; ``column`` and
    ``plural``: which of its forms; ``spelled``: the list's own spelling of it."""

    group: str
    member: int
    column: int
    plural: bool
    spelled: str

    @property
    def type(self) -> str:
        return self.group.split(".")[0]


@dataclass(frozen=True, slots=True)
class Group:
    """``columns``: the forms that each member has ("adjective", "mass"). ``members[i][column]``: (singular, plural)."""

    name: str
    columns: tuple[str, ...]
    members: tuple[tuple[tuple[str, str], ...], ...]

    def name_of(self, form: Form) -> str:
        """What all forms of one member share: its first."""
        return self.members[form.member][0][0]

    def hides(self, k: int) -> bool:
        """Whether a member stands among ``k`` at least, as any word of a table does. Where not, the table draws."""
        return len(self.members) >= k

    def law(self, epsilon: float) -> TypeLaw:
        return type_law(len(self.members), epsilon)


@dataclass(frozen=True, slots=True)
class Special:
    """``groups`` by name, ``forms`` by :func:`key`; ``longest``: most words of a form by its first word."""

    groups: Mapping[str, Group]
    forms: Mapping[str, Form]
    longest: Mapping[str, int]

    def find(self, text: str) -> Iterator[tuple[int, int, Form]]:
        """``(start, end, form)`` of every member in ``text``, the longest first at each place, not overlapping; any
        case, words apart by white space (line ends too) or a hyphen, without a possessive's ending."""
        tokens = [(*m.span(), _folded(m.group())) for m in _TOKEN.finditer(text)]
        free = 0
        for i, (start, _, first) in enumerate(tokens):
            if i < free:
                continue
            most = max(self.longest.get(first, 0), self.longest.get(first.removesuffix("'s"), 0))
            if not most:
                continue
            run = _run(text, tokens, i, most)
            for n in range(len(run), 0, -1):
                whole = " ".join(run[:n])
                bare = _POSSESSIVE.sub("", whole)
                form = self.forms.get(whole) or self.forms.get(bare)
                if form is not None:
                    cut = len(whole) - len(bare) if whole not in self.forms else 0
                    yield start, tokens[i + n - 1][1] - cut, form
                    free = i + n
                    break

    def drawn(self, form: Form, epsilon: float) -> tuple[Form, float]:
        """A member drawn for that of ``form``, in the same form, and what the draw spends."""
        group = self.groups[form.group]
        law = group.law(epsilon)
        return self.like(law.sample(form.member), form), law.epsilon

    def read(self, phrase: str, group: str) -> int | None:
        """Which member of ``group`` a phrase says; None for any other."""
        form = self.forms.get(key(phrase))
        return form.member if form is not None and form.group == group else None

    def like(self, member: int, form: Form) -> Form:
        """Another member of ``form``'s group, in the same form."""
        spelled = self.groups[form.group].members[member][form.column][form.plural]
        return Form(form.group, member, form.column, form.plural, spelled)


def key(phrase: str) -> str:
    """What all ways to write a form share: case, white space and hyphens folded."""
    return " ".join(_folded(m.group()) for m in _TOKEN.finditer(phrase))


def written(form: Form, like: str, of: Form) -> str:
    """``form`` in the case of ``like``, a mention of ``of``: as the lists spell it where the mention is ("HIV")."""
    return with_shape(form.spelled, Shape.LOWER if like.replace("’", "'") == of.spelled else shape(like))


def plural(noun: str) -> str:
    """The regular plural of an English noun, which a phrase has on its last word."""
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    return _Y.sub("ie", noun) + "s"


@lru_cache(maxsize=1)
def special() -> Special:
    """The packaged types."""
    groups: dict[str, Group] = {}
    forms: dict[str, Form] = {}
    for name in TYPES:
        text = files("cmif.enclave").joinpath(f"data/special/types/{name}.txt").read_text("utf-8")
        for i, section in enumerate(_sections(text)):
            group, found = _read(f"{name}.{i + 1}", *section)
            groups[group.name] = group
            for form in found:
                forms.setdefault(key(form.spelled), form)
    longest: dict[str, int] = {}
    for phrase in forms:
        first, *rest = phrase.split(" ")
        longest[first] = max(longest.get(first, 0), 1 + len(rest))
    return Special(groups, forms, longest)


def _sections(text: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """``(columns, members)``: after a line of columns in brackets the members, apart by commas and line ends."""
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    heads = [i for i, line in enumerate(lines) if line.startswith("[")]
    for at, end in zip(heads, [*heads[1:], len(lines)], strict=True):
        members = [m.strip() for line in lines[at + 1 : end] for m in line.split(",") if m.strip()]
        yield tuple(lines[at].strip("[] ").split()), members


def _read(name: str, columns: tuple[str, ...], lines: list[str]) -> tuple[Group, list[Form]]:
    """A group and its forms. In a member, "|" parts columns, "/" names of the same (the first is written), "~" a form
    from its irregular plural."""
    members: list[tuple[tuple[str, str], ...]] = []
    forms: list[Form] = []
    for i, line in enumerate(lines):
        row: list[tuple[str, str]] = []
        for c, (column, cell) in enumerate(zip(columns, line.split("|"), strict=True)):
            names = [tuple(part.strip() for part in one.split("~")) for one in cell.split("/")]
            pairs = [(one[0], one[1] if len(one) > 1 else plural(one[0])) for one in names]
            counted = column in _COUNTED
            row.append(pairs[0] if counted else (pairs[0][0], pairs[0][0]))
            forms += [Form(name, i, c, False, one) for one, _ in pairs]
            if counted or column == "mass":
                forms += [Form(name, i, c, counted, many) for _, many in pairs]
        members.append(tuple(row))
    return Group(name, columns, tuple(members)), forms


def _run(text: str, tokens: list[tuple[int, int, str]], i: int, most: int) -> list[str]:
    """The words from the i-th on that only white space or a hyphen parts, ``most`` at most."""
    out = [word for _, _, word in tokens[i : i + min(most, 1)]]
    for (_, end, _), (start, _, word) in zip(tokens[i : i + most - 1], tokens[i + 1 : i + most], strict=False):
        if not _GAP.fullmatch(text, end, start):
            break
        out.append(word)
    return out


def _folded(word: str) -> str:
    return word.lower().replace("’", "'")
