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

import re
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from cmif.enclave.memo import Entry, MemoCipher, Payer, Row, Store
from cmif.enclave.originals import Original
from cmif.enclave.quote import Answer, edited, plain, quoted
from cmif.enclave.segment import Segment
from cmif.errors import LaneError
from cmif.types import Kind, Piece

_NODES = 4096
"""Nodes kept open in memory; a node that was put out is read and opened again."""
_OF_ENGINE, _OF_CLIENT = 3, 6
"""Words in a row that make a quote: in a message of the engine's role that is no edit of one answer (one word is enough
in such), and in one of the client's."""
_PAIR = 8
"""Words an answer must have for it and its question to lead back to their path, if neither says a value: a greeting is
anybody's."""
_FORKS = 256
"""Nodes of other forks that are taken along; a client that forks more pays for the rest again."""
_ENTITIES = frozenset(kind.value for kind in Kind) - {Kind.WORD.value}
_CALL = re.compile(r"\.tool_calls\[\d+\]\.id$|\.tool_call_id$")
_MESSAGE = re.compile(r"messages\[(\d+)\]")

_ROOT, _RELAXED = b"root", b"relaxed root"

Name = tuple[str, str]
"""What a draw is known by: its kind (or class of word) and the value that all its spellings share."""


@dataclass(frozen=True, slots=True)
class Who:
    """Whose request it is. ``user`` and ``conversation`` are the client's own names, None if it gave none."""

    tenant: str
    user: str | None = None
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """One draw: ``sent`` stands for a value first ``written`` so. ``epsilon`` is what it costs when it is made."""

    kind: Kind
    written: str
    sent: str
    epsilon: float = 0.0


@dataclass(slots=True)
class _Node:
    """What one node remembers, open. ``answers`` by response, oldest first, so that the later of two that fit alike is
    taken; ``runs`` what they are made of. ``paths``: where the exchange leads that a pair node stands for;
    ``next``: the messages that followed this one, in every fork."""

    seen: int = 0
    draws: dict[Name, Drawn] = field(default_factory=dict)
    texts: dict[bytes, tuple[Piece, ...]] = field(default_factory=dict)
    runs: dict[str, dict[int, list[tuple[str, str]]]] = field(default_factory=dict)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    paths: set[tuple[bytes, ...]] = field(default_factory=set)
    next: dict[bytes, None] = field(default_factory=dict)

    def copy(self) -> _Node:
        """As it is now, for a request that goes on while others add to it."""
        return _Node(
            self.seen,
            dict(self.draws),
            dict(self.texts),
            {},
            dict(self.answers),
            set(self.paths),
            dict(self.next),
        )


