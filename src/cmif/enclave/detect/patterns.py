"""Placeholder of the first commit: e-mail only."""

from __future__ import annotations

import re

from cmif.types import Kind, Span

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")


class Patterns:
    name = "patterns"

    def detect(self, text: str) -> list[Span]:
        return [Span(*m.span(), Kind.EMAIL, self.name) for m in _EMAIL.finditer(text)]
