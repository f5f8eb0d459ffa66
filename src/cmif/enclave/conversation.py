"""One conversation's memory, all of it inside the enclave: its name, its draws, its originals, what the engine wrote.

A conversation is a path of nodes, one a message that the client's side wrote (user, tool): each is named by a keyed
digest of the one before it and the message's own text, under the tenant and the end user. So a re-sent history finds
its memory, whatever a clock in the system prompt says and however the client cut or edited the answers; a retry, a
regeneration and a fork share the nodes of the messages they share; and two strangers share nothing but messages that
both wrote word for word from the first on. If a client edits or drops early messages, the pair of a later message and
the answer it got leads back to the path that it had, as does an answer alone that says a value; and whatever followed
an answer that no stranger can have is one client's, so that later edits and forks share their draws. A client that
names its conversation has one node for it.

Two rules keep what it protects:

1. What the engine wrote goes back to it as it wrote it (:meth:`Conversation.known`): never detected, drawn or charged.
2. Whatever was private once is private in every later text of every role, whatever surrounds it
   (:meth:`Conversation.originals`, searched by :class:`~cmif.enclave.finder.Finder`), and a text that was sent once
   is sent the same way again.

Under a level that is relaxed for an attested engine there is a memory of its own: what went to such an engine is
nothing that another one has seen. A conversation that such an engine answered goes on with no other
(:class:`LaneError`): its answers are made of originals, in forms that no detector knows, should somebody have asked it
for that.

What an ADAPTIVE engine, which chooses its answers to learn from the next request, can learn of a value beyond the
sanitised texts themselves: nothing from an answer that comes back whole, trimmed, cut, re-wrapped, sorted or without
its markup, since what it receives is a function of what it wrote and of what the client kept. An engine that writes
candidates for a value gets them back as candidates. Left open, and stated in docs/threat-model.md: words that the
client itself puts into another message (a summary by another model, a quote of fewer than six words), where equality
with a value shows as it does for anything the client types; and two regenerated answers that read the same to the
client but were written differently, of which the later one is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cmif.enclave.memo import Payer
from cmif.enclave.messages import SURE, Message, message_of
from cmif.enclave.nodes import Drawn, Entries, Name, Node, Nodes
from cmif.enclave.originals import Original
from cmif.enclave.quote import Answer, edited, plain, quoted
from cmif.enclave.response import Response
from cmif.enclave.segment import Segment
from cmif.types import Kind, Piece

_OF_ENGINE, _OF_CLIENT = 3, 6
"""Words in a row that make a quote: in a message of the engine's role that is no edit of one answer (one word is enough
in such), and in one of the client's."""
_ENTITIES = frozenset(kind.value for kind in Kind) - {Kind.WORD.value}


@dataclass(frozen=True, slots=True)
class Who:
    """Whose request it is. ``user`` and ``conversation`` are the client's own names, None if it gave none."""

    tenant: str
    user: str | None = None
    conversation: str | None = None


