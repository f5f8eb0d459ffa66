"""What the engine writes, remembered while it writes it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from cmif.enclave.memo import Payer
from cmif.enclave.messages import Message, telling
from cmif.enclave.nodes import Entries, Nodes


class Response:
    """One answer in the making; :meth:`wrote` may be called while it streams, so that a crash loses little of it."""

    def __init__(
        self, nodes: Nodes, payer: Payer, root: bytes, asked: Message | None, *, prompt: bool, told: bool, relaxed: bool
    ) -> None:
        """``asked``: the client's last message; ``told``: its question alone leads back here; ``prompt``: it is a
        completion's."""
        self._nodes = nodes
        self._payer = payer
        self._root = root
        self._asked = asked
        self._told = told
        self._relaxed = relaxed
        # A completion's last line is not the same line once the answer follows it: the line before stays.
        self._node = payer.path[-2 if prompt and len(payer.path) > 1 else -1]
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
        nodes, root, path = self._nodes, self._root, self._payer.path
        entries = self._part(0, runs)
        leads = [nodes.pair(root, "", text)] if self._restored and text.strip() else []
        if self._asked and (self._restored or self._told or telling(text)):
            leads.append(nodes.pair(root, self._asked.text, text))
        steps = [step.hex() for step in path]
        if self._relaxed:
            leads += [nodes.given(root, given) for given in (*calls, *telling(text))]
        for node in (*leads, *(nodes.call(root, call) for call in calls)):
            entries[nodes.name(node, "path", *steps)] = (node, {"path": steps}, 0.0)
        self._commit(entries)

    def _part(self, index: int, runs: Sequence[tuple[str, str]]) -> Entries:
        if not runs:
            return {}
        self._restored = self._restored or any(raw != text for raw, text in runs)
        part = self._parts[index] = self._parts.get(index, -1) + 1
        key = self._nodes.name(self._node, "answer", self._id, str(index), str(part))
        return {key: (self._node, {"answer": [self._id, index, [list(r) for r in runs]]}, 0.0)}

    def _commit(self, entries: Entries) -> None:
        if entries:
            self._nodes.commit(self._payer, entries)
