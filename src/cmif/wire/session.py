"""A dictionary of rows already sent, kept by both sides of a session, so that a row crosses the wire once.

Both sides apply the same frames in the same order to the same least-recently-used slots, so they agree
without talking about it: a frame names the slots it recalls, and its new rows take the slots that
:class:`_Slots` says. A frame counts only once the engine has accepted it (HTTP 200). Where the two sides
disagree (the engine restarted, or forgot the session, or two requests crossed) the engine answers 409
`unknown_rows`, changes nothing, and the client starts a new session by sending every row again.

What it tells the engine beyond the rows themselves: that frames belong to one session. Use one per
conversation.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np

from cmif.bf16 import U16
from cmif.errors import UnknownRowsError, WireError
from cmif.wire.frame import Frame, IdsFrame, Limits, Parsed, Section, encode, parse
from cmif.wire.rows import Rows

CAPACITY = 4096  # rows a session remembers; part of the wire format, since both sides evict by it


@dataclass(slots=True)
class _Slots:
    """Least-recently-used slot numbers. Deterministic: the same frames give the same slots on both sides."""

    order: OrderedDict[int, None] = field(default_factory=OrderedDict)

    def apply(self, recalled: Sequence[int], fresh: int) -> list[int]:
        """Touch ``recalled``, then give slots to as many of ``fresh`` new rows as fit beside them, in their
        order."""
        for slot in recalled:
            self.order.move_to_end(slot)
        given = []
        for _ in range(min(fresh, CAPACITY - len(recalled))):
            slot = len(self.order) if len(self.order) < CAPACITY else self.order.popitem(last=False)[0]
            self.order[slot] = None
            given.append(slot)
        return given


@dataclass(frozen=True, slots=True)
class Pending:
    """An encoded frame, not yet counted. ``data`` is what to send."""

    data: bytes
    session: bytes
    sequence: int
    recalled: tuple[int, ...]
    fresh: tuple[bytes, ...]


class SessionEncoder:
    """The client's side. One a conversation; not thread-safe.

    ``encode``, send, then ``commit`` on HTTP 200, or ``reset`` and encode again on 409 `unknown_rows` and
    after any failure that leaves it open whether the engine accepted the frame.
    """

    def __init__(self, codec: str = "bf16+zstd") -> None:
        self._codec = codec
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame opens a new session and sends every row."""
        self._session, self._sequence = os.urandom(16), 0
        self._slots = _Slots()
        self._slot_of: dict[bytes, int] = {}
        self._row_in: dict[int, bytes] = {}

    def encode(self, frame: Frame) -> Pending:
        """``frame`` with only the rows that the session has not seen. Errors: as `wire.frame.encode`."""
        keys = [sha256(row).digest() for row in frame.rows.unique]
        known = [i for i, key in enumerate(keys) if key in self._slot_of][:CAPACITY]
        chosen = set(known)
        new = [i for i in range(len(keys)) if i not in chosen]
        place = np.empty(len(keys), np.int32)
        place[known + new] = np.arange(len(keys), dtype=np.int32)
        recalled = tuple(self._slot_of[keys[i]] for i in known)
        sent = replace(frame, rows=Rows(frame.rows.unique[new], place[frame.rows.index]))
        section = Section(self._session, self._sequence, np.array(recalled, np.int32))
        return Pending(encode(sent, self._codec, section), self._session, self._sequence, recalled,
                       tuple(keys[i] for i in new))  # fmt: skip

    def commit(self, pending: Pending) -> None:
        """The engine accepted ``pending``. A frame that another one has overtaken resets the session."""
        if (pending.session, pending.sequence) != (self._session, self._sequence):
            self.reset()
            return
        self._sequence += 1
        for key, slot in zip(
            pending.fresh, self._slots.apply(pending.recalled, len(pending.fresh)), strict=False
        ):
            if (old := self._row_in.get(slot)) is not None:
                del self._slot_of[old]
            self._row_in[slot], self._slot_of[key] = key, slot


@dataclass(slots=True)
class _Dictionary:
    sequence: int
    slots: _Slots
    rows: U16  # [used, hidden], grows to CAPACITY

    @property
    def held_bytes(self) -> int:
        """Its rows, and generously what Python keeps beside them: tiny sessions by the million must count too."""
        return self.rows.nbytes + 256 * len(self.rows) + 4096


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A whole frame, and what its session will remember of it once it is accepted."""

    frame: Frame | IdsFrame
    parsed: Parsed


class SessionStore:
    """The engine's side: every session's dictionary, at most ``max_bytes`` together, least recently used first out.

    A session belongs to the salt it was opened with, so that no tenant can recall another's rows. Not
    thread-safe.
    """

    def __init__(self, max_bytes: int = 512 << 20) -> None:
        self._max_bytes = max_bytes
        self._sessions: OrderedDict[tuple[str, bytes], _Dictionary] = OrderedDict()
        self.held_bytes = 0

    def receive(self, data: bytes, limits: Limits) -> Received:
        """Any frame, recalled rows filled in. Changes nothing. Errors: as `wire.frame.decode`, and
        :class:`UnknownRowsError` when the session is not at this frame's sequence number."""
        parsed = parse(data, limits)
        frame, section = parsed.frame, parsed.section
        if section is None or isinstance(frame, IdsFrame):
            return Received(frame, parsed)
        dictionary = self._find(frame, section)
        if len(section.slots) == 0:
            return Received(frame, parsed)
        if dictionary is None or section.slots.max() >= len(dictionary.rows):
            raise UnknownRowsError("the session holds no such rows", hint="Send every row again.")
        if len(np.unique(section.slots)) != len(section.slots):
            raise WireError("a row is recalled twice")
        unique = np.concatenate([dictionary.rows[section.slots], frame.rows.unique])
        whole = replace(frame, rows=Rows(unique, frame.rows.index))
        return Received(whole, parsed)

    def accept(self, received: Received) -> None:
        """Remember the frame's rows. Call it when nothing can refuse the frame any more. Raises
        :class:`UnknownRowsError`, changing nothing, when another frame of the session was accepted in
        between."""
        frame, section = received.parsed.frame, received.parsed.section
        if section is None or isinstance(frame, IdsFrame):
            return
        fresh = frame.rows.unique
        dictionary = self._find(frame, section)
        if dictionary is None:
            dictionary = _Dictionary(0, _Slots(), np.empty((0, fresh.shape[1]), np.uint16))
        else:
            self.held_bytes -= dictionary.held_bytes
        given = dictionary.slots.apply(section.slots.tolist(), len(fresh))
        used = len(dictionary.slots.order)
        if used > len(dictionary.rows):
            dictionary.rows = np.concatenate(
                [dictionary.rows, np.empty((used - len(dictionary.rows), fresh.shape[1]), np.uint16)]
            )
        dictionary.rows[given] = fresh[: len(given)]
        dictionary.sequence += 1
        key = (frame.salt, section.session)
        self._sessions[key] = dictionary
        self._sessions.move_to_end(key)
        self.held_bytes += dictionary.held_bytes
        while self.held_bytes > self._max_bytes:
            self.held_bytes -= self._sessions.popitem(last=False)[1].held_bytes

    def _find(self, frame: Frame, section: Section) -> _Dictionary | None:
        """The session's dictionary, None for one that this frame opens."""
        dictionary = self._sessions.get((frame.salt, section.session))
        if (dictionary.sequence if dictionary else 0) != section.sequence:
            raise UnknownRowsError("the session is not known at this point", hint="Send every row again.")
        return dictionary
