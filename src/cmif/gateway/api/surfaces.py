"""The routes that answer prompts, and the refusal of every other in the API's form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from cmif.errors import CmifError, NotFoundError
from cmif.gateway.api import chat, completions, messages, responses
from cmif.gateway.api.request import Request
from cmif.gateway.api.writer import Writer
from cmif.gateway.http import error_response


@dataclass(frozen=True, slots=True)
class Surface:
    """One route: how its bodies are read, its answers written and its refusals told."""

    parse: Callable[[Any, Collection[str]], Request]
    writer: Callable[[Request, str], Writer]
    refusal: Callable[[CmifError], Response] = error_response


SURFACES: Mapping[str, Surface] = {
    "/v1/chat/completions": Surface(chat.parse, chat.ChatWriter),
    "/v1/completions": Surface(completions.parse, completions.CompletionWriter),
    "/v1/responses": Surface(responses.parse, responses.ResponseWriter),
    "/v1/messages": Surface(messages.parse, messages.MessageWriter, messages.refusal),
}
_ELSEWHERE = ("embeddings", "moderations", "images", "audio", "files", "batches", "fine_tuning", "assistants",
              "threads", "vector_stores", "uploads", "realtime")  # fmt: skip


async def unknown(http: HttpRequest, error: Exception) -> Response:
    """Every path that no route has, and a route's path with another method."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        refusal = error_response(NotFoundError("This route has another method.", hint=f"It takes {allowed}."))
        refusal.status_code = 405
        refusal.headers["allow"] = allowed
        return refusal
    path = http.url.path.rstrip("/")
    first = path.removeprefix("/v1/").partition("/")[0]
    if path in SURFACES:
        hint = f"Use POST {path}, without a slash at its end."
    elif f"/v1{path}" in SURFACES or path == "/models":
        hint = "The base URL of the API ends in /v1."
    elif path.startswith("/v1/") and first in _ELSEWHERE:
        hint = f"This gateway protects prompts to a language model; {first} are not among what it serves."
    else:
        hint = "It serves /v1/chat/completions, /v1/completions, /v1/responses, /v1/messages and /v1/models."
    return error_response(NotFoundError("There is no such route here.", hint=hint))


def authorisation(headers: Mapping[str, str]) -> str | None:
    """The bearer's header, from whichever one the client's API has the key in."""
    key = headers.get("x-api-key")
    return headers.get("authorization") or (f"Bearer {key}" if key else None)
