"""Claims: what the signatures of genuine evidence prove.

Verifiers (`dcap`, `snp`, `nitro`) turn evidence into claims; a policy decides whether those claims are good enough.
A verifier raises :class:`AttestationError` only for what no policy may accept: a broken signature, a debug enclave.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Concatenate, ParamSpec

from cmif.attest.evidence import Evidence, TeeKind
from cmif.errors import AttestationError, CmifError

_More = ParamSpec("_More")


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """Something a strict reader refuses, found in evidence: ``Need("tcb_status", "OutOfDate")``.

    A policy accepts it only where a widening names the same subject and value and gives a reason.
    """

    subject: str
    value: str

    def __str__(self) -> str:
        return f"{self.subject} = {self.value}"


@dataclass(frozen=True, slots=True)
class Claims:
    """What genuine evidence says; every field is covered by the vendor's signatures.

    ``pins`` are identities that a policy lists (lowercase hex or decimal), ``floors`` are numbers for which a policy
    sets a minimum, ``needs`` what only a widening accepts. ``platform`` is "" where the machine hides its identity.
    ``report_data`` is what the enclave chose to bind: 64 bytes, or Nitro's ``user_data``. ``issued`` is when the
    collateral was signed, where there is any.
    """

    kind: TeeKind
    measurement: str
    platform: str
    tcb_status: str
    advisories: tuple[str, ...]
    report_data: bytes
    pins: Mapping[str, str]
    floors: Mapping[str, int] = field(default_factory=dict)
    needs: tuple[Need, ...] = ()
    issued: datetime | None = None


Verifier = Callable[Concatenate[Evidence, _More], Claims]


def refusing(verify: Verifier[_More]) -> Verifier[_More]:
    """Make a verifier refuse whatever its parsers choke on: hostile bytes raise many kinds, and all mean the same."""

    @functools.wraps(verify)
    def guarded(evidence: Evidence, /, *args: _More.args, **kwargs: _More.kwargs) -> Claims:
        try:
            return verify(evidence, *args, **kwargs)
        except CmifError:
            raise
        except Exception as error:
            raise AttestationError(
                "The evidence is malformed.",
                check="format",
                expected=f"{evidence.kind} evidence",
                seen=type(error).__name__,
            ) from None

    return guarded
