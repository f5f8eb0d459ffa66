"""A text API that keeps what it was sent and answers with the bytes it is told to: some of them no API would send."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers import serving

Script = Callable[[dict[str, Any]], Response]


@dataclass
class TextApiSpy:
    script: Script
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.bodies.append(await request.json())
        self.headers.append(dict(request.headers))
        return self.script(self.bodies[-1])


def stream(*choices: dict[str, Any], end: str = "data: [DONE]\n\n") -> Response:
    """Chunks of these choices."""
    lines = [
        f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"
        for choice in choices
    ]
    return Response("".join(lines) + end, media_type="text/event-stream")


def says(text: str, reason: str | None = "stop") -> Response:
    return stream(
        {"index": 0, "delta": {"content": text}}, {"index": 0, "delta": {}, "finish_reason": reason}
    )


@contextmanager
def text_api(script: Script) -> Iterator[tuple[str, TextApiSpy]]:
    """Its URL, with `/v1`, and itself. Its one model is called "theirs"."""
    spy = TextApiSpy(script)

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "theirs"}]})

    routes = [
        Route("/v1/models", models),
        Route("/v1/chat/completions", spy.answer, methods=["POST"]),
        Route("/v1/completions", spy.answer, methods=["POST"]),
    ]
    with serving(Starlette(routes=routes)) as url:
        yield f"{url}/v1", spy
