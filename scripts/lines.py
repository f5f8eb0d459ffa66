"""`python scripts/lines.py src/cmif`: lines a package, and of them code without blanks, comments and docstrings."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

_NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip


def code(text: str) -> int:
    """Lines that hold a token other than a comment, or a string that stands alone."""
    alone = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr) and _is_string(node.value)]
    documented = {line for node in alone for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    kept = {line for t in tokens if t.type not in _NO_CODE for line in range(t.start[0], t.end[0] + 1)}
    return len(kept - documented)


def _is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def main() -> None:
    root = Path(sys.argv[1])
    whole: Counter[str] = Counter()
    only_code: Counter[str] = Counter()
    for path in root.rglob("*.py"):
        text = path.read_text("utf-8")
        for package in (path.relative_to(root).parts[0], "in all"):
            whole[package] += text.count("\n")
            only_code[package] += code(text)
    for package in sorted(whole, key=lambda name: (name == "in all", name)):
        print(f"{package:16}{whole[package]:8}{only_code[package]:8}")


if __name__ == "__main__":
    main()
