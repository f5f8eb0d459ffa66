"""Arrays over a TCP socket, for the placements that talk every step. Loopback and benchmarks only: no authentication.

A message is a 20-byte header (operation, dtype, index, count, rows, columns, milliseconds of work) and the array.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmif.errors import EngineUnavailableError, WireError

_HEADER = struct.Struct("<BBHHxxIIf")
_DTYPES = (np.dtype("<f4"), np.dtype("<u2"), np.dtype("<i4"))  # float32, bf16 patterns, ids
_MAX_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """``op`` says what to do with ``array`` (2-D); ``index`` and ``count`` which layers; ``ms`` how long it took."""

    op: int
    array: NDArray[np.generic]
    index: int = 0
    count: int = 1
    ms: float = 0.0


class Channel:
    """One connection. Counts the bytes of both directions and the messages sent."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self.bytes_up = self.bytes_down = self.sent = 0

    @classmethod
    def connect(cls, port: int) -> Channel:
        """To ``port`` on the loopback. Raises :class:`EngineUnavailableError`."""
        try:
            return cls(socket.create_connection(("127.0.0.1", port), timeout=600))
        except OSError:
            raise EngineUnavailableError("The placement's server does not answer.") from None

    def send(self, message: Message) -> None:
        array = np.ascontiguousarray(message.array)
        rows, columns = array.shape
        head = _HEADER.pack(
            message.op, _DTYPES.index(array.dtype), message.index, message.count, rows, columns, message.ms
        )
        try:
            self._socket.sendall(head + array.tobytes())
        except OSError:
            raise EngineUnavailableError("The placement's server went away.") from None
        self.bytes_up += len(head) + array.nbytes
        self.sent += 1

    def receive(self) -> Message:
        """Raises :class:`EngineUnavailableError` at the end of the connection, :class:`WireError` for a bad header."""
        op, code, index, count, rows, columns, ms = _HEADER.unpack(self._read(_HEADER.size))
        if code >= len(_DTYPES) or rows * columns * _DTYPES[code].itemsize > _MAX_BYTES:
            raise WireError("a malformed message between placements")
        dtype = _DTYPES[code]
        array = np.frombuffer(self._read(rows * columns * dtype.itemsize), dtype).reshape(rows, columns)
        self.bytes_down += _HEADER.size + array.nbytes
        return Message(op, array, index, count, ms)

    def ask(self, message: Message) -> Message:
        """One round trip."""
        self.send(message)
        return self.receive()

    def close(self) -> None:
        self._socket.close()

    def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            try:
                got = self._socket.recv_into(view)
            except OSError:
                got = 0
            if not got:
                raise EngineUnavailableError("The placement's server went away.")
            view = view[got:]
        return data