class Conversations:
    """Every conversation of one enclave. ``key`` (32 bytes) never leaves it. Safe to share between threads.

    ``relaxed``: those with an attested engine, under a level for such engines only.
    """

    def __init__(self, key: bytes, store: Store, *, relaxed: bool = False) -> None:
        self._cipher = MemoCipher(key)
        self._store = store
        self.relaxed = relaxed
        self._open: OrderedDict[bytes, _Node] = OrderedDict()
        self._lock = Lock()

    def open(self, who: Who, segments: Sequence[Segment]) -> Conversation:
        """The conversation that these texts of a request belong to, with all it remembers.

        Raises :class:`LaneError` for one that an engine answered under a level that holds for attested ones only,
        where this is no such engine.
        """
        cipher = self._cipher
        user = "" if who.user is None else cipher.name(b"user", who.tenant, who.user).hex()
        root = cipher.name(_RELAXED if self.relaxed else _ROOT, who.tenant, user)
        messages = _messages(segments)
        path, turns = self._walk(root, messages, who.conversation)
        nodes = self._recall(path)
        if who.conversation is None:
            lost = list(self._lost(root, messages, turns, nodes))
            if lost:  # earlier messages were edited or dropped: later ones know where they belong
                led = [_longest(found.paths) for found in self._recall(dict.fromkeys(lost)).values()]
                path = list(dict.fromkeys([*(node for former in led for node in former), *path]))
                nodes = self._recall(path)
        salt = cipher.name(b"salt", who.tenant, user).hex()[:32]
        named = who.conversation is not None

        def view() -> Conversation:
            payer = Payer(who.tenant, user, (*forks, *path))
            return Conversation(self, payer, salt, root, messages, turns, nodes, (*path, *forks), named=named)

        forks: list[bytes] = []
        found = view()
        if not self.relaxed:
            self._require_own(cipher.name(_RELAXED, who.tenant, user), who.conversation, messages, found)
        reached = found.recognised()
        while reached and len(forks) < _FORKS:
            reached = [n for node in reached for n in nodes[node].next if n not in nodes]
            nodes |= self._recall(reached)
            forks += reached
        return view() if forks else found

    def _require_own(
        self, relaxed: bytes, name: str | None, messages: Sequence[_Message], found: Conversation
    ) -> None:
        """Raises :class:`LaneError` if an answer in the history, which ``found`` does not know as this lane's, may be
        of an engine that was told originals: one that answered here, or that gave this very text or call anywhere.
        """
        strange = found.strange()
        if not strange:
            return
        path, turns = self._walk(relaxed, messages, name)
        given = [self._given(relaxed, text) for m in strange for text in _given(messages[m])]
        nodes = self._recall(dict.fromkeys([*path, *given]))
        for m in strange:
            message = messages[m]
            if message.role == "prompt":  # what follows the line that was answered
                lines = message.steps()
                after = {node: plain("\n".join(lines[i + 1 :])) for i, node in enumerate(path)}
            else:
                after = {turns[m]: ""}
            for node, said in after.items():
                answers = [a.plain for texts in nodes[node].answers.values() for a in texts]
                if any(a and a in said for a in answers) if message.role == "prompt" else answers:
                    raise _other_lane()
        if any(nodes[node].paths for node in given):
            raise _other_lane()

    def _walk(
        self, root: bytes, messages: Sequence[_Message], name: str | None
    ) -> tuple[list[bytes], dict[int, bytes]]:
        """The path of a request's client-side messages, and for every message the node it belongs to. A conversation
        with a ``name`` has one node."""
        if name is not None:
            only = self._cipher.name(root, "named", name)
            return [only], dict.fromkeys(range(len(messages)), only)
        path: list[bytes] = []
        turns: dict[int, bytes] = {}
        for m, message in enumerate(messages):
            for step in message.steps():
                path.append(self._cipher.name(path[-1] if path else root, "then", step))
            if path:
                turns[m] = path[-1]
        if not path:
            path.append(self._cipher.name(root, "then", ""))
        return path, {m: turns.get(m, path[0]) for m in range(len(messages))}

    def _lost(
        self,
        root: bytes,
        messages: Sequence[_Message],
        turns: Mapping[int, bytes],
        nodes: Mapping[bytes, _Node],
    ) -> Iterator[bytes]:
        """Names of what may lead back to the path that a request's messages had: an exchange whose question is new to
        the path that it has now, an answer that was not given there, a call of a tool by the name that only it has.
        """
        for m, message in enumerate(messages):
            node = nodes.get(turns[m])
            if message.client and not _known(node):
                if m + 1 < len(messages) and messages[m + 1].role == "assistant":
                    yield self._pair_of(root, message.text, messages[m + 1].text)
            elif message.role == "assistant" and not _gave(node, message):
                yield self._pair_of(root, "", message.text)
            else:
                continue
            yield from (self._call_of(root, s.text) for s in message.segments if _CALL.search(s.path))

    def _pair_of(self, root: bytes, asked: str, answer: str) -> bytes:
        """The name of an exchange, or of an answer alone (``asked`` "")."""
        return self._cipher.name(root, "pair", asked, plain(answer))

    def _call_of(self, root: bytes, call: str) -> bytes:
        return self._cipher.name(root, "call", call)

    def _given(self, root: bytes, text: str) -> bytes:
        """The name of an answer, or of a call's id, whatever was asked."""
        return self._cipher.name(root, "given", plain(text))

    def _recall(self, wanted: Iterable[bytes]) -> dict[bytes, _Node]:
        wanted = list(wanted)
        with self._lock:
            nodes = {node: self._open.get(node) or _Node() for node in wanted}
            for node, rows in self._store.recall({n: nodes[n].seen for n in wanted}).items():
                for row in rows:
                    self._take(nodes[node], row)
            for node, held in nodes.items():
                self._open[node] = held
                self._open.move_to_end(node)
            while len(self._open) > _NODES:
                self._open.popitem(last=False)
            return {node: held.copy() for node, held in nodes.items()}

    def _take(self, node: _Node, row: Row) -> None:
        node.seen = max(node.seen, row.id)
        self._remember(node, self._cipher.open(row.key, row.sealed))

    @staticmethod
    def _remember(node: _Node, value: object) -> None:
        match value:
            case {"draw": [str() as group, str() as of, str() as kind, str() as written, str() as sent]}:
                node.draws[(group, of)] = Drawn(Kind(kind), written, sent)
            case {"text": list() as pieces, "of": str() as digest}:
                kept = tuple(Piece(text, sent, kind, 0.0) for text, sent, kind in pieces)
                node.texts.setdefault(bytes.fromhex(digest), kept)
            case {"answer": [str() as response, int() as index, list() as runs]}:
                texts = node.runs.setdefault(response, {})
                texts.setdefault(index, []).extend((raw, text) for raw, text in runs)
                node.answers[response] = [Answer(whole) for _, whole in sorted(texts.items())]
            case {"next": str() as node_}:
                node.next[bytes.fromhex(node_)] = None
            case {"path": list() as path}:
                node.paths.add(tuple(bytes.fromhex(step) for step in path))

    def _commit(self, payer: Payer, entries: Mapping[bytes, tuple[bytes, object, float]]) -> dict[bytes, object]:
        """Remember ``entries``: key to (node, value, epsilon). The value that counts for each key, ours or earlier."""
        sealed = {
            key: Entry(node, self._cipher.seal(key, value), epsilon)
            for key, (node, value, epsilon) in entries.items()
        }
        settled = self._store.commit(payer, sealed)
        return {
            key: value if settled[key] == sealed[key].sealed else self._cipher.open(key, settled[key])
            for key, (_, value, _) in entries.items()
        }


