"""The processes of a benchmark: engine, placement servers, delaying proxies; started when needed, stopped
by their id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from cmif_lab.bench.client import Client
from cmif_lab.bench.machine import cpu_seconds
from cmif_lab.placements import Placement
from cmif_lab.placements.process import ServerProcess
from cmif_lab.placements.remote import Remote
from cmif_lab.placements.strict import Strict


class Fleet:
    """Servers of the body at ``body``. The engine stays up; of the other placements' servers and models,
    one at a time."""

    def __init__(self, body: Path, engine: str, client: Client) -> None:
        self._body, self._client = body, client
        self._engine = ServerProcess("cmif", "serve", str(body), "--port", "0", "--backend", engine)
        self._proxies: dict[tuple[int, float], ServerProcess] = {}
        self._role = ""
        self._server: ServerProcess | None = None
        self._kept: tuple[str, Any] = ("", None)

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self._engine, self._server, *self._proxies.values()):
            if process is not None:
                process.stop()

    def cpu_seconds(self) -> float:
        """CPU time that the servers have used so far, proxies left out."""
        return sum(
            cpu_seconds(process.pid) for process in (self._engine, self._server) if process is not None
        )

    @contextmanager
    def connect(
        self, names: Sequence[str], count: int, rtt_ms: float, wire: str
    ) -> Iterator[dict[str, list[Placement]]]:
        """``count`` connections of each placement, ``rtt_ms`` away."""
        with ExitStack() as stack:
            made: dict[str, list[Placement]] = {name: [] for name in names}
            for name in names:
                for _ in range(count):
                    made[name].append(self._open(name, rtt_ms, wire))
                    stack.callback(made[name][-1].close)
            yield made

    def _open(self, name: str, rtt_ms: float, wire: str) -> Placement:
        if name in ("plain", "cmif"):
            port = urlsplit(self._engine.told["url"]).port
            assert port is not None
            url = f"http://127.0.0.1:{self._away(port, rtt_ms)}"
            return Remote(url, self._client.model, None if name == "plain" else wire)
        if name == "cmif-strict":
            return Strict(self._away(self._port("strict"), rtt_ms), self._client.rows)
        if name == "enclave-only":
            from cmif_lab.placements.local import EnclaveOnly

            self._port("")
            return EnclaveOnly(self._model(name))
        from cmif_lab.placements.offload import Offload

        return Offload(self._away(self._port("offload"), rtt_ms), self._model(name))

    def _port(self, role: str) -> int:
        """The port of the server for ``role``; the one before it is stopped."""
        if role != self._role:
            if self._server is not None:
                self._server.stop()
            self._role, self._server = role, None
            if role:
                self._server = ServerProcess("cmif_lab.placements.server", role, str(self._body))
        return int(self._server.told["port"]) if self._server is not None else 0

    def _model(self, name: str) -> Any:
        """What of the model ``name`` keeps in this process, loaded once; the one before it is dropped."""
        if self._kept[0] != name:
            from cmif_lab.placements.offload import OffloadModel
            from cmif_server.engine.transformers import load_model

            self._kept = ("", None)
            if name == "enclave-only":
                self._kept = (name, load_model(self._body))
            else:
                self._kept = (name, OffloadModel(self._body, fused=name.endswith("fused")))
        return self._kept[1]

    def _away(self, port: int, rtt_ms: float) -> int:
        """``port`` as it looks from ``rtt_ms`` away."""
        if not rtt_ms:
            return port
        if (port, rtt_ms) not in self._proxies:
            arguments = ("--target", str(port), "--rtt-ms", str(rtt_ms))
            self._proxies[port, rtt_ms] = ServerProcess("cmif_lab.bench.proxy", *arguments)
        return int(self._proxies[port, rtt_ms].told["port"])
