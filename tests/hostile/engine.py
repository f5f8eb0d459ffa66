"""An engine that reads what reaches it and writes what it is told: the adversary of the hostile tests.

It is the real engine's HTTP face with another model behind it: rows are turned back into ids by exact look-up in the
client half's own table, as any engine can, ids into text, and a script says what to answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cmif.enclave.bundle import Bundle
from cmif.gateway.bundles import open_bundle
from cmif.wire.events import DoneEvent, TokenEvent
from cmif.wire.frame import Frame, IdsFrame
from cmif_server.engine.app import make_app
from cmif_server.engine.engine import EngineInfo
from tests.servers import serving

Script = Callable[["Seen"], str]


@dataclass(frozen=True)
class Seen:
    """One request as the engine reads it: the whole prompt, special tokens included, and how many came before it."""

    prompt: str
    number: int
    salt: str
    max_tokens: int
    schema: str = ""

    def messages(self) -> list[tuple[str, str]]:
        """Role and content of each message, under the tiny model's template."""
        out = []
        for part in self.prompt.split("<|end|>"):
            head, _, content = part.removeprefix("<|bos|>").removeprefix("<|").partition("|>")
            out.append((head, content))
        return [(role, content) for role, content in out if role != "assistant" or content]


@dataclass
class ScriptedEngine:
    """The engine's protocol over a script. ``seen`` is all that ever reached it."""

    bundle: Bundle
    script: Script
    seen: list[Seen] = field(default_factory=list)
    ids: list[list[int]] = field(default_factory=list)
    closed_early: int = 0

    def __post_init__(self) -> None:
        manifest = self.bundle.manifest
        vocab, hidden = self.bundle.rows.shape
        self.info = EngineInfo(manifest.model, hidden, manifest.context, vocab, manifest.max_norm, schemas=True)
        self._id_of = {row.tobytes(): i for i, row in enumerate(np.ascontiguousarray(self.bundle.rows))}
        self._tokenizer = self.bundle.tokeniser._tokenizer

    def hold(self, schema: str) -> None:
        """Nothing: the script reads the schema itself."""

    def generate(self, request: Frame | IdsFrame, held: None = None) -> AsyncIterator[TokenEvent | DoneEvent]:
        assert isinstance(request, Frame)
        distinct = [self._id_of[row.tobytes()] for row in np.ascontiguousarray(request.rows.unique)]
        ids = [distinct[i] for i in request.rows.index]
        self.ids.append(ids)
        prompt = self._tokenizer.decode(ids, skip_special_tokens=False)
        seen = Seen(prompt, len(self.seen), request.salt, request.sampling.max_tokens, request.sampling.schema)
        self.seen.append(seen)
        return self._events(self.script(seen), len(ids))

    async def _events(self, text: str, prompt: int) -> AsyncIterator[TokenEvent | DoneEvent]:
        ids = self.bundle.tokeniser.pieces(text)
        done = False
        try:
            for i in range(0, len(ids), 7):
                yield TokenEvent(tuple(ids[i : i + 7]))
                await asyncio.sleep(0)
            done = True
            yield DoneEvent("stop", prompt, len(ids))
        finally:
            self.closed_early += not done

    async def close(self) -> None:
        pass


@contextmanager
def scripted(split: Path, script: Script) -> Iterator[tuple[str, ScriptedEngine]]:
    """Its URL and itself."""
    engine = ScriptedEngine(open_bundle(split / "client"), script)
    with serving(make_app(engine)) as url:  # type: ignore[arg-type]
        yield url, engine
