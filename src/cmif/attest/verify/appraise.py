"""Appraisal: verify evidence, hold it against a policy, and say exactly what failed."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cmif.attest.evidence import MAX_COLLATERAL_BYTES, MAX_EVIDENCE_BYTES, Evidence, TeeKind
from cmif.attest.verify import dcap, nitro, nvidia, simulated, snp
from cmif.attest.verify.claims import Claims
from cmif.attest.verify.policy import ANY_PLATFORM, AppraisalPolicy, Rule
from cmif.errors import AttestationError


@dataclass(frozen=True, slots=True)
class Roots:
    """Trust anchors. The defaults are the vendors'; tests pass their own, and nothing a user writes can change them."""

    intel: dcap.IntelRoot = field(default_factory=dcap.IntelRoot)
    amd: Mapping[str, str] = field(default_factory=lambda: snp.AMD_ROOTS)
    aws: str = nitro.AWS_ROOT_SHA256


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The outcome. ``reason`` is None when accepted, else the refusal: ``check``, ``expected``, ``seen``, ``message``.

    The claims are None when the evidence itself did not verify; otherwise they say what was seen even when refused.
    """

    accepted: bool
    reason: Mapping[str, Any] | None
    claims: Claims | None

    def as_json(self) -> dict[str, Any]:
        """The record that `cmif attest appraise --json` prints."""
        claims = self.claims
        return {
            "accepted": self.accepted,
            "reason": None if self.reason is None else dict(self.reason),
            "measurement": claims.measurement if claims else None,
            "platform": claims.platform if claims else None,
            "tcb_status": claims.tcb_status if claims else None,
            "advisories": list(claims.advisories) if claims else [],
            "report_data": claims.report_data.hex() if claims else None,
        }


def verify(evidence: Evidence, at: datetime, roots: Roots | None = None) -> Claims:
    """What genuine evidence says. Raises :class:`AttestationError` for evidence that no policy may accept."""
    roots = roots or Roots()
    if len(evidence.data) > MAX_EVIDENCE_BYTES or len(evidence.collateral) > MAX_COLLATERAL_BYTES:
        raise AttestationError(
            "The evidence is too large.", check="format", expected=MAX_EVIDENCE_BYTES, seen=len(evidence.data)
        )
    match evidence.kind:
        case TeeKind.SGX | TeeKind.TDX:
            return dcap.verify(evidence, at, roots.intel)
        case TeeKind.SNP:
            return snp.verify(evidence, at, roots.amd)
        case TeeKind.NITRO:
            return nitro.verify(evidence, at, roots.aws)
        case TeeKind.SIMULATED:
            return simulated.verify(evidence)


def require(
    evidence: Evidence,
    policy: AppraisalPolicy,
    at: datetime,
    *,
    report_data: bytes | None = None,
    gpu_nonce: bytes = b"",
    allow_simulated: bool = False,
    roots: Roots | None = None,
) -> Claims:
    """Claims of evidence that ``policy`` accepts at the time ``at``, bound to ``report_data`` if that is given.

    A policy of GPUs accepts only evidence with reports of theirs over ``gpu_nonce`` that NVIDIA's verifier accepts.

    ``allow_simulated`` is the command line's half of the consent; the policy's half is a ``[[simulated]]`` rule.
    Raises :class:`AttestationError`, whose record says which check failed, what was expected and what was seen.
    """
    if evidence.kind is TeeKind.SIMULATED and not allow_simulated:
        raise _simulated("the command line does not name it")
    rules = policy.of_kind(evidence.kind)
    if not rules:
        if evidence.kind is TeeKind.SIMULATED:
            raise _simulated("the policy has no rule for it")
        raise AttestationError(
            f"The policy has no rule for {evidence.kind}.",
            check="policy",
            expected=f"a rule for {evidence.kind}",
            seen=sorted({str(rule.kind) for rule in policy.rules}),
        )
    claims = verify(evidence, at, roots)
    _judge(claims, policy, rules, at, report_data)
    if policy.gpu is not None:
        claims = replace(claims, needs=(*claims.needs, *nvidia.verify(evidence.gpus, gpu_nonce, policy.gpu)))
        _judge(claims, policy, rules, at, report_data)
    return claims


def appraise(
    evidence: Evidence,
    policy: AppraisalPolicy,
    at: datetime,
    *,
    report_data: bytes | None = None,
    allow_simulated: bool = False,
    roots: Roots | None = None,
) -> Appraisal:
    """As :func:`require`, with a refusal as a value. What could be verified is in the appraisal even when refused."""
    try:
        claims = require(
            evidence, policy, at, report_data=report_data, allow_simulated=allow_simulated, roots=roots
        )
    except AttestationError as refusal:
        try:
            seen = verify(evidence, at, roots)
        except AttestationError:
            seen = None
        return Appraisal(False, refusal.record(), seen)
    return Appraisal(True, None, claims)


def _simulated(why: str) -> AttestationError:
    return AttestationError(
        f"Simulated evidence is refused: {why}.",
        check="simulated",
        expected="a genuine TEE",
        seen="simulated",
        hint="A simulated TEE protects nothing; it is for development.",
    )


def _judge(
    claims: Claims, policy: AppraisalPolicy, rules: tuple[Rule, ...], at: datetime, report_data: bytes | None
) -> None:
    """Raise the refusal of the rule that got furthest, so that the record names what is really in the way."""
    if report_data is not None and not hmac.compare_digest(claims.report_data, report_data):
        raise AttestationError(
            "The evidence does not bind this request: its report data is another's.",
            check="report_data",
            expected=report_data.hex(),
            seen=claims.report_data.hex(),
        )
    age = policy.max_collateral_age_s
    if age is not None and claims.issued is not None and (at - claims.issued).total_seconds() > age:
        raise AttestationError(
            "The collateral is too old.",
            check="collateral",
            expected=f"at most {age} s",
            seen=claims.issued.isoformat(),
        )
    furthest: tuple[int, AttestationError] | None = None
    for rule in rules:
        for step, refusal in enumerate(_checks(rule, claims)):
            if refusal is not None:
                if furthest is None or step > furthest[0]:
                    furthest = (step, refusal)
                break
        else:
            return
    if furthest is not None:
        raise furthest[1]


def _checks(rule: Rule, claims: Claims) -> Iterator[AttestationError | None]:
    """One item per check, in the order of what a reader wants to know first: what runs, how patched, where."""
    for name, allowed in rule.pins.items():
        seen = claims.pins.get(name)
        yield None if seen in allowed else _refusal(name, sorted(allowed), seen)
    for name, minimum in rule.floors.items():
        value = claims.floors.get(name)
        yield None if value is not None and value >= minimum else _refusal(name, f"at least {minimum}", value)
    for need in claims.needs:
        tolerated = sorted(n.value for n in rule.widenings if n.subject == need.subject)
        yield (
            None
            if need in rule.widenings
            else _refusal(need.subject, tolerated or "nothing to widen", need.value)
        )
    if claims.kind is not TeeKind.SIMULATED and ANY_PLATFORM not in rule.widenings:
        known = claims.platform != "" and claims.platform in rule.platforms
        yield None if known else _refusal("platform", sorted(rule.platforms), claims.platform)


def _refusal(check: str, expected: Any, seen: Any) -> AttestationError:
    return AttestationError(
        f"The policy refuses this {check.replace('_', ' ')}.", check=check, expected=expected, seen=seen
    )
