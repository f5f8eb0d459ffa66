"""A request on one screen: segments -> spans -> units -> text -> token ids -> settled draws -> embedding rows.

Each step is entered once, on frozen values; what it remembers belongs to the :class:`Conversation`. Nothing here reads
a clock, a file or a socket; the gateway lends a :class:`~cmif.enclave.memo.Store` for what must be durable and a
``step`` context to time with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from cmif.enclave.bundle import Bundle
from cmif.enclave.conversation import Conversation, Who
from cmif.enclave.cover import Covers
from cmif.enclave.detect import Detector
from cmif.enclave.draft import Drafts, reckoned_in
from cmif.enclave.embed import Embed, embed
from cmif.enclave.memo import Store
from cmif.enclave.originals import Original
from cmif.enclave.path import Conversations
from cmif.enclave.persons import initialled
from cmif.enclave.policy import PrivacyPolicy
from cmif.enclave.restore import Restorer
from cmif.enclave.segment import Segment, replace, segments
from cmif.errors import ContextLengthError
from cmif.privacy.cover import order
from cmif.types import Kind, Piece
from cmif.wire.rows import Rows

_WARM = "Call 202 555 0147 or write on 3 May 2024 to Anna Berg in Turin."
"""Prepared once at start: the first detection loads lists and metadata, which no request should wait for."""

Step = Callable[[str], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Variants:
    """``lengths`` in tokens of the K rows of a covered request, in the order of the frame; ``true``: the place of the
    true one, a secret.
    """

    lengths: tuple[int, ...]
    true: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """What may leave (``rows``) and what stays: the sanitised texts, their cost, the conversation and the way back.

    ``ids`` are the true row's where there are ``variants``, and ``rows`` those of all of them.
    """

    conversation: Conversation
    request: Mapping[str, Any]
    pieces: tuple[tuple[Piece, ...], ...]
    ids: tuple[int, ...]
    rows: Rows
    epsilon: float
    variants: Variants | None = None

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt that the engine is to answer."""
        return max(self.variants.lengths) if self.variants else len(self.ids)

    @property
    def sent_text(self) -> str:
        """The text of every segment as the engine could read it from the rows."""
        return "\n".join("".join(piece.sent for piece in pieces) for pieces in self.pieces)


