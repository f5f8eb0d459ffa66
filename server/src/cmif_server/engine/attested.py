"""An engine that runs in a TEE: what it says of itself, in the words that a gateway uses of itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.routing import Route

from cmif.attest.evidence import REPORT_DATA_BYTES, TeeKind
from cmif.attest.prove import nvidia
from cmif.attest.prove.produce import Producer, producer
from cmif.attest.prove.route import attestation_route
from cmif.attest.simulated import LABEL
from cmif.attest.subject import Subject


@dataclass(frozen=True, slots=True)
class EngineTee:
    """The platform that gives an engine's evidence, with its vendor's signed files (Intel's ``collateral``, AMD's
    ``chain``); the digest of its settings; SHA-256 (hex) of the TLS key that it made for itself; and the program that
    collects the GPUs' evidence, where they have any (``nvattest``)."""

    kind: TeeKind
    config: bytes
    tls_spki: str
    collateral: Path | None = None
    chain: tuple[Path, ...] = ()
    nvattest: Path | None = None

    def producer(self) -> Producer:
        """Raises :class:`InputError` for a file that cannot be read."""
        return producer(self.kind, collateral=self.collateral, chain=self.chain)

    def require(self) -> None:
        """Whatever keeps this machine from giving evidence is an error now, not at the first question. Raises
        :class:`InputError` for a file, :class:`AttestationError` for the platform."""
        self.producer().produce(bytes(REPORT_DATA_BYTES))

    def route(self, model: str) -> Route:
        """``GET /attestation`` of an engine that serves the split ``model``."""
        gpus = partial(nvidia.collect, self.nvattest) if self.nvattest else None
        return attestation_route(self.producer(), Subject(self.config.hex(), model, self.tls_spki), gpus=gpus)

    def told(self) -> dict[str, str]:
        """What the engine prints of it when it is ready."""
        warning = {"warning": LABEL} if self.kind is TeeKind.SIMULATED else {}
        return {"tee": str(self.kind), "config_digest": self.config.hex(), "tls_spki": self.tls_spki, **warning}

    def text(self) -> str:
        """For the process that becomes the engine; :meth:`parse` reads it there."""
        files = [str(p.absolute()) if p else "" for p in (self.nvattest, self.collateral, *self.chain)]
        return json.dumps([str(self.kind), self.config.hex(), self.tls_spki, *files])

    @classmethod
    def parse(cls, text: str) -> EngineTee:
        kind, config, spki, *files = json.loads(text)
        nvattest, collateral, *chain = (Path(file) if file else None for file in files)
        return cls(TeeKind(kind), bytes.fromhex(config), spki, collateral, tuple(filter(None, chain)), nvattest)
