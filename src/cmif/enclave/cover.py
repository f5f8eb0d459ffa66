"""Cover requests: for few sensitive words the engine gets K variants of the prompt, one of them true, and answers all.

What it guarantees, exactly: `cmif.privacy.cover`. What is decided here is when: only where every sensitive word of the
request has a group, and where nothing else of the request would tell the true row. Where that is not so the mechanism
draws, as without cover. **One turn**: what a client says after it read one of K answers is about that answer, and an
engine that marks its answers would know the row from it. So a conversation that was covered is not continued:
:class:`CoverError`. A retry of the same question is another view of the same K rows, which tells no more.

Words that say no more than the kind of a group, which the view shows anyway ("diagnosed" beside a condition), stand as
they are in every row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from math import inf

import numpy as np

from cmif.enclave.conversation import Conversation
from cmif.enclave.draft import Draft
from cmif.enclave.finder import Finder
from cmif.enclave.nodes import Drawn, Name
from cmif.enclave.originals import Original
from cmif.enclave.policy import PrivacyPolicy
from cmif.enclave.sanitise import outside
from cmif.enclave.unit import Unit
from cmif.enclave.words import shape, with_shape
from cmif.errors import CoverError
from cmif.privacy.cover import Group, groups
from cmif.privacy.table import Table
from cmif.types import Kind, Piece

_NAME = "cover"
_HEALTH = frozenset({
    "diagnosed", "diagnosis", "symptom", "symptoms", "disease", "illness", "medication", "hospital", "clinic",
    "prescribed", "prescription", "sick", "ill",
})  # fmt: skip
_IMPLIED = {
    **dict.fromkeys(("condition", "infection", "cancer", "event", "drug"), _HEALTH),
    "offence": frozenset(["arrested", "convicted", "guilty", "police", "crime", "prison"]),
    "faith": frozenset(["religion", "faith", "pray"]),
    "origin": frozenset(["citizenship", "immigrant", "nationality", "visa"]),
}


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a request's sensitive words hide behind. ``mode``: "cover", "mechanism", or "none" where words stay. ``k``
    rows of the view, or words that a bucket has at least; ``eps_in`` the loss between two of them, ``eps_out`` between
    any two words, infinite where nothing is said.
    """

    mode: str
    k: int
    eps_in: float
    eps_out: float

    @classmethod
    def of(cls, policy: PrivacyPolicy, table: Table, *, covered: bool) -> Guarantee:
        if covered and policy.cover:
            return cls("cover", policy.cover.k, 0.0, inf)
        if not policy.special_words:
            return cls("none", 1, inf, inf)
        return cls("mechanism", table.k, table.eps_in, table.eps_out)


@dataclass(frozen=True, slots=True)
class Covered:
    """A draft in which every sensitive word stands as its group's mark, and what is to be remembered of it."""

    draft: Draft
    fresh: Mapping[Name, Drawn]


class Covers:
    """The groups of ``k`` words; at most ``words`` different ones of a request are covered."""

    def __init__(self, k: int, words: int) -> None:
        self.k = k
        self._most = words
        self._groups = {word: group for group in _groups(k) for word in group.words}
        self._marks = {_mark(group): group for group in self._groups.values()}

    def of(self, draft: Draft, conversation: Conversation, *, may: bool) -> Covered | None:
        """``draft`` covered; None where there is nothing to cover or the mechanism is to draw.

        ``may``: nothing about the request itself (several answers, tools, stop strings) forbids it. Raises
        :class:`CoverError` where neither can be done without telling the true row.
        """
        before = any(name[0] == _NAME for name in conversation.draws())
        goes_on = any(segment.role not in ("system", "developer", "user", "prompt") for segment in draft.texts)
        quotes = any(stretch.raw is not None for row in draft.new.values() for stretch in row)
        covered = None if not may or goes_on or quotes else self._covered(draft, conversation)
        if before and covered is None and (goes_on or quotes or self._marked(draft)):
            raise CoverError(
                "This conversation was covered: it cannot go on without telling the engine which of its variants is "
                "yours.",
                hint="Ask in a new conversation, one answer at a time.",
            )
        return covered

    def marks(self, piece: Piece) -> bool:
        """Whether a piece stands for a covered word."""
        return piece.kind == Kind.WORD and piece.sent.lower() in self._marks

    def texts(self, written: Sequence[Sequence[Piece]], shift: int) -> list[str]:
        """The texts of the row of ``shift``."""
        return ["".join(self._said(piece, shift) for piece in row) for row in written]

    def _said(self, piece: Piece, shift: int) -> str:
        if not self.marks(piece):
            return piece.sent
        word = self._marks[piece.sent.lower()].shifted(piece.text.lower(), shift)
        return with_shape(word, shape(piece.text))

    def _marked(self, draft: Draft) -> bool:
        units = (u for row in draft.new.values() for s in row for u in s.units)
        return any(self.marks(p) for row in draft.known.values() for p in row) or any(
            u.sent is not None and u.sent.lower() in self._marks for u in units
        )

    def _covered(self, draft: Draft, conversation: Conversation) -> Covered | None:
        units = [u for row in draft.new.values() for s in row for u in s.units if u.kind is Kind.WORD]
        known = [p for row in draft.known.values() for p in row if p.kind == Kind.WORD]
        words = {u.written.lower() for u in units} | {p.text.lower() for p in known}
        kinds = {self._groups[word].kind.split(" ")[0] for word in words if word in self._groups}
        implied = frozenset[str]().union(*(_IMPLIED.get(kind, frozenset()) for kind in kinds))
        words -= implied
        if not 0 < len(words) <= self._most or not words <= self._groups.keys():
            return None
        if not all(self.marks(p) for p in known) or any(
            u.sent is not None and u.sent.lower() not in self._marks for u in units
        ):
            return None  # a word of it went through the mechanism before
        finder = Finder(Original(Kind.WORD, word, _mark(self._groups[word])) for word in words)
        if any(finder.find(p.sent) for row in draft.known.values() for p in row if not self.marks(p)):
            return None  # one was sent as it is before
        new = {}
        for i, row in draft.new.items():
            new[i] = tuple(
                replace(s, units=self._units(draft.texts[i].text[s.start : s.end], s.units, finder, implied))
                for s in row
            )
        fresh = {(_NAME, word): Drawn(Kind.WORD, word, _mark(self._groups[word])) for word in words}
        new_names = [name for name in fresh if conversation.drawn(name) is None]
        return Covered(replace(draft, new=new), {name: fresh[name] for name in new_names})

    def _units(
        self, text: str, units: Sequence[Unit], finder: Finder, implied: frozenset[str]
    ) -> tuple[Unit, ...]:
        """``units`` with their words as marks, and every other mention of them."""
        out = []
        for unit in units:
            word = unit.written.lower()
            if unit.kind is not Kind.WORD:
                out.append(unit)
            elif word in self._groups:
                out.append(replace(unit, sent=_mark(self._groups[word])))
            else:
                assert word in implied
        return outside(text, out, finder)


def _mark(group: Group) -> str:
    """What stands for a word of ``group`` where no row is meant: the group, and nothing of the word."""
    return f"⟨{'|'.join(group.words)}⟩"


@lru_cache(maxsize=4)
def _groups(k: int) -> tuple[Group, ...]:
    text = files("cmif.enclave").joinpath("data/cover.tsv").read_text("utf-8")
    kinds, words, counts = zip(*(line.split("\t") for line in text.splitlines()), strict=True)
    return groups(words, kinds, np.array(counts, dtype=np.float64), k)
