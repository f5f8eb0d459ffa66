"""The simulated TEE, seen from a verifier: only the separate distribution `cmif-simulated-tee` can read its evidence.

It protects nothing. A production install does not have it, so it cannot accept simulated evidence even by mistake.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Protocol, cast

from cmif.attest.evidence import Claims, Evidence, Need, TeeKind
from cmif.errors import AttestationError

ENTRY_POINT_GROUP = "cmif.tee"
LABEL = "SIMULATED (not a TEE: protects nothing)"
NEED = Need("tee", "simulated")


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


def verify(evidence: Evidence) -> Claims:
    """Claims of simulated evidence, labelled as such in the platform and the TCB status."""
    try:
        measurement, device, report_data = load().verify(evidence.data)
    except ValueError:
        raise AttestationError(
            "The simulated evidence is not signed by its device key.",
            check="signature",
            expected="a signed document",
            seen="not",
        ) from None
    return Claims(
        kind=TeeKind.SIMULATED,
        measurement=measurement,
        platform=LABEL,
        tcb_status=LABEL,
        advisories=(),
        report_data=report_data,
        pins={"measurement": measurement, "device": device},
        needs=(NEED,),
    )
