"""Every error CMIF raises on purpose, in one tree.

::

    CmifError
    ├── InputError            what the caller gave is wrong; nothing was changed (HTTP 400, exit status 2)
    │   ├── ArchitectureError     a model whose embedding layer is not handled
    │   ├── ContextLengthError    the prompt does not fit the model
    │   ├── UnsupportedContentError   content that cannot be inspected (images, audio)
    │   ├── RequestTooLargeError  a body above the gateway's bound (HTTP 413)
    │   ├── SlowUploadError       a body that did not arrive in time (HTTP 408)
    │   ├── CrossSiteError        a web page's request that nobody allowed (HTTP 403)
    │   ├── SchemaError           a JSON Schema that no answer can be held to
    │   └── NotFoundError         no such route here (HTTP 404)
    │       └── ModelNotFoundError    a model that this gateway does not serve
    ├── UnauthorisedError     no key, or one that belongs to no tenant (HTTP 401)
    ├── IntegrityError        bytes are not what their manifest, digest or signature says
    │   ├── BundleError           client bundle or server body: missing, altered, of another model
    │   ├── TableError            privacy table: uncertified, altered, for another bundle
    │   └── SealError             sealed bundle: wrong key, truncated, altered
    ├── WireError             a frame or event that does not follow the wire format
    │   ├── FrameTooLargeError    refused before anything was allocated
    │   └── UnknownRowsError      a session's row dictionary is not there (any more): send in full (HTTP 409)
    ├── PrivacyError          the request was closed so that nothing could leak (HTTP 403 or 500)
    │   ├── DetectorError         a detector failed; the request is refused, not let through
    │   ├── BudgetExhaustedError  the ledger refuses the charge
    │   ├── CoverError            a covered conversation cannot go on without telling the true variant
    │   ├── LaneError             a conversation cannot go on with an engine that is trusted less (HTTP 403)
    │   ├── LedgerError           the ledger cannot be read or written (HTTP 503)
    │   └── MechanismError        parameters under which no guarantee holds
    ├── EngineError           the engine side failed
    │   ├── EngineUnavailableError   it did not answer (HTTP 502 with Retry-After)
    │   ├── EngineBusyError          its queue is full (HTTP 429 with Retry-After)
    │   └── RowsRefusedError         rows not finite, outsized, or of the wrong shape
    ├── NotReadyError         the gateway may not answer now, and says why (HTTP 503)
    ├── OverloadedError       more requests at once than the gateway holds (HTTP 503)
    ├── GrantLimitError       the provider's grant allows no more requests this minute (HTTP 429)
    └── AttestationError      evidence or key release refused; carries a structured record

Messages say what was wrong, with what, and what to do. They never hold user text, keys or embedding rows:
raise ``... from None`` wherever the cause could quote them.
"""

from __future__ import annotations

from typing import Any


class CmifError(Exception):
    """Base of everything CMIF raises on purpose. ``code`` is stable and machine-readable."""

    code = "cmif_error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InputError(CmifError):
    """``param`` is the field of the request that is at fault, where one is."""

    code = "invalid_input"
    param: str | None = None


class ArchitectureError(InputError):
    code = "unknown_architecture"


class ContextLengthError(InputError):
    code = "context_length_exceeded"


class UnsupportedContentError(InputError):
    code = "unsupported_content"


class RequestTooLargeError(InputError):
    code = "request_too_large"


class SlowUploadError(InputError):
    code = "request_timeout"


class CrossSiteError(InputError):
    code = "cross_site"


class NotFoundError(InputError):
    code = "not_found"


class ModelNotFoundError(NotFoundError):
    code = "model_not_found"


class SchemaError(InputError):
    code = "invalid_schema"


class UnauthorisedError(CmifError):
    code = "invalid_api_key"


class IntegrityError(CmifError):
    code = "integrity"


class BundleError(IntegrityError):
    code = "bundle_invalid"


class TableError(IntegrityError):
    code = "privacy_table_invalid"


class SealError(IntegrityError):
    code = "seal_invalid"


class WireError(CmifError):
    code = "malformed_frame"


class FrameTooLargeError(WireError):
    code = "frame_too_large"


class UnknownRowsError(WireError):
    code = "unknown_rows"


class PrivacyError(CmifError):
    code = "privacy"


class DetectorError(PrivacyError):
    code = "detector_failed"


class BudgetExhaustedError(PrivacyError):
    code = "privacy_budget_exhausted"


class CoverError(PrivacyError):
    code = "cover"


class LaneError(PrivacyError):
    code = "lane"


class LedgerError(PrivacyError):
    code = "ledger_unavailable"


class MechanismError(PrivacyError):
    code = "mechanism_invalid"


class EngineError(CmifError):
    code = "engine"


class EngineUnavailableError(EngineError):
    code = "engine_unavailable"


class EngineBusyError(EngineError):
    code = "engine_busy"

    def __init__(self, message: str, *, hint: str = "", retry_after_s: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class RowsRefusedError(EngineError):
    code = "rows_refused"


class NotReadyError(CmifError):
    code = "not_ready"


class OverloadedError(CmifError):
    code = "overloaded"


class GrantLimitError(CmifError):
    code = "grant_limit"


class AttestationError(CmifError):
    """A refusal. ``check``, ``expected`` and ``seen`` are what a verifier may show to a person."""

    code = "attestation_refused"

    def __init__(
        self, message: str, *, check: str, expected: Any = None, seen: Any = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.check = check
        self.expected = expected
        self.seen = seen

    def record(self) -> dict[str, Any]:
        """The refusal as data: which check failed, what was expected and what was seen."""
        return {"check": self.check, "expected": self.expected, "seen": self.seen, "message": self.message}
