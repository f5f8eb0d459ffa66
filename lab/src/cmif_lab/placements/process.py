"""Servers of placements as processes of their own, stopped by their process id."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import Any

from cmif.errors import EngineUnavailableError


class ServerProcess:
    """``python -m ARGUMENTS``, started at once; it prints one JSON line when it is ready."""

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )
        self._name = arguments[0]

    @cached_property
    def told(self) -> dict[str, Any]:
        """Its ready line, waited for. Raises :class:`EngineUnavailableError` if it ends first; what it said is on our
        standard error."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EngineUnavailableError(
                f"`{self._name}` ended with status {self._process.wait()} before it was ready."
            )
        told: dict[str, Any] = json.loads(line)
        return told

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """Ask it to end, and make it after a minute: vLLM needs its time, and killing it would orphan its children."""
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
