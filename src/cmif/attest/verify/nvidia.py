"""NVIDIA GPUs, judged by NVIDIA's verifier in a process of its own; this module only holds its claims against a policy.

Names of claims: github.com/NVIDIA/attestation-sdk, `nv-attestation-sdk-cpp/src/gpu/claims.cpp`, versions 3.0 and 4.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cmif.attest import nvattest
from cmif.attest.evidence import GpuEvidence
from cmif.attest.verify.claims import Need
from cmif.attest.verify.policy import GpuPolicy
from cmif.errors import AttestationError

_REPORT, _DRIVER, _VBIOS = (f"x-nvidia-gpu-{part}" for part in ("attestation-report", "driver-rim", "vbios-rim"))
_RIM = ("fetched", "version-match", "signature-verified", "measurements-available")
_CHAINS = (f"{_REPORT}-cert-chain", f"{_DRIVER}-cert-chain", f"{_VBIOS}-cert-chain")

_GENUINE: dict[str, object] = {
    "x-nvidia-device-type": "gpu",
    "x-nvidia-gpu-arch-check": True,
    f"{_REPORT}-parsed": True,
    f"{_REPORT}-nonce-match": True,
    f"{_REPORT}-signature-verified": True,
    f"{_REPORT}-cert-chain-fwid-match": True,
    f"{_CHAINS[0]}/x-nvidia-cert-status": "valid",
}
_CHECKED: dict[str, dict[str, object]] = {
    "measurements": {
        "measres": "success",
        "secboot": True,
        "dbgstat": "disabled",
        "x-nvidia-gpu-vbios-index-no-conflict": True,
        **{f"{rim}-{what}": True for rim in (_DRIVER, _VBIOS) for what in _RIM},
        **{f"{chain}/x-nvidia-cert-status": "valid" for chain in _CHAINS[1:]},
    },
    "revocation": {
        f"{chain}/x-nvidia-cert-{claim}": wanted
        for chain in _CHAINS
        for claim, wanted in {"ocsp-status": "good", "ocsp-nonce-matches": True, "ocsp-response-valid": True}.items()
    },
}
"""What a verifier may leave out, and then it is a need; what it says must be this."""
_MISMATCHES = ("x-nvidia-mismatch-measurement-records", "x-nvidia-mismatch-opaque-data-records")
_PINNED = {"model": "hwmodel", "driver": "x-nvidia-gpu-driver-version", "vbios": "x-nvidia-gpu-vbios-version"}


def verify(gpus: Sequence[GpuEvidence], nonce: bytes, policy: GpuPolicy) -> tuple[Need, ...]:
    """What of ``gpus`` was not checked: ``Need("gpu", "measurements")``, ``Need("gpu", "revocation")``, mostly nothing.

    Raises :class:`AttestationError` unless there is one and each is genuine, answers ``nonce`` and is in ``policy``.
    """
    if not gpus:
        raise _refused("There is no evidence of a GPU.", "gpu", "a report of each GPU", None)
    for gpu in gpus:
        if gpu.nonce != nonce:
            raise _refused("The GPU's report answers another question.", "gpu_nonce", nonce.hex(), gpu.nonce.hex())
    claims = nvattest.run(policy.verifier, "attest", nonce, gpus).get("claims")
    if not isinstance(claims, list) or len(claims) != len(gpus) or not all(isinstance(each, dict) for each in claims):
        raise _refused("NVIDIA's program says nothing of some GPU.", "gpu_verifier", "claims of each GPU", None)
    return tuple(sorted({need for each in claims for need in _judge(each, nonce, policy)}))


def _judge(claims: Mapping[str, Any], nonce: bytes, policy: GpuPolicy) -> list[Need]:
    for path, wanted in ({"eat_nonce": nonce.hex()} | _GENUINE).items():
        _require(path, wanted, _at(claims, path))
    for path in _MISMATCHES:
        if claims.get(path):
            raise _refused("The GPU runs what NVIDIA has not published.", "gpu", f"no {path}", "some")
    needs = []
    for what, group in _CHECKED.items():
        seen = {path: _at(claims, path) for path in group}
        for path, value in seen.items():
            if value is not None:
                _require(path, group[path], value)
        if None in seen.values():
            needs.append(Need("gpu", what))
    for key, path in _PINNED.items():
        allowed, seen_here = getattr(policy, key), str(claims.get(path)).lower()
        if seen_here not in allowed:
            raise _refused(f"The policy refuses this GPU's {key}.", f"gpu_{key}", sorted(allowed), seen_here)
    return needs


def _at(claims: Mapping[str, Any], path: str) -> Any:
    value: Any = claims
    for key in path.split("/"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _require(path: str, wanted: object, seen: object) -> None:
    if type(seen) is not type(wanted) or seen != wanted:
        raise _refused("NVIDIA's verifier does not vouch for the GPU.", "gpu", f"{path} = {wanted}", seen)


def _refused(message: str, check: str, expected: Any, seen: Any) -> AttestationError:
    return AttestationError(message, check=check, expected=expected, seen=seen)
