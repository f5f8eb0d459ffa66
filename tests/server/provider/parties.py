"""A provider and enclaves of one forged vendor, wired together without sockets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cmif.attest.evidence import TeeKind
from cmif.attest.messages import Grant, config_digest
from cmif.attest.prove.exchange import KeyExchange, Want
from cmif.attest.prove.produce import ConfigfsTsm, Producer
from cmif.attest.verify.appraise import Roots, verify
from cmif.attest.verify.policy import AppraisalPolicy
from cmif.attest.verify.suggest import policy_for
from cmif_server.provider.record import Record
from cmif_server.provider.release import DenyList, Offer, Releaser, Rules
from tests.unit.attest.fakes import FakeTsm
from tests.unit.attest.forge_snp import Amd

BUNDLE, OTHER = "b1" * 32, "b2" * 32
CONFIG = config_digest({"level": "sensitive"})
KEY = hashlib.sha256(b"content key").digest()
PIN = "ab" * 32


@dataclass
class Clock:
    """A clock that tests move."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Parties:
    """One provider offering ``BUNDLE`` and ``OTHER``, and enclaves whose evidence its policy accepts."""

    folder: Path
    allow_simulated: bool = False
    amd: Amd = field(default_factory=Amd)
    clock: Clock = field(default_factory=lambda: Clock(datetime.now(UTC).timestamp()))
    monotonic: Clock = field(default_factory=Clock)
    terms: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.roots = Roots(amd=self.amd.roots)
        self.producer: Producer = ConfigfsTsm(
            TeeKind.SNP, chain=self.amd.chain, files=FakeTsm(self.amd.report, provider=b"sev_guest\n")
        )
        text = policy_for(verify(self.producer.produce(bytes(64)), self._time(), self.roots))
        self.policy = replace(AppraisalPolicy.parse(text), config_digests=frozenset({CONFIG.hex()}))
        self.deny = self.folder / "deny.txt"
        self.deny.write_text("# nothing yet\n")
        self.record_path = self.folder / "record.jsonl"
        self.signing_key = Ed25519PrivateKey.generate()
        self.releaser = self.provider()

    def _time(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now, UTC)

    def provider(self, key: Ed25519PrivateKey | None = None, epoch: int = 1) -> Releaser:
        offers = {}
        for bundle in (BUNDLE, OTHER):
            grant = Grant(bundle, epoch, 0, 600, (PIN,), 2.0, 1, 0)
            offers[bundle] = Offer(KEY, replace(grant, **self.terms))
        return Releaser(
            key or self.signing_key,
            offers,
            Rules(self.policy, self.allow_simulated, roots=self.roots),
            Record(self.record_path),
            DenyList(self.deny),
            self.clock,
        )

    def enclave(
        self, bundle: str = BUNDLE, config: bytes = CONFIG, producer: Producer | None = None
    ) -> KeyExchange:
        want = Want(self.releaser.public, bundle, 1, config)
        return KeyExchange(want, producer or self.producer, self.monotonic)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.record_path.read_text("utf-8").splitlines()]
