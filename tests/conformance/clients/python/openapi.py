"""Prints an OpenAPI document of what the gateway serves: answers are held to the types of OpenAI's and Anthropic's own
clients, fields and refusals to what docs/api.md says.
"""

import json
from typing import Any

from anthropic.types import Message, MessageTokensCount
from openai.types import Completion, Model
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from pydantic import TypeAdapter

NAME = {"type": "string", "pattern": "^[a-z_]{1,20}$"}
TEXT = {"type": "string", "maxLength": 200}
TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 20}, "maxItems": 4}
OPEN = {"type": "object", "properties": {"a": {"type": "object", "properties": {"type": {"enum": ["string", "null"]}}}}}
PARAMETERS = {"type": "object", "properties": {"type": {"const": "object"}, "properties": OPEN}, "required": ["type"]}


def maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def number(low: float, high: float, kind: str = "number") -> dict[str, Any]:
    return maybe({"type": kind, "minimum": low, "maximum": high})


def object_(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def parts(*kinds: str) -> dict[str, Any]:
    part = object_(["type", "text"], type={"enum": list(kinds)}, text=TEXT)
    return {"anyOf": [TEXT, {"type": "array", "items": part, "minItems": 1, "maxItems": 3}]}


COMMON = {
    "model": {"enum": ["ours", "gpt-4o"]},
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "stream": {"type": "boolean"},
}
GENERATION = {
    **COMMON,
    "n": number(1, 3, "integer"),
    "seed": number(0, 1 << 40, "integer"),
    "stop": maybe({"anyOf": [{"type": "string", "minLength": 1, "maxLength": 9}, TEXTS]}),
    "max_tokens": number(1, 64, "integer"),
    "frequency_penalty": number(-2, 2),
    "presence_penalty": number(-2, 2),
    "user": {"type": "string", "minLength": 1, "maxLength": 512},
}
FUNCTION = object_(["name"], name=NAME, description=TEXT, parameters=PARAMETERS)
TOOL = object_(["type", "function"], type={"const": "function"}, function=FUNCTION)
CALL = object_(
    ["id", "type", "function"], id=NAME, type={"const": "function"},
    function=object_(["name", "arguments"], name=NAME, arguments={"enum": ["{}", '{"a": "Eleanor"}']}),
)  # fmt: skip
MESSAGE = {
    "anyOf": [
        object_(["role", "content"], role={"enum": ["user", "system", "developer"]}, content=parts("text"), name=NAME),
        object_(["role", "content"], role={"const": "assistant"}, content=parts("text")),
        object_(["role", "tool_calls"], role={"const": "assistant"}, tool_calls={"type": "array", "items": CALL, "minItems": 1}),
        object_(["role", "content", "tool_call_id"], role={"const": "tool"}, content=TEXT, tool_call_id=NAME),
    ]
}  # fmt: skip
BLOCKS = {
    "anyOf": [
        object_(["type", "text"], type={"const": "text"}, text=TEXT),
        object_(["type", "tool_use_id"], type={"const": "tool_result"}, tool_use_id=NAME, content=TEXT),
    ]
}
PROMPT = {
    "messages": {
        "type": "array", "minItems": 1, "maxItems": 4,
        "items": object_(["role", "content"], role={"enum": ["user", "assistant"]},
                         content={"anyOf": [TEXT, {"type": "array", "items": BLOCKS, "minItems": 1}]}),
    },
    "system": TEXT,
    "tools": {"type": "array", "items": object_(["name", "input_schema"], name=NAME, input_schema=PARAMETERS), "maxItems": 3},
}  # fmt: skip
ITEM = {
    "anyOf": [
        object_(["role", "content"], role={"enum": ["user", "assistant", "system", "developer"]},
                content=parts("input_text", "output_text")),
        object_(["type", "call_id", "name", "arguments"], type={"const": "function_call"}, call_id=NAME, name=NAME,
                arguments={"enum": ["{}", '{"a": 1}']}),
        object_(["type", "call_id", "output"], type={"const": "function_call_output"}, call_id=NAME, output=TEXT),
    ]
}  # fmt: skip
BODIES = {
    "/v1/chat/completions": (
        object_(
            ["messages"], **GENERATION, messages={"type": "array", "items": MESSAGE, "minItems": 1, "maxItems": 4},
            tools={"type": "array", "items": TOOL, "maxItems": 3}, tool_choice={"enum": ["auto", "none"]},
            logprobs={"type": "boolean"}, top_logprobs=number(0, 20, "integer"), parallel_tool_calls={"type": "boolean"},
            stream_options=object_([], include_usage={"type": "boolean"}),
        ),
        ChatCompletion,
    ),
    "/v1/completions": (
        object_(
            ["prompt"], **GENERATION, logprobs=number(0, 5, "integer"),
            prompt={"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 3}]},
        ),
        Completion,
    ),
    "/v1/responses": (
        object_(
            ["input"], **COMMON, max_output_tokens=number(1, 64, "integer"), instructions=maybe(TEXT),
            input={"anyOf": [{**TEXT, "minLength": 1}, {"type": "array", "items": ITEM, "minItems": 1, "maxItems": 4}]},
            tools={"type": "array", "items": object_(["type", "name"], type={"const": "function"}, name=NAME), "maxItems": 3},
        ),
        Response,
    ),
    "/v1/messages": (
        object_(
            ["messages", "max_tokens"], **COMMON, **PROMPT, max_tokens={"type": "integer", "minimum": 1, "maximum": 64},
            stop_sequences=TEXTS,
        ),
        Message,
    ),
    "/v1/messages/count_tokens": (object_(["messages"], model=COMMON["model"], **PROMPT), MessageTokensCount),
}  # fmt: skip
ERROR = {"application/json": {"schema": object_(["error"], error=object_(["message", "type"], message={"type": "string"}, type={"type": "string"}))}}
REFUSALS = {status: {"description": "refused", "content": ERROR} for status in ("400", "404", "405", "413", "429")}
schemas: dict[str, Any] = {}


def answer(model: Any, streamed: bool) -> dict[str, Any]:
    schema = TypeAdapter(model).json_schema(ref_template=f"#/components/schemas/{model.__name__}.{{model}}")
    schemas.update({f"{model.__name__}.{name}": inner for name, inner in schema.pop("$defs", {}).items()})
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if streamed:
        content["text/event-stream"] = {"schema": object_(["data"], data={"type": "string"})}
    return {**REFUSALS, "200": {"description": "answered", "content": content}}


paths: dict[str, Any] = {
    path: {
        "post": {
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": answer(model, "stream" in body["properties"]),
        }
    }
    for path, (body, model) in BODIES.items()
}
paths["/v1/models/{name}"] = {
    "get": {
        "parameters": [{"name": "name", "in": "path", "required": True, "schema": COMMON["model"]}],
        "responses": answer(Model, False),
    }
}
info = {"title": "CMIF", "version": "1"}
print(json.dumps({"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}))