class Conversation:
    """One request's view of its conversation. ``salt`` separates tenants and end users in the engine's prefix cache;
    ``turn`` and ``before`` are opaque names of this turn and the one before it, for a session of rows.
    """

    def __init__(
        self,
        of: Conversations,
        payer: Payer,
        salt: str,
        root: bytes,
        messages: Sequence[_Message],
        turns: Mapping[int, bytes],
        nodes: Mapping[bytes, _Node],
        order: Sequence[bytes],
        *,
        named: bool,
    ) -> None:
        self.salt = salt
        self.turn = payer.path[-1]
        self.before = payer.path[-2] if len(payer.path) > 1 else self.turn if named else None
        self._of = of
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
            if any(len(answer.words) >= _PAIR for answer in texts.values()):
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
        m = _message_of(segment)
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
        m, of = _message_of(segment), None
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
        cipher = self._of._cipher
        entries: dict[bytes, tuple[bytes, object, float]] = {}
        names: dict[bytes, Name] = {}
        for name, (segment, at, drawn) in fresh.items():
            node = self._node(segment, at)
            key = cipher.name(node, "draw", *name)
            made = {"draw": [*name, drawn.kind.value, drawn.written, drawn.sent]}
            entries[key], names[key] = (node, made, drawn.epsilon), name
        settled = self._of._commit(self._payer, entries) if entries else {}
        out: dict[Name, Drawn] = {}
        cost = 0.0
        for key, value in settled.items():
            drawn, ours = fresh[names[key]][2], value is entries[key][1]
            if not ours:
                memory = _Node()
                self._of._remember(memory, value)
                drawn = memory.draws[names[key]]
            cost += drawn.epsilon if ours else 0.0
            out[names[key]] = drawn
        self._drawn.update(out)
        return out, cost

    def keep(self, written: Mapping[int, tuple[Segment, tuple[Piece, ...]]]) -> dict[int, tuple[Piece, ...]]:
        """Remember how new texts are sent; the way that counts for each, should another request have been first."""
        entries: dict[bytes, tuple[bytes, object, float]] = {}
        places: dict[int, bytes] = {}
        for i, (segment, pieces) in written.items():
            self._note(segment, pieces)
            node, digest = self._node(segment), self._digest(segment).hex()
            key = self._of._cipher.name(node, "text", digest)
            entries[key] = (node, {"text": [[p.text, p.sent, p.kind] for p in pieces], "of": digest}, 0.0)
            places[i] = key
        if entries and self.before not in (None, self.turn):
            entries |= self._followed()
        settled = self._of._commit(self._payer, entries) if entries else {}
        out = {}
        for i, key in places.items():
            if settled[key] is entries[key][1]:
                out[i] = written[i][1]
            else:
                memory = _Node()
                self._of._remember(memory, settled[key])
                (out[i],) = memory.texts.values()
        return out

    def _followed(self) -> dict[bytes, tuple[bytes, object, float]]:
        """That this turn's message followed the one before it, for a later version of it to know."""
        assert self.before is not None
        key = self._of._cipher.name(self.before, "next", self.turn.hex())
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

    def protects(self, message: _Message) -> bool:
        """Whether something of a message of this request is sent as a surrogate."""
        return any(segment.path in self._private for segment in message.segments)

    def response(self) -> Response:
        """Where what the engine now writes is remembered."""
        return Response(self)

    def _node(self, segment: Segment, at: int = 0) -> bytes:
        """The node that a text belongs to; of a completion's growing prompt, the line's."""
        path = self._payer.path
        if segment.role == "prompt":
            return path[min(segment.text.count("\n", 0, at), len(path) - 1)]
        m = _message_of(segment)
        return path[0] if m is None else self._turns.get(m, path[0])

    def _digest(self, segment: Segment) -> bytes:
        marks = ",".join(f"{s.start}-{s.end}" for s in segment.private)
        side = "engine" if segment.role == "assistant" else "client"
        return self._of._cipher.name(self._root, "text", side, str(segment.prose), marks, segment.text)

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


