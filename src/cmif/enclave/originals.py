from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cmif.types import Kind


@dataclass(frozen=True, slots=True)
class Original:
    kind: Kind
    original: str
    surrogate: str

@dataclass(frozen=True, slots=True)
class Found:
    start: int
    end: int
    original: Original
    sent: str

def canonical(kind: Kind, written: str) -> str:
    return " ".join(written.split()).casefold()

class Finder:
    def __init__(self, originals: Iterable[Original]) -> None:
        self.by = {o.original.casefold(): o for o in originals}
        self.re = re.compile("|".join(map(re.escape, sorted(self.by, key=len, reverse=True))), re.I) if self.by else None

    def find(self, text: str) -> list[Found]:
        if self.re is None:
            return []
        return [Found(m.start(), m.end(), self.by[m.group().casefold()], self.by[m.group().casefold()].surrogate) for m in self.re.finditer(text) if m.group().casefold() in self.by]
