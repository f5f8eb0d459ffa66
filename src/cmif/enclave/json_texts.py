"""The texts inside JSON values: visited one by one, and put back into a value of the same form.

``visit(text, role, path, prose) -> text`` is called for each text in a fixed order. Keys are texts too,
because a caller may put a name there; only the keywords of JSON Schema and of the API are not. A number is
visited as its JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cmif.errors import InputError

Visit = Callable[[str, str, str, bool], str]
"""``prose`` is False for identifiers, whose words a program reads."""

_DEPTH = 64
_KEYWORDS = frozenset(
    [
        "type",
        "format",
        "description",
        "title",
        "properties",
        "patternProperties",
        "additionalProperties",
        "required",
        "items",
        "prefixItems",
        "enum",
        "const",
        "default",
        "examples",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "if",
        "then",
        "else",
        "$ref",
        "$defs",
        "definitions",
        "$schema",
        "$id",
        "$comment",
        "nullable",
        "deprecated",
        "readOnly",
        "writeOnly",
        "json_schema",
        "schema",
        "name",
        "strict",
        "function",
        "parameters",
    ]
)
_NAMED = frozenset(
    {"properties", "patternProperties", "$defs", "definitions"}
)  # their keys are the caller's own
_KEPT = frozenset({"type", "format", "$schema"})
_PROSE = frozenset({"description", "title", "$comment"})
_VALUES = frozenset({"default", "const", "enum", "examples", "required"})


def tree(value: Any, role: str, path: str, visit: Visit, prose: bool = False, depth: int = 0) -> Any:
    """``value`` with every string, number and key visited. Raises :class:`InputError` past a depth of 64."""
    _check(depth, path)
    if isinstance(value, str):
        return visit(value, role, path, prose)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, visit(json.dumps(value), role, path, False))
    if isinstance(value, Mapping):
        return {
            visit(_key(key, path), role, f"{path}.key[{i}]", False): tree(
                entry, role, f"{path}.value[{i}]", visit, prose, depth + 1
            )
            for i, (key, entry) in enumerate(value.items())
        }
    if isinstance(value, list):
        return [tree(entry, role, f"{path}[{i}]", visit, prose, depth + 1) for i, entry in enumerate(value)]
    return value


def schema(value: Any, role: str, path: str, visit: Visit, depth: int = 0) -> Any:
    """A JSON Schema, or the API's object around one: keywords and types stay, names and descriptions are visited."""
    _check(depth, path)
    if isinstance(value, list):
        return [schema(entry, role, f"{path}[{i}]", visit, depth + 1) for i, entry in enumerate(value)]
    if not isinstance(value, Mapping):
        return tree(value, role, path, visit, depth=depth)
    out: dict[str, Any] = {}
    for i, (key, entry) in enumerate(value.items()):
        known = _key(key, path) in _KEYWORDS
        where = f"{path}.{key}" if known else f"{path}.value[{i}]"
        name = key if known else visit(key, role, f"{path}.key[{i}]", False)
        if key in _KEPT and _is_plain(entry):
            out[name] = entry
        elif key in _PROSE and isinstance(entry, str):
            out[name] = visit(entry, role, where, True)
        elif key in _NAMED and isinstance(entry, Mapping):
            out[name] = {
                visit(_key(inner, where), role, f"{where}.key[{j}]", False): schema(
                    part, role, f"{where}.value[{j}]", visit, depth + 2
                )
                for j, (inner, part) in enumerate(entry.items())
            }
        elif key in _VALUES:
            out[name] = tree(entry, role, where, visit, depth=depth + 1)
        else:
            out[name] = schema(entry, role, where, visit, depth + 1)
    return out


def _is_plain(value: Any) -> bool:
    """A type or format as the schema language has them: a word, or a list of words."""
    entries = value if isinstance(value, list) else [value]
    return all(isinstance(entry, str) and entry.isascii() and len(entry) < 64 for entry in entries) and all(
        entry.replace("-", "").replace("_", "").isalpha() and entry.islower() for entry in entries
    )


def _number(value: float, text: str) -> Any:
    """The number that ``text`` is, or the text."""
    if text == json.dumps(value):
        return value
    try:
        number = json.loads(text)
    except ValueError:
        return text
    return number if isinstance(number, int | float) and not isinstance(number, bool) else text


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise InputError(f"{path} has a key that is not a string.")
    return key


def _check(depth: int, path: str) -> None:
    if depth > _DEPTH:
        raise InputError(f"The JSON in {path.split('[')[0].split('.')[0]} is nested more than {_DEPTH} deep.")