class Response:
    """One answer in the making; :meth:`wrote` may be called while it streams, so that a crash loses little of it."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._id = secrets.token_hex(8)
        self._parts: dict[int, int] = {}
        self._restored = False

    def wrote(self, index: int, runs: Sequence[tuple[str, str]]) -> None:
        """The engine wrote ``runs`` more of text ``index``: pairs (what it wrote, what its reader gets)."""
        self._commit(self._part(index, runs))

    def done(self, text: str, runs: Sequence[tuple[str, str]] = (), calls: Sequence[str] = ()) -> None:
        """With ``runs`` more of text 0 all of it was written, and read as ``text``: from now on the exchange leads back
        to this path, and so do by themselves an answer that says a value and the ids of ``calls`` of tools, since
        clients drop the oldest messages.
        """
        conversation = self._conversation
        of, path = conversation._of, conversation._payer.path
        entries = self._part(0, runs)
        asked = next((m for m in reversed(conversation._messages) if m.client), None)
        root = conversation._root
        leads = [of._pair_of(root, "", text)] if self._restored and text.strip() else []
        if asked and (self._restored or len(text.split()) >= _PAIR or conversation.protects(asked)):
            leads.append(of._pair_of(root, asked.text, text))
        steps = [step.hex() for step in path]
        if of.relaxed:
            leads += [of._given(root, given) for given in (*calls, *_telling(text))]
        for node in (*leads, *(of._call_of(root, call) for call in calls)):
            entries[of._cipher.name(node, "path", *steps)] = (node, {"path": steps}, 0.0)
        self._commit(entries)

    def _part(self, index: int, runs: Sequence[tuple[str, str]]) -> _Entries:
        if not runs:
            return {}
        self._restored = self._restored or any(raw != text for raw, text in runs)
        of, path = self._conversation._of, self._conversation._payer.path
        part = self._parts[index] = self._parts.get(index, -1) + 1
        # A completion's last line is not the same line once the answer follows it: the line before stays.
        grows = self._conversation.prompt and len(path) > 1
        node = path[-2 if grows else -1]
        key = of._cipher.name(node, "answer", self._id, str(index), str(part))
        return {key: (node, {"answer": [self._id, index, [list(r) for r in runs]]}, 0.0)}

    def _commit(self, entries: _Entries) -> None:
        if entries:
            self._conversation._of._commit(self._conversation._payer, entries)


_Entries = dict[bytes, tuple[bytes, object, float]]


@dataclass(frozen=True, slots=True)
class _Message:
    role: str
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        return "\0".join(segment.text for segment in self.segments)

    @property
    def client(self) -> bool:
        return self.role in ("user", "tool", "function", "prompt")

    def steps(self) -> list[str]:
        """What this message adds to the path. A completion's prompt grows at its end: each line is a step."""
        if not self.client:
            return []
        if self.role != "prompt":
            return [f"{self.role}\0{self.text}"]
        lines = self.text.split("\n")
        return [*lines[:_LINES], "\n".join(lines[_LINES:])] if len(lines) > _LINES else lines


