"""A request of any of the four routes as one frozen value, and what their parsers share.

Every body passes a pydantic model where it enters. Errors name the field, never its value.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from cmif.errors import InputError, ModelNotFoundError, UnsupportedContentError
from cmif.types import Sampling

MAX_N = 8
MAX_PROMPTS = 64
MAX_STOPS = 4
_MAX_TOKENS = 1 << 20

Name = Annotated[str, StringConstraints(min_length=1, max_length=512)]
"""The client's own name for somebody or something: it decides what is shared, and never leaves the enclave."""
Tokens = Annotated[int, Field(ge=1, le=_MAX_TOKENS)]
Stop = str | list[str] | None


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request. ``prompts`` hold only what may become part of a prompt: messages and tools, or a text.

    ``tools`` are the names that the answer may call (and must, if ``forced``), ``top_logprobs`` how many alternatives a
    token is shown with (None: no logprobs at all), ``dropped`` the fields that were ignored. Where ``fitted``, a prompt
    that leaves less than ``max_tokens`` of the context is not refused: its answer gets what is left.
    """

    prompts: tuple[Mapping[str, Any], ...]
    sampling: Sampling
    max_tokens: int | None
    fitted: bool = False
    n: int = 1
    stop: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    tools: tuple[str, ...] = ()
    forced: bool = False
    parallel: bool = True
    top_logprobs: int | None = None
    dropped: tuple[str, ...] = ()
    user: str | None = None
    conversation: str | None = None

    @property
    def json(self) -> bool:
        """Whether the answer is a JSON text that follows a schema."""
        return "response_format" in self.prompts[0]

    @property
    def coverable(self) -> bool:
        """Whether one plain answer to one prompt is wanted, which variants of the prompt can give alike."""
        return self.n == len(self.prompts) == 1 and not (self.stop or self.json or self.prompts[0].get("tools"))


class Body(BaseModel):
    """What every route takes. Fields that no model names are dropped and told of in a response header."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    model: str | None = None
    stream: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    metadata: dict[str, Any] | None = None

    def sampling(self, **more: Any) -> Sampling:
        """The settings of this request; ``max_tokens`` is filled in when the prompt's length is known."""
        temperature = 1.0 if self.temperature is None else self.temperature
        top_p = 1.0 if self.top_p is None else self.top_p
        if top_p == 0:  # nothing but the likeliest token: greedy
            temperature, top_p = 0.0, 1.0
        return Sampling(max_tokens=1, temperature=temperature, top_p=top_p, **more)

    @property
    def conversation(self) -> str | None:
        name = (self.metadata or {}).get("conversation_id")
        if name is not None and not (isinstance(name, str) and 0 < len(name) <= 512):
            raise refused("metadata", "conversation_id must be a string of 1 to 512 characters")
        return name


Some = TypeVar("Some", bound=Body)


def validated(model: type[Some], body: Any, names: Collection[str]) -> tuple[Some, tuple[str, ...]]:
    """``body`` as ``model``, and the names of the fields that it ignores. ``names``: the models served here.

    Raises :class:`InputError` for what is not of the API's form, :class:`ModelNotFoundError`.
    """
    if not isinstance(body, dict):
        raise InputError("The request body must be a JSON object.")
    try:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise InputError(
            "The request body is not JSON in Unicode.",
            hint="No lone surrogates, NaN or Infinity, no deep nesting.",
        ) from None
    try:
        parsed = model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise refused(str(first["loc"][0]) if first["loc"] else "body", first["msg"]) from None
    if parsed.model is not None and parsed.model not in names:
        raise wrong_model()
    known = {field.alias or name for name, field in model.model_fields.items()}
    dropped = (k for k, value in body.items() if k not in known and value not in (None, [], {}))
    return parsed, tuple(sorted(dropped))


def wrong_model() -> ModelNotFoundError:
    error = ModelNotFoundError(
        "This gateway does not serve that model.", hint="GET /v1/models lists the one it serves."
    )
    error.param = "model"
    return error


def refused(field: str, why: str) -> InputError:
    """The refusal of ``field``, which must be a name of the API and no text of the client's."""
    error = InputError(f"Field {field!r}: {why}.")
    error.param = field
    return error


def unsupported(field: str, why: str, hint: str = "") -> UnsupportedContentError:
    error = UnsupportedContentError(f"Field {field!r}: {why}.", hint=hint)
    error.param = field
    return error


def stops(stop: Stop, field: str = "stop") -> tuple[str, ...]:
    entries = [stop] if isinstance(stop, str) else stop or []
    if len(entries) > MAX_STOPS or not all(entries):
        raise refused(field, f"must be a string or a list of up to {MAX_STOPS} non-empty strings")
    return tuple(entries)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tools the answer may call: none of them, any if it likes, one at least, or the named one."""

    mode: str  # "none", "auto", "required" or "named"
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """What a request's tools come to: what of them becomes the prompt, the names that may be called, and whether one
    of those must be.
    """

    prompt: Mapping[str, Any]
    names: tuple[str, ...] = ()
    forced: bool = False


def choose(tools: Sequence[Any] | None, choice: Choice) -> Tools:
    """``tools`` in chat's form, checked. Raises :class:`InputError` for tools that are no functions."""
    names = []
    for i, tool in enumerate(tools or ()):
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise refused(
                "tools", f"tool {i} is not a function with a name; no other kind can be called here"
            )
        names.append(function["name"])
    if choice.mode == "named" and choice.name not in names:
        raise refused("tool_choice", "names none of the tools")
    if choice.mode == "required" and not names:
        raise refused("tool_choice", "asks for a call, and there are no tools")
    if not names or choice.mode == "none":
        return Tools({})
    given = {"tools": list(tools or ())}
    if choice.mode == "named" and choice.name is not None:
        return Tools(given, (choice.name,), True)
    return Tools(given, tuple(names), choice.mode == "required")


def formatted(field: str, format_: Any, tools: Tools) -> Mapping[str, Any]:
    """A format other than text (chat's `response_format`) as it is sanitised beside the prompt; else nothing.

    Raises :class:`InputError`.
    """
    kind = format_.get("type") if isinstance(format_, dict) else None
    if format_ is None or kind == "text":
        return {}
    if kind not in ("json_object", "json_schema"):
        raise refused(field, "must be an object of type text, json_object or json_schema")
    inner = format_.get("json_schema")
    if kind == "json_schema" and not (isinstance(inner, dict) and isinstance(inner.get("schema"), dict)):
        raise refused(field, "needs json_schema.schema, a JSON Schema")
    if tools.names:
        raise refused(
            field, "an answer cannot both call tools and follow a schema; set tool_choice to 'none'"
        )
    return {"response_format": format_}


def schema_for(prompt: Mapping[str, Any], request: Request) -> str:
    """The JSON Schema, from the sanitised ``prompt``, that the engine must hold the answer to; empty for none.

    A call that must be made is the whole answer, a JSON object; otherwise the form is that of `response_format`.
    """
    if request.forced:
        wanted = [t["function"] for t in prompt["tools"] if t["function"]["name"] in request.tools]
        calls = [
            {
                "type": "object",
                "properties": {
                    "name": {"const": function["name"]},
                    "arguments": {"type": "object", **(function.get("parameters") or {})},
                },
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
            for function in wanted
        ]
        return json.dumps(calls[0] if len(calls) == 1 else {"anyOf": calls})
    format_ = prompt.get("response_format")
    if format_ is None:
        return ""
    inner = format_["json_schema"]["schema"] if format_["type"] == "json_schema" else {"type": "object"}
    return json.dumps(inner)
