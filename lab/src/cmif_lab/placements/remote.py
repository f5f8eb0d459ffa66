"""`plain` and `cmif`: one HTTP request to the engine, ids or rows up, events down, over a kept connection."""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import numpy as np

from cmif.errors import EngineError, EngineUnavailableError
from cmif.types import Sampling
from cmif.wire.events import DoneEvent, ErrorEvent, EventReader
from cmif.wire.frame import CONTENT_TYPE, Frame, IdsFrame, encode
from cmif.wire.rows import Rows
from cmif_lab.placements.placement import Outcome

_IDLE_S = 30.0  # a connection that was idle for longer may have been closed by the engine


class Remote:
    """An engine at ``url`` that serves ``model``. ``codec`` None sends ids (`plain`), otherwise rows in that codec."""

    def __init__(self, url: str, model: str, codec: str | None) -> None:
        parts = urlsplit(url)
        self.name = "plain" if codec is None else "cmif"
        self._model, self._codec = model, codec
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=3600)
        self._used = time.monotonic()

    def run(self, ids: Sequence[int], rows: Rows, new: int) -> Outcome:
        """As :meth:`Placement.run`. Raises :class:`EngineError` when the engine refuses or breaks off."""
        if time.monotonic() - self._used > _IDLE_S:
            self._connection.close()
        if self._connection.sock is None:
            self._open()  # before the clock starts: a deployed client keeps its connection
        started = time.perf_counter()
        sampling = Sampling(max_tokens=new)
        if self._codec is None:
            data = encode(IdsFrame(self._model, np.array(ids, np.int32), sampling))
        else:
            data = encode(Frame(self._model, rows, sampling), self._codec)
        encoded = time.perf_counter()
        try:
            self._connection.request("POST", "/v1/generate", data, {"content-type": CONTENT_TYPE})
            return self._read(started, encoded, len(data))
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise EngineUnavailableError("The engine does not answer.") from None
        finally:
            self._used = time.monotonic()

    def _open(self) -> None:
        try:
            self._connection.connect()
        except OSError:
            raise EngineUnavailableError("The engine does not answer.") from None

    def _read(self, started: float, encoded: float, up: int) -> Outcome:
        answer = self._connection.getresponse()
        if answer.status != 200:
            answer.read()
            raise EngineError(f"The engine refused the request with status {answer.status}.")
        reader, first, down = EventReader(), 0.0, 0
        out: list[int] = []
        done: DoneEvent | None = None
        while chunk := answer.read1(65536):
            down += len(chunk)
            for event in reader.feed(chunk):
                if isinstance(event, ErrorEvent):
                    raise EngineError(f"The engine stopped with code {event.code}.")
                if isinstance(event, DoneEvent):
                    done = event
                else:
                    first = first or time.perf_counter()
                    out += event.ids
        ended = time.perf_counter()
        if done is None:
            raise EngineError("The engine's answer was cut off.")
        encode_ms, total_ms = (encoded - started) * 1e3, (ended - started) * 1e3
        steps = {
            "encode": encode_ms,
            "engine": done.engine_ms,
            "network": total_ms - encode_ms - done.engine_ms,
        }
        return Outcome(tuple(out), (first - started) * 1e3, total_ms, 1, up, down, steps)

    def close(self) -> None:
        self._connection.close()