_LINES = 256


def _messages(segments: Sequence[Segment]) -> list[_Message]:
    """The request's messages in order; a completion's prompt is one, texts outside messages belong to none."""
    found: OrderedDict[int, list[Segment]] = OrderedDict()
    for segment in segments:
        m = _message_of(segment)
        if m is not None:
            found.setdefault(m, []).append(segment)
    return [_Message(found[m][0].role, tuple(found[m])) if m in found else _Message("", ()) for m in _filled(found)]


def _given(message: _Message) -> list[str]:
    """What may name an answer alone: its ids of calls, and its texts that nobody else can have got by chance."""
    texts = [s.text for s in message.segments]
    return [s.text for s in message.segments if _CALL.search(s.path)] + [t for text in texts for t in _telling(text)]


def _telling(text: str) -> list[str]:
    return [text] if len(text.split()) >= _PAIR else []


def _other_lane() -> LaneError:
    return LaneError(
        "This conversation holds an answer of an attested engine, which was told more than this one may be.",
        hint="Begin a new conversation, or leave out its answers.",
    )


def _filled(found: Mapping[int, object]) -> range:
    return range(max(found, default=-1) + 1)


def _message_of(segment: Segment) -> int | None:
    if segment.role == "prompt":
        return 0
    match = _MESSAGE.match(segment.path)
    return int(match.group(1)) if match else None


def _known(node: _Node | None) -> bool:
    return node is not None and bool(node.draws or node.texts or node.answers)


def _gave(node: _Node | None, message: _Message) -> bool:
    if node is None:
        return False
    said = {a.plain for texts in node.answers.values() for a in texts}
    return any(plain(segment.text) in said for segment in message.segments)


def _longest(paths: set[tuple[bytes, ...]]) -> tuple[bytes, ...]:
    """The path that all the others are parts of; none if they are of several conversations."""
    longest = max(paths, key=len, default=())
    return longest if all(set(path) <= set(longest) for path in paths) else ()


def _pieces(answer: Answer) -> tuple[Piece, ...]:
    return tuple(Piece(text, raw, "answer", 0.0) for raw, text in answer.runs)
