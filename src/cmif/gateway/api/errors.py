"""The API's error object."""

from __future__ import annotations

from typing import Any

from cmif.errors import CmifError, InputError


def error_body(error: CmifError, param: str | None = None) -> dict[str, Any]:
    """OpenAI's form. All four keys are always there."""
    kind = "invalid_request_error" if isinstance(error, InputError) else error.code
    named = error.param if isinstance(error, InputError) else None
    return {"error": {"message": str(error), "type": kind, "param": param or named, "code": error.code}}
