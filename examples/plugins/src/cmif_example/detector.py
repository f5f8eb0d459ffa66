"""Hospital wards, such as "ward 7B"."""

from __future__ import annotations

import re

from cmif.types import Kind, Span

_WARD = re.compile(r"\b[Ww]ard (\d{1,2}[A-F])\b")


class Wards:
    name = "wards"

    def detect(self, text: str) -> list[Span]:
        return [Span(*found.span(1), Kind.ID, self.name) for found in _WARD.finditer(text)]
