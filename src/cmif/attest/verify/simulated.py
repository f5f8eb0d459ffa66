"""Simulated evidence, verified by the distribution that makes it and labelled in whatever it claims."""

from __future__ import annotations

from cmif.attest.evidence import Evidence, TeeKind
from cmif.attest.simulated import LABEL, load
from cmif.attest.verify.claims import Claims, Need
from cmif.errors import AttestationError

NEED = Need("tee", "simulated")


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
