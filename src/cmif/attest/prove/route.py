"""`GET /attestation`: what this gateway or engine runs in, told to anyone who asks with a nonce."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cmif.attest.evidence import Evidence, GpuEvidence, TeeKind
from cmif.attest.prove.produce import Producer
from cmif.attest.prove.statement import parse_nonce, statement
from cmif.attest.simulated import LABEL
from cmif.attest.subject import Subject
from cmif.errors import AttestationError

Gpus = Callable[[bytes], tuple[GpuEvidence, ...]]
"""The evidence of all GPUs here over a nonce of 32 bytes. Raises :class:`AttestationError`."""


def attestation_route(
    producer: Producer, subject: Subject, path: str = "/attestation", *, gpus: Gpus | None = None
) -> Route:
    """``GET /attestation?nonce=HEX``: evidence over the caller's nonce. One at a time: evidence is slow to make."""
    busy = asyncio.Lock()

    def evidence_over(nonce: bytes) -> Evidence:
        seen = gpus(subject.gpu_nonce(nonce)) if gpus is not None else ()
        return replace(producer.produce(subject.report_data(nonce, seen)), gpus=seen)

    async def endpoint(request: Request) -> Response:
        try:
            nonce = parse_nonce(request.query_params.get("nonce", ""))
            async with busy:
                evidence = await asyncio.to_thread(evidence_over, nonce)
        except AttestationError as refusal:
            status = 400 if refusal.check == "nonce" else 503
            return JSONResponse({"error": {"code": refusal.code, **refusal.record()}}, status_code=status)
        headers = {"x-cmif-tee": LABEL} if producer.kind is TeeKind.SIMULATED else None
        return JSONResponse(statement(subject, evidence), headers=headers)

    return Route(path, endpoint)
