"""Every text of a request that a person wrote: taken out for inspection, and put back when it is sanitised.

One walk over the OpenAI request does both, so nothing can be put back that was not taken out first:
:func:`segments` visits and records, :func:`replace` visits and substitutes. The walk covers messages of
every role (content as a string, or as text parts that are joined to one, `name`, tool calls with the JSON
inside their arguments, and any field it does not know), tools and functions with their schemas,
`response_format`, and the `prompt` and `suffix` of completions. It keeps roles, types and function names.
Content it cannot read closes the request.

The other fields of a request (`temperature`, `user`, `metadata`, ...) are carried over untouched: they are
the gateway's to use or to drop, and never become part of the prompt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cmif.enclave.detect import marks
from cmif.enclave.json_texts import Visit, schema, tree
from cmif.errors import InputError, UnsupportedContentError
from cmif.types import Span

_TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Segment:
    """One text of a request, without its `<private>` marks.

    ``role``: the message's role, or "prompt", "tools", "response_format". ``path``: where it is, e.g.
    ``messages[0].tool_calls[0].function.arguments.value[0]``; keys that the caller chose are numbered, not
    quoted, so a path is safe to log. ``prose`` is False for identifiers (JSON keys, names, schema values):
    entities in them matter, but replacing their words by the mechanism would break the program that reads
    them. ``private``: what was marked, in offsets of ``text``.
    """

    text: str
    role: str
    path: str
    prose: bool = True
    private: tuple[Span, ...] = ()


def segments(request: Mapping[str, Any]) -> tuple[Segment, ...]:
    """The texts of an OpenAI chat or completions request, in a fixed order.

    Raises :class:`UnsupportedContentError` for content that cannot be inspected (images, audio, files,
    token ids) and :class:`InputError` for a request that is not of the API's form. Messages name the path,
    never the content.
    """
    found: list[Segment] = []

    def record(text: str, role: str, path: str, prose: bool) -> str:
        bare, private = marks.strip(text)
        found.append(Segment(bare, role, path, prose, private))
        return text

    _request(request, record)
    return tuple(found)


def replace(request: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """The request with ``texts[i]`` in the place of ``segments(request)[i]``; the given request is not
    changed.

    A number inside tool arguments stays a number if its new text is one, else becomes a string. Raises
    :class:`InputError` if the number of texts is not the number of segments.
    """
    remaining = iter(texts)
    count = 0

    def substitute(_text: str, _role: str, _path: str, _prose: bool) -> str:
        nonlocal count
        count += 1
        return next(remaining, "")

    replaced = _request(request, substitute)
    if count != len(texts):
        raise InputError(f"The request has {count} texts, {len(texts)} were given to put back.")
    return replaced


def _request(request: Mapping[str, Any], visit: Visit) -> dict[str, Any]:
    out = dict(request)
    if "messages" in request:
        messages = _list(request["messages"], "messages")
        out["messages"] = [_message(message, f"messages[{i}]", visit) for i, message in enumerate(messages)]
    if "prompt" in request:
        out["prompt"] = _prompt(request["prompt"], visit)
    if request.get("suffix") is not None:
        out["suffix"] = visit(_string(request["suffix"], "suffix"), "prompt", "suffix", True)
    for field in ("tools", "functions"):
        if request.get(field) is not None:
            entries = _list(request[field], field)
            out[field] = [_tool(tool, f"{field}[{i}]", visit) for i, tool in enumerate(entries)]
    if request.get("response_format") is not None:
        out["response_format"] = schema(
            request["response_format"], "response_format", "response_format", visit
        )
    return out


def _prompt(prompt: Any, visit: Visit) -> Any:
    if isinstance(prompt, str):
        return visit(prompt, "prompt", "prompt", True)
    entries = _list(prompt, "prompt")
    if any(not isinstance(entry, str) for entry in entries):
        raise UnsupportedContentError(
            "The prompt holds token ids, which cannot be inspected.", hint="Send the prompt as text."
        )
    return [visit(entry, "prompt", f"prompt[{i}]", True) for i, entry in enumerate(entries)]


def _message(message: Any, path: str, visit: Visit) -> dict[str, Any]:
    fields = _object(message, path)
    role = fields.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise InputError(f"{path}.role must be one of {', '.join(sorted(_ROLES))}.")
    out: dict[str, Any] = {}
    for key, value in fields.items():
        where = f"{path}.{key}" if key in _KNOWN else f"{path}.[other]"
        if key == "role" or value is None:
            out[key] = value
        elif key == "content":
            out[key] = _content(value, role, where, visit)
        elif key == "tool_calls":
            calls = _list(value, where)
            out[key] = [_call(call, role, f"{where}[{i}]", visit) for i, call in enumerate(calls)]
        elif key == "function_call":
            out[key] = _function(value, role, where, visit)
        elif key == "audio":
            raise UnsupportedContentError(f"Audio cannot be inspected ({where}).", hint="Send text.")
        else:
            prose = key in ("refusal", "reasoning_content", "reasoning")
            out[key] = (
                visit(value, role, where, prose)
                if isinstance(value, str)
                else tree(value, role, where, visit)
            )
    return out


_KNOWN = frozenset(
    {"role", "content", "name", "tool_calls", "tool_call_id", "function_call", "audio", "refusal",
    "reasoning_content",
     "reasoning", "annotations"}
)  # fmt: skip


def _content(content: Any, role: str, path: str, visit: Visit) -> str:
    """One text, its parts a line each: detection and the tokeniser's guard see what the template will see, so that
    nothing can be hidden by cutting it in two.
    """
    if isinstance(content, str):
        return visit(content, role, path, True)
    texts = []
    for i, entry in enumerate(_list(content, path)):
        where = f"{path}[{i}]"
        part = _object(entry, where)
        field = _TEXT_PARTS.get(part["type"]) if isinstance(part.get("type"), str) else None
        if field is None:
            raise UnsupportedContentError(
                f"Content that is not text cannot be inspected ({where}).", hint="Send text parts only."
            )
        texts.append(_string(part.get(field), f"{where}.{field}"))
    return visit("\n".join(texts), role, path, True)


def _call(call: Any, role: str, path: str, visit: Visit) -> dict[str, Any]:
    fields = _object(call, path)
    out: dict[str, Any] = {}
    for key, value in fields.items():
        if key == "function":
            out[key] = _function(value, role, f"{path}.function", visit)
        elif (key == "type" and value in ("function", "custom")) or (
            key == "index" and isinstance(value, int)
        ):
            out[key] = value
        else:
            out[key] = tree(value, role, f"{path}.{'id' if key == 'id' else '[other]'}", visit)
    return out


def _function(function: Any, role: str, path: str, visit: Visit) -> dict[str, Any]:
    out = dict(_object(function, path))
    if "name" in out:
        out["name"] = _name(out["name"], path)
    if out.get("arguments") is not None:
        out["arguments"] = _arguments(out["arguments"], role, f"{path}.arguments", visit)
    for key in out.keys() - {"arguments", "name"}:
        out[key] = tree(out[key], role, f"{path}.[other]", visit)
    return out


def _arguments(arguments: Any, role: str, path: str, visit: Visit) -> Any:
    """The JSON inside the string, value by value, so that what is put back is JSON again; plain text if it
    is not.
    """
    if not isinstance(arguments, str):
        return tree(arguments, role, path, visit, prose=True)
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return visit(arguments, role, path, True)
    if not isinstance(value, dict | list):
        return visit(arguments, role, path, True)
    return json.dumps(tree(value, role, path, visit, prose=True), ensure_ascii=False)


def _tool(tool: Any, path: str, visit: Visit) -> dict[str, Any]:
    """A tool, or a function of the older API. Its name stays: the caller's program is called by it."""
    fields = _object(tool, path)
    if "function" not in fields:
        return _definition(fields, path, visit)
    out = schema({k: v for k, v in fields.items() if k != "function"}, "tools", path, visit)
    return {**out, "function": _definition(fields["function"], f"{path}.function", visit)}


def _definition(function: Any, path: str, visit: Visit) -> dict[str, Any]:
    fields = _object(function, path)
    out = schema({k: v for k, v in fields.items() if k != "name"}, "tools", path, visit)
    return {"name": _name(fields["name"], path), **out} if "name" in fields else out


def _name(name: Any, path: str) -> str:
    if not isinstance(name, str) or _FUNCTION_NAME.fullmatch(name) is None:
        raise InputError(f"{path}.name must be 1 to 64 letters, digits, underscores, points or hyphens.")
    return name


def _string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{path} must be a string.")
    return value


def _list(value: Any, path: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise InputError(f"{path} must be a list.")
    return value


def _object(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{path} must be an object.")
    return value
