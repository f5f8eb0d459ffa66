"""A request on one screen: segments -> spans -> sanitised text -> token ids -> embedding rows, and the answer back.

Each step is one function on frozen values. Nothing here reads a clock, a file or a socket; the gateway lends a
:class:`~cmif.enclave.memo.Store` for what must be durable and a ``step`` context to time with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from cmif.enclave.bundle import Bundle
from cmif.enclave.detect import Detector, detect_all
from cmif.enclave.embed import Embed, embed
from cmif.enclave.memo import MemoCipher, Store
from cmif.enclave.policy import Policy
from cmif.enclave.restore import Restorer
from cmif.enclave.sanitise import Sanitised, apply, draw, plan
from cmif.enclave.segment import replace, segments
from cmif.errors import ContextLengthError
from cmif.privacy.row_noise import noisy_bits
from cmif.types import Piece
from cmif.wire.rows import Rows

_WARM = "Call +1 202 555 0147."
"""Detected once at start: the first detection loads lists and metadata, which no request should wait for."""

Step = Callable[[str], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What may leave (``rows``) and what stays: the sanitised request, its pieces, its cost and the way back.

    ``conversation`` is the opaque name under which its draws are remembered.
    """

    conversation: bytes
    request: Mapping[str, Any]
    pieces: tuple[tuple[Piece, ...], ...]
    ids: tuple[int, ...]
    rows: Rows
    epsilon: float
    originals: Mapping[str, str]
    ambiguous: frozenset[str]

    @property
    def sent_text(self) -> str:
        """The sanitised text of every segment, as the engine could read it from the rows."""
        return "\n".join("".join(piece.sent for piece in pieces) for pieces in self.pieces)


class Pipeline:
    """The enclave's work on one bundle under one policy.

    ``key`` (32 bytes) is the enclave's own; ``rows_for`` replaces the plain row look-up, say by an oblivious one.
    """

    def __init__(
        self,
        bundle: Bundle,
        policy: Policy,
        detectors: Sequence[Detector],
        store: Store,
        key: bytes,
        rows_for: Embed = embed,
    ) -> None:
        self.bundle = bundle
        self.policy = policy
        self._detectors = tuple(detectors)
        self._store = store
        self._cipher = MemoCipher(key)
        self._rows_for = rows_for
        detect_all(_WARM, self._detectors)

    def prepare(
        self,
        request: Mapping[str, Any],
        *,
        tenant: str,
        conversation: str,
        max_tokens: int | None,
        step: Step = nullcontext,
    ) -> Prepared:
        """Everything that happens to a request before it is sent. ``request`` is an OpenAI chat or completion body.

        ``max_tokens`` None leaves the answer what the prompt leaves of the context.

        When this returns, every new draw is remembered and charged durably. Raises :class:`ContextLengthError` if
        prompt and ``max_tokens`` do not fit, :class:`DetectorError`, :class:`BudgetExhaustedError`,
        :class:`UnsupportedContentError`; then nothing was charged.
        """
        scope = self._cipher.conversation(tenant, conversation)
        with step("detect"):
            found = segments(request)
            texts = [s.text for s in found]
            spans = [
                detect_all(s.text, self._detectors, s.private) if self.policy.entities else () for s in found
            ]
        with step("sanitise"):
            planned = plan(found, spans, self.policy, self.bundle.table)
            known = self._store.recall(scope)
            fresh = draw(planned, known, self.bundle.table, self._cipher, scope)
            sealed = {**known, **{key: made.sealed for key, made in fresh.items()}}
            costs = {key: made.epsilon for key, made in fresh.items()}
            sanitised = apply(texts, planned, sealed, costs, self._cipher, scope)
        with step("tokenise"):
            sent_request, ids = self._tokenise(request, sanitised)
            self._check_length(ids, max_tokens)
        if fresh:
            with step("charge"):
                settled = self._store.commit(tenant, scope, fresh)
                raced = {key for key in fresh if settled[key] != fresh[key].sealed}
            if (
                raced
            ):  # another request of this conversation drew first: its draw counts, and was paid for there
                costs = {key: cost for key, cost in costs.items() if key not in raced}
                sanitised = apply(texts, planned, {**known, **settled}, costs, self._cipher, scope)
                sent_request, ids = self._tokenise(request, sanitised)
                self._check_length(ids, max_tokens)
        with step("embed"):
            rows = self._rows_for(self.bundle.rows, ids)
            if self.policy.row_noise is not None:
                noisy = noisy_bits(rows.unique, self.policy.row_noise, max_norm=self.bundle.manifest.max_norm)
                rows = Rows(noisy, rows.index)
        return Prepared(
            scope,
            sent_request,
            sanitised.pieces,
            tuple(ids),
            rows,
            sum(costs.values()),
            sanitised.originals,
            sanitised.ambiguous,
        )

    def restorer(self, prepared: Prepared) -> Restorer:
        """Turns surrogates in the streamed answer into the originals again."""
        return Restorer(prepared.originals, prepared.ambiguous)

    def _tokenise(
        self, request: Mapping[str, Any], sanitised: Sanitised
    ) -> tuple[Mapping[str, Any], list[int]]:
        sent = replace(request, sanitised.texts)
        tokeniser = self.bundle.tokeniser
        if "messages" in sent:
            return sent, tokeniser.encode_chat(sent["messages"], sent.get("tools"))
        return sent, tokeniser.encode_text(sent["prompt"])

    def _check_length(self, ids: Sequence[int], max_tokens: int | None) -> None:
        context = self.bundle.manifest.context
        answer = 1 if max_tokens is None else max_tokens
        if len(ids) + answer > context:
            raise ContextLengthError(
                f"The model's context is {context} tokens; the prompt has {len(ids)} and the answer may take {answer}.",
                hint="Shorten the prompt or lower max_tokens.",
            )
