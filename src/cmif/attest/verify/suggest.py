"""A policy from evidence: pins exactly what it shows, and leaves the reason of every widening to a person."""

from __future__ import annotations

import json

from cmif.attest.verify.claims import Claims
from cmif.attest.verify.policy import ANY_PLATFORM, SCHEMAS


def policy_for(claims: Claims) -> str:
    """The narrowest policy that accepts ``claims``, as TOML.

    Every ``reason = ""`` must be filled in before the policy can be read: a widening is somebody's decision.
    """
    schema = SCHEMAS[claims.kind]
    lines = ["version = 1", "", f"[[{claims.kind}]]"]
    lines += [f"{name} = {_value(value, schema.pins[name])}" for name, value in claims.pins.items()]
    lines += [f"min_{name} = {value}" for name, value in claims.floors.items()]
    needs = list(claims.needs)
    if schema.platforms and claims.platform:
        lines.append(f"platforms = [{json.dumps(claims.platform)}]")  # a JSON string is a TOML string
    elif schema.platforms:
        needs.append(ANY_PLATFORM)
    for need in needs:
        lines += ["", f"[[{claims.kind}.widen]]", f"{need.subject} = {json.dumps(need.value)}", 'reason = ""']
    return "\n".join(lines) + "\n"


def _value(value: str, size: int) -> str:
    return value if size == 0 else f'"{value}"'
