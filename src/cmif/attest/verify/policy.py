"""The appraisal policy: a TOML file that says which TEEs may be trusted, and why each exception was made.

A policy holds rules, ``[[sgx]]``, ``[[tdx]]``, ``[[snp]]``, ``[[nitro]]`` and ``[[simulated]]``; evidence is accepted
when one rule of its kind accepts it. A rule pins identities (a list means "one of these"), sets floors and lists
platforms. What a strict reader would refuse needs a ``widen`` entry with a reason::

    [[sgx.widen]]
    tcb_status = "SWHardeningNeeded"
    reason = "INTEL-SA-00615 is mitigated by our build flags"

Unknown keys are errors. A policy without rules, or a rule without platforms, refuses everything. With a table ``[gpu]``
it also refuses whatever comes without GPUs that NVIDIA's verifier accepts and the table lists.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cmif.attest.evidence import TeeKind
from cmif.attest.verify.claims import Need
from cmif.errors import InputError

ANY_PLATFORM = Need("platform", "any")

_INTEL_STATUSES = (
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
)
_ADVISORY = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)+")


@dataclass(frozen=True, slots=True)
class Schema:
    """The keys of one kind of rule. Pins map to the length of the hex value in bytes, 0 for a decimal number."""

    pins: Mapping[str, int]
    required: frozenset[str]
    floors: frozenset[str]
    widenings: Mapping[str, tuple[str, ...] | re.Pattern[str]]
    platforms: bool = True


_RTMRS = {f"rtmr{i}": 48 for i in range(4)}
_INTEL_WIDENINGS: dict[str, tuple[str, ...] | re.Pattern[str]] = {
    "tcb_status": _INTEL_STATUSES,
    "advisory": _ADVISORY,
    "flag": ("dynamic_platform", "cached_keys", "smt"),
    "platform": ("any",),
}

SCHEMAS: Mapping[TeeKind, Schema] = {
    TeeKind.SGX: Schema(
        pins={"mr_enclave": 32, "mr_signer": 32, "isv_prod_id": 0, "attributes": 16},
        required=frozenset({"mr_enclave", "mr_signer", "isv_prod_id", "min_isv_svn"}),
        floors=frozenset({"isv_svn", "tcb_evaluation_data_number"}),
        widenings=_INTEL_WIDENINGS,
    ),
    TeeKind.TDX: Schema(
        pins={
            "mr_td": 48,
            **_RTMRS,
            "mr_config_id": 48,
            "mr_owner": 48,
            "mr_owner_config": 48,
            "mr_seam": 48,
            "mr_signer_seam": 48,
            "td_attributes": 8,
            "xfam": 8,
        },
        required=frozenset({"mr_td", "rtmr0", "rtmr1", "rtmr2", "td_attributes", "xfam", "mr_signer_seam"}),
        floors=frozenset({"tcb_evaluation_data_number"}),
        widenings=_INTEL_WIDENINGS,
    ),
    TeeKind.SNP: Schema(
        pins={
            "measurement": 48,
            "host_data": 32,
            "family_id": 16,
            "image_id": 16,
            "id_key_digest": 48,
            "author_key_digest": 48,
            "guest_policy": 8,
            "vmpl": 0,
        },
        required=frozenset(
            {"measurement", "guest_policy", "vmpl", "min_bootloader", "min_tee", "min_snp", "min_microcode"}
        ),
        floors=frozenset({"bootloader", "tee", "snp", "microcode", "fmc", "guest_svn"}),
        widenings={
            "product": ("Milan",),
            "signer": ("VLEK",),
            "flag": ("alias_check_incomplete", "migration_agent", "smt"),
            "platform": ("any",),
        },
    ),
    TeeKind.NITRO: Schema(
        pins={f"pcr{i}": 48 for i in range(32)},
        required=frozenset({"pcr0", "pcr1", "pcr2"}),
        floors=frozenset(),
        widenings={"platform": ("any",)},
    ),
    TeeKind.SIMULATED: Schema(
        pins={"measurement": 48, "device": 32},
        required=frozenset({"measurement", "device"}),
        floors=frozenset(),
        widenings={"tee": ("simulated",), "gpu": ("measurements", "revocation")},
        platforms=False,
    ),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to be accepted. ``widenings`` maps what is tolerated to the reason somebody gave."""

    kind: TeeKind
    pins: Mapping[str, frozenset[str]]
    floors: Mapping[str, int] = field(default_factory=dict)
    platforms: frozenset[str] = frozenset()
    widenings: Mapping[Need, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GpuPolicy:
    """The GPUs that may be beside the TEE: ``verifier`` is the program that judges their reports (NVIDIA's `nvattest`);
    models, driver and VBIOS versions as it names them, in lower case."""

    verifier: Path
    model: frozenset[str]
    driver: frozenset[str]
    vbios: frozenset[str]


@dataclass(frozen=True, slots=True)
class AppraisalPolicy:
    """Rules; the longest time since Intel signed the collateral (None: as long as it is itself valid); and the digests
    of the gateway configurations that may get a key or call themselves ready (`cmif attest config-digest`);
    and the GPUs that evidence must show (None: not asked for)."""

    rules: tuple[Rule, ...] = ()
    max_collateral_age_s: int | None = None
    config_digests: frozenset[str] = frozenset()
    gpu: GpuPolicy | None = None

    def of_kind(self, kind: TeeKind) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.kind is kind)

    @classmethod
    def parse(cls, text: str) -> AppraisalPolicy:
        """Read a policy. Raises :class:`InputError` that names the key which is unknown, missing or malformed."""
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"The policy is not TOML: {error}.") from None
        if raw.pop("version", 1) != 1:
            raise InputError("The policy's version is not 1.")
        age = raw.pop("max_collateral_age_s", None)
        if age is not None and (not _is_number(age) or age == 0):
            raise InputError("The policy's max_collateral_age_s is not a positive number of seconds.")
        configs = (
            _pin(raw.pop("config_digests"), 48, "config_digests") if "config_digests" in raw else frozenset()
        )
        gpu = _gpu(raw.pop("gpu")) if "gpu" in raw else None
        rules = []
        for key, tables in raw.items():
            if key not in list(TeeKind):
                raise InputError(
                    f"The policy has an unknown key: {key}.", hint=f"Rules are {', '.join(TeeKind)}."
                )
            if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
                raise InputError(f"The policy's {key} is not a list of rules.", hint=f"Write [[{key}]].")
            rules += [_rule(TeeKind(key), table, f"{key}[{n}]") for n, table in enumerate(tables)]
        return cls(tuple(rules), age, configs, gpu)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _rule(kind: TeeKind, table: dict[str, Any], where: str) -> Rule:
    schema = SCHEMAS[kind]
    pins: dict[str, frozenset[str]] = {}
    floors: dict[str, int] = {}
    widenings: dict[Need, str] = {}
    platforms: frozenset[str] = frozenset()
    for key, value in table.items():
        if key in schema.pins:
            pins[key] = _pin(value, schema.pins[key], f"{where}.{key}")
        elif key.startswith("min_") and key[4:] in schema.floors:
            if not _is_number(value):
                raise InputError(f"The policy's {where}.{key} is not a whole number.")
            floors[key[4:]] = value
        elif key == "platforms" and schema.platforms:
            platforms = _strings(value, f"{where}.platforms")
        elif key == "widen":
            widenings = _widenings(value, schema, f"{where}.widen")
        else:
            raise InputError(f"The policy has an unknown key: {where}.{key}.")
    missing = sorted(schema.required - set(table))
    if missing:
        raise InputError(f"The policy's {where} does not say {', '.join(missing)}.")
    return Rule(kind, pins, floors, platforms, widenings)


