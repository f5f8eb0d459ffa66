"""The nodes of conversations: open in memory, named by keyed digests and sealed in the store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

from cmif.enclave.memo import Entry, MemoCipher, Payer, Row, Store
from cmif.enclave.quote import Answer, plain
from cmif.types import Kind, Piece

_OPEN = 4096
"""Nodes kept open in memory; a node that was put out is read and opened again."""

Name = tuple[str, str]
"""What a draw is known by: its kind (or class of word) and the value that all its spellings share."""

Entries = dict[bytes, tuple[bytes, object, float]]
"""What to remember, by key: the node, the value, the epsilon that it costs."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One draw: ``sent`` stands for a value first ``written`` so. ``epsilon`` is what it costs when it is made."""

    kind: Kind
    written: str
    sent: str
    epsilon: float = 0.0


@dataclass(slots=True)
class Node:
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

    def copy(self) -> Node:
        """As it is now, for a request that goes on while others add to it."""
        return Node(
            self.seen,
            dict(self.draws),
            dict(self.texts),
            {},
            dict(self.answers),
            set(self.paths),
            dict(self.next),
        )

    def remember(self, value: object) -> None:
        """Take up a value that was committed for this node."""
        match value:
            case {"draw": [str() as group, str() as of, str() as kind, str() as written, str() as sent]}:
                self.draws[(group, of)] = Drawn(Kind(kind), written, sent)
            case {"text": list() as pieces, "of": str() as digest}:
                kept = tuple(Piece(text, sent, kind, 0.0) for text, sent, kind in pieces)
                self.texts.setdefault(bytes.fromhex(digest), kept)
            case {"answer": [str() as response, int() as index, list() as runs]}:
                texts = self.runs.setdefault(response, {})
                texts.setdefault(index, []).extend((raw, text) for raw, text in runs)
                self.answers[response] = [Answer(whole) for _, whole in sorted(texts.items())]
            case {"next": str() as node}:
                self.next[bytes.fromhex(node)] = None
            case {"path": list() as path}:
                self.paths.add(tuple(bytes.fromhex(step) for step in path))


class Nodes:
    """Every node of one enclave. ``key`` (32 bytes) never leaves it. Safe to share between threads."""

    def __init__(self, key: bytes, store: Store) -> None:
        self._cipher = MemoCipher(key)
        self._store = store
        self._open: OrderedDict[bytes, Node] = OrderedDict()
        self._lock = Lock()

    def name(self, of: bytes, *parts: str) -> bytes:
        """The keyed digest of ``parts`` under ``of``: the name of a node, or the key of an entry."""
        return self._cipher.name(of, *parts)

    def pair(self, root: bytes, asked: str, answer: str) -> bytes:
        """The name of an exchange, or of an answer alone (``asked`` "")."""
        return self.name(root, "pair", asked, plain(answer))

    def call(self, root: bytes, call: str) -> bytes:
        """The name of a call of a tool, by its id."""
        return self.name(root, "call", call)

    def given(self, root: bytes, text: str) -> bytes:
        """The name of an answer, or of a call's id, whatever was asked."""
        return self.name(root, "given", plain(text))

    def recall(self, wanted: Iterable[bytes]) -> dict[bytes, Node]:
        """What each node remembers now, copies of it."""
        wanted = list(wanted)
        with self._lock:
            nodes = {node: self._open.get(node) or Node() for node in wanted}
            for node, rows in self._store.recall({n: nodes[n].seen for n in wanted}).items():
                for row in rows:
                    self._take(nodes[node], row)
            for node, held in nodes.items():
                self._open[node] = held
                self._open.move_to_end(node)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
            return {node: held.copy() for node, held in nodes.items()}

    def _take(self, node: Node, row: Row) -> None:
        node.seen = max(node.seen, row.id)
        node.remember(self._cipher.open(row.key, row.sealed))

    def commit(self, payer: Payer, entries: Entries) -> dict[bytes, object]:
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
