"""The simulated TEE: only the separate distribution `cmif-simulated-tee` can make its evidence, or read it.

It protects nothing. A production install does not have it, so it cannot accept simulated evidence even by mistake.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Protocol, cast

from cmif.errors import AttestationError

ENTRY_POINT_GROUP = "cmif.tee"
LABEL = "SIMULATED (not a TEE: protects nothing)"


class SimulatedTee(Protocol):
    """What the distribution's entry point offers."""

    def verify(self, data: bytes) -> tuple[str, str, bytes]:
        """Measurement (hex), device public key (hex) and report data; raises `ValueError` for a bad signature."""
        ...

    def produce(self, report_data: bytes) -> bytes:
        """Signed simulated evidence over 64 bytes of report data, after hardening this process."""
        ...


def load() -> SimulatedTee:
    """The installed simulated TEE. Raises :class:`AttestationError` where it is not installed, as in production."""
    found = entry_points(group=ENTRY_POINT_GROUP, name="simulated")
    if not found:
        raise AttestationError(
            "The simulated TEE is not installed.",
            check="simulated",
            expected="a genuine TEE",
            seen="simulated",
            hint="For development: pip install ./simulated-tee",
        )
    return cast(SimulatedTee, next(iter(found)).load())