def _gpu(table: Any) -> GpuPolicy:
    if not isinstance(table, dict) or set(table) != {"verifier", "model", "driver", "vbios"}:
        raise InputError("The policy's gpu is not a table [gpu] of verifier, model, driver and vbios.")
    program = table["verifier"]
    if not isinstance(program, str) or not Path(program).is_absolute():
        raise InputError("The policy's gpu.verifier is not the absolute path of a program.")
    listed = {key: _strings(table[key], f"gpu.{key}") for key in ("model", "driver", "vbios")}
    return GpuPolicy(Path(program), **{key: frozenset(v.lower() for v in values) for key, values in listed.items()})


def _pin(value: Any, size: int, where: str) -> frozenset[str]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise InputError(f"The policy's {where} is empty.")
    if size == 0:
        if not all(_is_number(v) for v in values):
            raise InputError(f"The policy's {where} is not a whole number.")
        return frozenset(str(v) for v in values)
    if not all(isinstance(v, str) and re.fullmatch(f"[0-9a-fA-F]{{{2 * size}}}", v) for v in values):
        raise InputError(f"The policy's {where} is not {size} bytes in hexadecimal.")
    return frozenset(v.lower() for v in values)


def _strings(value: Any, where: str) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise InputError(f"The policy's {where} is not a list of strings.")
    return frozenset(value)


def _widenings(value: Any, schema: Schema, where: str) -> dict[Need, str]:
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise InputError(f"The policy's {where} is not a list of tables.")
    found: dict[Need, str] = {}
    for table in value:
        reason = table.get("reason", "")
        subjects = [key for key in table if key != "reason"]
        if len(subjects) != 1 or subjects[0] not in schema.widenings:
            raise InputError(
                f"The policy's {where} has an unknown key among: {', '.join(subjects) or 'none'}.",
                hint=f"One widening names one of {', '.join(schema.widenings)}, and a reason.",
            )
        need = Need(subjects[0], str(table[subjects[0]]))
        allowed = schema.widenings[need.subject]
        known = need.value in allowed if isinstance(allowed, tuple) else allowed.fullmatch(need.value)
        if not known:
            raise InputError(f"The policy's {where} has an unknown value: {need}.")
        if not isinstance(reason, str) or not reason.strip():
            raise InputError(f"The policy widens {need} without a reason.", hint="Write why in its `reason`.")
        found[need] = reason
    return found