class Pipeline:
    """The enclave's work on one bundle under one policy.

    ``key`` (32 bytes) is the enclave's own; ``rows_for`` replaces the plain row look-up, say by an oblivious one.
    ``attested``: the engine's attestation is required before anything leaves, so that the policy's level for such
    engines holds (:attr:`policy` is then that one).
    """

    def __init__(
        self,
        bundle: Bundle,
        policy: PrivacyPolicy,
        detectors: Sequence[Detector],
        store: Store,
        key: bytes,
        rows_for: Embed = embed,
        *,
        attested: bool = False,
    ) -> None:
        self.bundle = bundle
        relaxed = attested and policy.attested is not None
        self.policy = policy = policy.towards_attested() if relaxed else policy
        self._drafts = Drafts(policy, tuple(detectors), bundle.table)
        self._covers = Covers(policy.cover.k, policy.cover.words) if policy.cover else None
        self._conversations = Conversations(key, store, relaxed=relaxed)
        self._rows_for = rows_for
        self._drafts.detect(Segment(_WARM, "user", ""), ())

    def prepare(
        self,
        request: Mapping[str, Any],
        *,
        who: Who,
        max_tokens: int | None,
        step: Step = nullcontext,
        coverable: bool = False,
    ) -> Prepared:
        """Everything that happens to a request before it is sent. ``request`` is an OpenAI chat or completion body.

        ``max_tokens`` None leaves the answer what the prompt leaves of the context. ``coverable``: one plain answer is
        wanted, so that a policy's cover may be used.

        When this returns, every new draw is remembered and charged durably. Raises :class:`ContextLengthError` if
        prompt and ``max_tokens`` do not fit, :class:`DetectorError`, :class:`BudgetExhaustedError`,
        :class:`CoverError`, :class:`LaneError`, :class:`UnsupportedContentError`; then nothing was charged.
        """
        with step("recall"):
            texts = segments(request)
            conversation = self._conversations.open(who, texts)
        with step("detect"):
            draft = self._drafts.plan(texts, conversation)
        with step("sanitise"):
            covered = self._covers.of(draft, conversation, may=coverable) if self._covers else None
            draft = covered.draft if covered else draft
            fresh = self._drafts.draw(draft, conversation) | dict(covered.fresh if covered else {})
            written = draft.write(conversation, fresh)
        with step("tokenise"):
            sent, prompts = self._prompts(request, written, covered is not None)
            self._check_length(prompts, max_tokens)
        with step("charge"):
            settled, epsilon = conversation.settle(draft.placed(fresh))
            if settled != fresh:  # another request of this conversation drew first
                written = draft.write(conversation, settled)
            kept = conversation.keep({i: (texts[i], written[i]) for i in draft.new})
            counting = tuple(kept.get(i, pieces) for i, pieces in enumerate(written))
        if settled != fresh or counting != written:
            written = counting
            sent, prompts = self._prompts(request, written, covered is not None)
            self._check_length(prompts, max_tokens)
        variants: Variants | None = None
        true = 0
        if covered:
            shifts = order(len(prompts))
            prompts, true = [prompts[s] for s in shifts], shifts.index(0)
            variants = Variants(tuple(map(len, prompts)), true)
        with step("embed"):
            rows = self._rows_for(self.bundle.rows, [i for ids in prompts for i in ids])
        shown = draft.priced(written, settled)
        return Prepared(conversation, sent, shown, tuple(prompts[true]), rows, epsilon, variants)

    def count(self, request: Mapping[str, Any]) -> int:
        """Tokens of a chat as it was typed. Nothing is drawn, remembered or charged. Raises :class:`InputError`."""
        typed = replace(request, [segment.text for segment in segments(request)])
        return len(self.bundle.tokeniser.encode_chat(typed["messages"], typed.get("tools")))

    def restorer(self, prepared: Prepared, *, json: bool = False) -> Restorer:
        """Turns surrogates in the streamed answer into the originals again. ``json``: into strings of a JSON text."""
        covers = self._covers
        pieces = [p for row in prepared.pieces for p in row if covers is None or not covers.marks(p)]
        originals = dict.fromkeys(
            Original(Kind(p.kind), p.text, p.sent) for p in pieces if p.kind in _ENTITIES and p.text != p.sent
        )
        originals |= dict.fromkeys(initialled(prepared.pieces))
        kept = [p.text for p in pieces if p.kind == "text"]
        reckoned = reckoned_in(prepared.conversation)
        return Restorer(originals, ordinary=kept, json=json, hosts=self.policy.hosts, reckoned=reckoned)

    def _prompts(
        self, request: Mapping[str, Any], written: Sequence[Sequence[Piece]], covered: bool
    ) -> tuple[Mapping[str, Any], list[list[int]]]:
        """The request as it is written, and the ids of its one prompt, or of the row of every shift."""
        sent = replace(request, ["".join(piece.sent for piece in pieces) for pieces in written])
        if not covered or self._covers is None:
            return sent, [self._encode(sent)]
        texts = [self._covers.texts(written, shift) for shift in range(self._covers.k)]
        return sent, [self._encode(replace(request, row)) for row in texts]

    def _encode(self, sent: Mapping[str, Any]) -> list[int]:
        tokeniser = self.bundle.tokeniser
        if "messages" in sent:
            return tokeniser.encode_chat(sent["messages"], sent.get("tools"))
        return tokeniser.encode_text(sent["prompt"])

    def _check_length(self, prompts: Sequence[Sequence[int]], max_tokens: int | None) -> None:
        context = self.bundle.manifest.context
        answer = 1 if max_tokens is None else max_tokens
        longest = max(map(len, prompts))
        if longest + answer > context:
            raise ContextLengthError(
                f"This model's maximum context length is {context} tokens; the prompt has {longest} and the answer "
                f"may take {answer}.",
                hint="Shorten the prompt or lower max_tokens.",
            )


_ENTITIES = frozenset(Kind)
