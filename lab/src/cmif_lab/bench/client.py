"""The client's side of a measured request: the enclave's own pipeline with its durable ledger, each step
timed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cmif.enclave.conversation import Who
from cmif.enclave.pipeline import Pipeline, Prepared
from cmif.enclave.policy import PrivacyPolicy, detectors_for
from cmif.gateway.bundles import open_bundle
from cmif.gateway.metrics import Stopwatch
from cmif.gateway.store import SqliteStore
from cmif_lab.bench.prompts import prose


class Client:
    """An enclave on the client bundle at ``bundle`` under ``policy``; its ledger lies in ``state``."""

    def __init__(self, bundle: Path, policy: str, state: Path) -> None:
        opened = open_bundle(bundle)
        chosen = PrivacyPolicy.named(policy)
        self._store = SqliteStore(state / "ledger.sqlite")
        self.pipeline = Pipeline(opened, chosen, detectors_for(chosen), self._store, os.urandom(32))
        self.name, self.model, self.hidden = (
            opened.manifest.name,
            opened.manifest.model,
            opened.manifest.hidden,
        )
        self.rows = opened.rows
        self._conversations = 0

    def words_for(self, tokens: int) -> int:
        """How many words of prose make about ``tokens`` tokens once sanitised; draws are random, so about."""
        words = tokens
        for _ in range(3):
            words = max(1, round(words * tokens / len(self.prepare(words)[0].ids)))
        return words

    def prepare(self, words: int, start: int = 0) -> tuple[Prepared, dict[str, float]]:
        """A new conversation that opens with ``words`` words from word ``start`` on, and the time of each
        step."""
        watch = Stopwatch()
        self._conversations += 1
        prepared = self.pipeline.prepare(
            {"prompt": prose(words, start)},
            who=Who("bench", conversation=str(self._conversations)),
            max_tokens=None,
            step=watch,
        )
        return prepared, watch.steps_ms

    def restore(self, prepared: Prepared, ids: Sequence[int]) -> dict[str, float]:
        """Time to turn an answer into text and to restore that, token by token as it would stream."""
        watch = Stopwatch()
        stream, restorer = self.pipeline.bundle.tokeniser.stream(), self.pipeline.restorer(prepared)
        with watch("detokenise"):
            texts = [*map(stream.feed, ids), stream.finish()]
        with watch("restore"):
            for text in texts:
                restorer.feed(text)
            restorer.finish()
        return watch.steps_ms

    def close(self) -> None:
        self._store.close()
