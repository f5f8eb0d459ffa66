"""The enclave's side of a key release: answer a challenge with evidence, open the grant, keep the lease.

No socket here: the gateway carries the messages. The host's clock is not trusted: time is counted since boot, suspended
time included, from before the challenge was asked for, so that a lease ends sooner rather than later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cmif.attest.hpke import KeyPair
from cmif.attest.messages import (
    Challenge,
    Grant,
    Request,
    decode,
    malformed,
    open_signed,
    report_data,
    transcript,
)
from cmif.attest.prove.produce import Producer
from cmif.errors import AttestationError

Clock = Callable[[], float]


def since_boot() -> float:
    """Seconds since boot. A suspended machine's time counts, where the platform tells (Linux)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class Want:
    """What an enclave asks for: a bundle and epoch from the provider whose raw Ed25519 key its image carries."""

    provider: bytes
    bundle: str
    epoch: int
    config: bytes


@dataclass(frozen=True, slots=True)
class Lease:
    """Until when, on the clock since boot, the provider lets this gateway serve."""

    until: float
    grant: Grant
    clock: Clock = since_boot

    def remaining_s(self) -> float:
        return self.until - self.clock()

    def now(self) -> datetime:
        """The provider's time, which the host cannot set: when it granted, and what has passed since it was asked, so
        at most the exchange's own minute ahead."""
        passed = self.clock() - (self.until - self.grant.lease_s)
        return datetime.fromtimestamp(self.grant.issued + passed, UTC)

    def require(self) -> None:
        """Raises :class:`AttestationError` (check ``lease``) once the lease has run out."""
        if self.remaining_s() <= 0:
            raise AttestationError(
                "The provider's lease has run out.",
                check="lease",
                expected=f"a grant younger than {self.grant.lease_s} s",
                seen="expired",
                hint="The gateway asks for a new one by itself; the provider refuses or is out of reach.",
            )


@dataclass(frozen=True, slots=True)
class Released:
    """The content key of the epoch, and the lease under which it may be used."""

    key: bytes
    lease: Lease


class KeyExchange:
    """One exchange, used once: :meth:`request`, then :meth:`accept`. Its HPKE key dies with it."""

    def __init__(self, want: Want, producer: Producer, clock: Clock = since_boot) -> None:
        self._want = want
        self._producer = producer
        self._clock = clock
        self._started = clock()
        self._keys: KeyPair | None = KeyPair()
        self._challenge = b""
        self._evidence = b""
        self._ttl = 0

    def request(self, message: bytes) -> bytes:
        """The request that answers a challenge. Raises :class:`AttestationError` for another provider's, bundle's or
        epoch's challenge, and for a TEE that gives no evidence."""
        want = self._want
        body = open_signed(want.provider, "challenge", message)
        challenge = Challenge.parse(body)
        for check, expected, seen in (
            ("provider_signature", want.provider.hex(), challenge.provider.hex()),
            ("bundle", want.bundle, challenge.bundle),
            ("epoch", want.epoch, challenge.epoch),
        ):
            if seen != expected:
                raise AttestationError(
                    f"The challenge is for another {check}.", check=check, expected=expected, seen=seen
                )
        keys = self._require_keys()
        evidence = self._producer.produce(report_data(body, keys.public, want.config))
        self._challenge, self._evidence = body, evidence.data
        self._ttl = challenge.expires - challenge.issued
        return Request(body, want.bundle, keys.public, want.config, evidence).encode()

    def accept(self, message: bytes) -> Released:
        """The content key and lease. Raises :class:`AttestationError` for an answer that is late, not this provider's,
        not for this exchange, or for another bundle or epoch."""
        keys, self._keys = self._require_keys(), None
        elapsed = self._clock() - self._started
        if elapsed > self._ttl:
            raise AttestationError(
                "The provider's answer came too late.",
                check="late",
                expected=f"within {self._ttl} s",
                seen=f"{elapsed:.0f} s",
            )
        info = transcript(self._challenge, keys.public, self._evidence)
        sealed = open_signed(self._want.provider, "grant", message, info)
        try:
            opened = keys.open(sealed, info)
        except ValueError:
            raise AttestationError(
                "The grant is not for this enclave's key.",
                check="grant_key",
                expected="sealed to this exchange",
                seen=None,
            ) from None
        match decode(opened, "grant"):
            case {"v": 1, "key": bytes(key), "grant": body, **rest} if not rest:
                grant = Grant.parse(body)
            case _:
                raise malformed("grant")
        for check, expected, seen in (
            ("bundle", self._want.bundle, grant.bundle),
            ("epoch", self._want.epoch, grant.epoch),
        ):
            if seen != expected:
                raise AttestationError(
                    f"The grant is for another {check}.", check=check, expected=expected, seen=seen
                )
        return Released(key, Lease(self._started + grant.lease_s, grant, self._clock))

    def _require_keys(self) -> KeyPair:
        if self._keys is None:
            raise AttestationError(
                "An exchange is used once.", check="replay", expected="a fresh exchange", seen="used"
            )
        return self._keys
