"""Placeholder of the first commit: runs of capitalised words."""

from __future__ import annotations

import re

from cmif.types import Kind, Span

_RUN = re.compile(r"(?<!\w)[A-Z][a-z]+(?: [A-Z][a-z]+)+")


class Names:
    name = "names"

    def detect(self, text: str) -> list[Span]:
        return [Span(*m.span(), Kind.PERSON, self.name) for m in _RUN.finditer(text)]