class Conversation:
    """One request's view of its conversation. ``salt`` separates tenants and end users in the engine's prefix cache;
    ``turn`` and ``before`` are opaque names of this turn and the one before it, for a session of rows.
    """

    def __init__(
        self,
        memory: Nodes,
        payer: Payer,
        salt: str,
        root: bytes,
        messages: Sequence[Message],
        turns: Mapping[int, bytes],
        nodes: Mapping[bytes, Node],
        order: Sequence[bytes],
        *,
        named: bool,
        relaxed: bool,
    ) -> None:
        self.salt = salt
        self.turn = payer.path[-1]
        self.before = payer.path[-2] if len(payer.path) > 1 else self.turn if named else None
        self._memory = memory
        self._relaxed = relaxed
        self._payer = payer
        self._root = root
        self._messages = messages
        self._turns = turns
        self._nodes = nodes
        self._order = order  # the path itself before its forks
        self.prompt = bool(messages) and messages[0].role == "prompt"
        self._private: set[str] = set()  # paths of texts of which a value is replaced
        self._drawn: dict[Name, Drawn] = {}
        for node in reversed(order):
            self._drawn.update(nodes[node].draws)
        self._quotes = {m: self._quoted(m) for m, message in enumerate(messages) if message.role == "assistant"}
        self._all = [a for node in order for texts in nodes[node].answers.values() for a in texts]

    def recognised(self) -> list[bytes]:
        """The nodes of the path from the first whose answer the request re-sends, if it is one that no stranger can
        have got by chance: whatever followed them is this client's.
        """
        for m, texts in self._quotes.items():
            if any(len(answer.words) >= SURE for answer in texts.values()):
                return list(self._payer.path[self._payer.path.index(self._turns[m]) :])
        return []

    def known(self, segment: Segment) -> tuple[Piece, ...] | None:
        """How this text was sent before, or what the engine wrote in its place; None for a text that is new."""
        pieces = self._sent_before(segment)
        self._note(segment, pieces or ())
        return pieces

    def _note(self, segment: Segment, pieces: Sequence[Piece]) -> None:
        if any(piece.kind in _ENTITIES for piece in pieces):
            self._private.add(segment.path)

    def _sent_before(self, segment: Segment) -> tuple[Piece, ...] | None:
        m = message_of(segment)
        if m in self._quotes and (answer := self._quotes[m].get(segment.path)):
            return _pieces(answer)
        digest = self._digest(segment)
        for node in self._order:
            if (pieces := self._nodes[node].texts.get(digest)) is not None:
                return pieces
        if m not in self._quotes and len(segment.text) > 12:
            return next((_pieces(a) for a in self._all if a.plain == plain(segment.text)), None)
        return None

    def stretches(
        self, segment: Segment, own: Sequence[tuple[int, int]] = ()
    ) -> tuple[tuple[int, int, str | None], ...]:
        """A new text in stretches ``(start, end, raw)``: what the engine wrote for it, None for the client's own.
        ``own``: what is the client's whatever the engine wrote.
        """
        if not self._all:
            return ((0, len(segment.text), None),)
        m, of = message_of(segment), None
        if m in self._quotes and segment.prose:
            here = [a for texts in self._nodes[self._turns[m]].answers.values() for a in texts]
            of = edited(segment.text, here) or edited(segment.text, self._all)
        least = _OF_ENGINE if m in self._quotes else _OF_CLIENT
        out, at = [], 0
        for stretch in quoted(segment.text, self._all, least, own, of):
            out.append((at, at + len(stretch.text), stretch.raw))
            at += len(stretch.text)
        return tuple(out)

    def drawn(self, name: Name) -> Drawn | None:
        return self._drawn.get(name)

    def draws(self) -> Iterable[Name]:
        """Everything that a draw is remembered of."""
        return self._drawn.keys()

    def kinds(self) -> dict[str, Kind]:
        """The kind under which each value was drawn for first: one value has one surrogate."""
        out: dict[str, Kind] = {}
        for (group, value), drawn in self._drawn.items():
            if drawn.kind is not Kind.WORD and group == drawn.kind.value:
                out.setdefault(value, drawn.kind)
        return out

    def originals(self) -> list[Original]:
        """Every value of this conversation that something else was sent for."""
        return [Original(d.kind, d.written, d.sent) for d in self._drawn.values() if d.written != d.sent]

    def surrogates(self) -> set[str]:
        """What new surrogates must differ from."""
        return {drawn.sent for drawn in self._drawn.values()}

    def settle(self, fresh: Mapping[Name, tuple[Segment, int, Drawn]]) -> tuple[dict[Name, Drawn], float]:
        """Charge and remember new draws, each at the text and the place in it that first need it.

        What counts for each, and the cost.

        Where another request of this conversation drew first, its draw counts and was paid for there. Raises
        :class:`BudgetExhaustedError`, :class:`LedgerError`; then nothing was charged.
        """
        entries: Entries = {}
        names: dict[bytes, Name] = {}
        for name, (segment, at, drawn) in fresh.items():
            node = self._node(segment, at)
            key = self._memory.name(node, "draw", *name)
            made = {"draw": [*name, drawn.kind.value, drawn.written, drawn.sent]}
            entries[key], names[key] = (node, made, drawn.epsilon), name
        settled = self._memory.commit(self._payer, entries) if entries else {}
        out: dict[Name, Drawn] = {}
        cost = 0.0
        for key, value in settled.items():
            drawn, ours = fresh[names[key]][2], value is entries[key][1]
            if not ours:
                drawn = _alone(value).draws[names[key]]
            cost += drawn.epsilon if ours else 0.0
            out[names[key]] = drawn
        self._drawn.update(out)
        return out, cost

    def keep(self, written: Mapping[int, tuple[Segment, tuple[Piece, ...]]]) -> dict[int, tuple[Piece, ...]]:
        """Remember how new texts are sent; the way that counts for each, should another request have been first."""
        entries: Entries = {}
        places: dict[int, bytes] = {}
        for i, (segment, pieces) in written.items():
            self._note(segment, pieces)
            node, digest = self._node(segment), self._digest(segment).hex()
            key = self._memory.name(node, "text", digest)
            entries[key] = (node, {"text": [[p.text, p.sent, p.kind] for p in pieces], "of": digest}, 0.0)
            places[i] = key
        if entries and self.before not in (None, self.turn):
            entries |= self._followed()
        settled = self._memory.commit(self._payer, entries) if entries else {}
        out = {}
        for i, key in places.items():
            if settled[key] is entries[key][1]:
                out[i] = written[i][1]
            else:
                (out[i],) = _alone(settled[key]).texts.values()
        return out

    def _followed(self) -> Entries:
        """That this turn's message followed the one before it, for a later version of it to know."""
        assert self.before is not None
        key = self._memory.name(self.before, "next", self.turn.hex())
        return {key: (self.before, {"next": self.turn.hex()}, 0.0)}

    def strange(self) -> list[int]:
        """Places of the messages that hold an engine's answer, if any, which is not known here: those of its role with
        a text that it did not write, and a completion's prompt.
        """
        return [
            m
            for m, message in enumerate(self._messages)
            if message.role == "prompt"
            or (m in self._quotes and {s.path for s in message.segments if s.text.strip()} - self._quotes[m].keys())
        ]

    def response(self) -> Response:
        """Where what the engine now writes is remembered."""
        asked = next((message for message in reversed(self._messages) if message.client), None)
        told = asked is not None and any(segment.path in self._private for segment in asked.segments)
        return Response(
            self._memory, self._payer, self._root, asked, prompt=self.prompt, told=told, relaxed=self._relaxed
        )

    def _node(self, segment: Segment, at: int = 0) -> bytes:
        """The node that a text belongs to; of a completion's growing prompt, the line's."""
        path = self._payer.path
        if segment.role == "prompt":
            return path[min(segment.text.count("\n", 0, at), len(path) - 1)]
        m = message_of(segment)
        return path[0] if m is None else self._turns.get(m, path[0])

    def _digest(self, segment: Segment) -> bytes:
        marks = ",".join(f"{s.start}-{s.end}" for s in segment.private)
        side = "engine" if segment.role == "assistant" else "client"
        return self._memory.name(self._root, "text", side, str(segment.prose), marks, segment.text)

    def _quoted(self, m: int) -> dict[str, Answer]:
        """For an assistant message's texts, by path: the answer that each one is, of the response that fits best."""
        wanted = [(s.path, plain(s.text)) for s in self._messages[m].segments]
        best: dict[str, Answer] = {}
        for node in [self._turns[m], *self._order]:
            for texts in self._nodes[node].answers.values():
                left, fits = list(texts), {}
                for path, text in wanted:
                    found = next((a for a in left if a.plain == text), None)
                    if found is not None:
                        left.remove(found)
                        fits[path] = found
                if fits and len(fits) >= len(best):
                    best = fits
            if best:
                break
        return best


def _pieces(answer: Answer) -> tuple[Piece, ...]:
    return tuple(Piece(text, raw, "answer", 0.0) for raw, text in answer.runs)


def _alone(value: object) -> Node:
    """A node that remembers nothing but ``value``."""
    node = Node()
    node.remember(value)
    return node
