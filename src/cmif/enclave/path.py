"""Which conversation a request continues: the path of its messages, found again when a client edits or drops some.

See :mod:`cmif.enclave.conversation` for what a path is and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cmif.enclave.conversation import Conversation, Who
from cmif.enclave.memo import Payer, Store
from cmif.enclave.messages import Message, messages_of
from cmif.enclave.nodes import Node, Nodes
from cmif.enclave.quote import plain
from cmif.enclave.segment import Segment
from cmif.errors import LaneError

_FORKS = 256
"""Nodes of other forks that are taken along; a client that forks more pays for the rest again."""
_ROOT, _RELAXED = b"root", b"relaxed root"


class Conversations:
    """Every conversation of one enclave. ``key`` (32 bytes) never leaves it. Safe to share between threads.

    ``relaxed``: those with an attested engine, under a level for such engines only.
    """

    def __init__(self, key: bytes, store: Store, *, relaxed: bool = False) -> None:
        self._nodes = Nodes(key, store)
        self._relaxed = relaxed

    def open(self, who: Who, segments: Sequence[Segment]) -> Conversation:
        """The conversation that these texts of a request belong to, with all it remembers.

        Raises :class:`LaneError` for one that an engine answered under a level that holds for attested ones only,
        where this is no such engine.
        """
        name = self._nodes.name
        user = "" if who.user is None else name(b"user", who.tenant, who.user).hex()
        root = name(_RELAXED if self._relaxed else _ROOT, who.tenant, user)
        messages = messages_of(segments)
        path, turns = self._walk(root, messages, who.conversation)
        nodes = self._nodes.recall(path)
        if who.conversation is None:
            lost = list(self._lost(root, messages, turns, nodes))
            if lost:  # earlier messages were edited or dropped: later ones know where they belong
                led = [_longest(found.paths) for found in self._nodes.recall(dict.fromkeys(lost)).values()]
                path = list(dict.fromkeys([*(node for former in led for node in former), *path]))
                nodes = self._nodes.recall(path)
        salt = name(b"salt", who.tenant, user).hex()[:32]
        named = who.conversation is not None

        def view() -> Conversation:
            payer = Payer(who.tenant, user, (*forks, *path))
            order = (*path, *forks)
            return Conversation(
                self._nodes, payer, salt, root, messages, turns, nodes, order, named=named, relaxed=self._relaxed
            )

        forks: list[bytes] = []
        found = view()
        if not self._relaxed:
            self._require_own(name(_RELAXED, who.tenant, user), who.conversation, messages, found)
        reached = found.recognised()
        while reached and len(forks) < _FORKS:
            reached = [n for node in reached for n in nodes[node].next if n not in nodes]
            nodes |= self._nodes.recall(reached)
            forks += reached
        return view() if forks else found

    def _require_own(
        self, relaxed: bytes, name: str | None, messages: Sequence[Message], found: Conversation
    ) -> None:
        """Raises :class:`LaneError` if an answer in the history, which ``found`` does not know as this lane's, may be
        of an engine that was told originals: one that answered here, or that gave this very text or call anywhere.
        """
        strange = found.strange()
        if not strange:
            return
        path, turns = self._walk(relaxed, messages, name)
        given = [self._nodes.given(relaxed, text) for m in strange for text in messages[m].telling()]
        nodes = self._nodes.recall(dict.fromkeys([*path, *given]))
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
        self, root: bytes, messages: Sequence[Message], name: str | None
    ) -> tuple[list[bytes], dict[int, bytes]]:
        """The path of a request's client-side messages, and for every message the node it belongs to. A conversation
        with a ``name`` has one node."""
        if name is not None:
            only = self._nodes.name(root, "named", name)
            return [only], dict.fromkeys(range(len(messages)), only)
        path: list[bytes] = []
        turns: dict[int, bytes] = {}
        for m, message in enumerate(messages):
            for step in message.steps():
                path.append(self._nodes.name(path[-1] if path else root, "then", step))
            if path:
                turns[m] = path[-1]
        if not path:
            path.append(self._nodes.name(root, "then", ""))
        return path, {m: turns.get(m, path[0]) for m in range(len(messages))}

    def _lost(
        self,
        root: bytes,
        messages: Sequence[Message],
        turns: Mapping[int, bytes],
        nodes: Mapping[bytes, Node],
    ) -> Iterator[bytes]:
        """Names of what may lead back to the path that a request's messages had: an exchange whose question is new to
        the path that it has now, an answer that was not given there, a call of a tool by the name that only it has.
        """
        for m, message in enumerate(messages):
            node = nodes.get(turns[m])
            if message.client and not _known(node):
                if m + 1 < len(messages) and messages[m + 1].role == "assistant":
                    yield self._nodes.pair(root, message.text, messages[m + 1].text)
            elif message.role == "assistant" and not _gave(node, message):
                yield self._nodes.pair(root, "", message.text)
            else:
                continue
            yield from (self._nodes.call(root, call) for call in message.calls())

def _known(node: Node | None) -> bool:
    return node is not None and bool(node.draws or node.texts or node.answers)


def _gave(node: Node | None, message: Message) -> bool:
    if node is None:
        return False
    said = {a.plain for texts in node.answers.values() for a in texts}
    return any(plain(segment.text) in said for segment in message.segments)


def _longest(paths: set[tuple[bytes, ...]]) -> tuple[bytes, ...]:
    """The path that all the others are parts of; none if they are of several conversations."""
    longest = max(paths, key=len, default=())
    return longest if all(set(path) <= set(longest) for path in paths) else ()


def _other_lane() -> LaneError:
    return LaneError(
        "This conversation holds an answer of an attested engine, which was told more than this one may be.",
        hint="Begin a new conversation, or leave out its answers.",
    )
