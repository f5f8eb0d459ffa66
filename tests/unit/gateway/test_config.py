"""A gateway's settings: read once, refused where they contradict each other, and covered by the digest."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from cmif.attest.evidence import TeeKind
from cmif.attest.messages import config_digest
from cmif.enclave.policy import Cover, Level, PrivacyPolicy
from cmif.enclave.surrogates import Relation
from cmif.errors import InputError
from cmif.gateway.config import NOT_IN_DIGEST, OWN_WORDS, GatewayConfig, Lane, _plain, parse
from cmif.gateway.logs import LogFormat, LogLevel

POLICY = PrivacyPolicy()
SEALED = GatewayConfig(
    engine="https://engine.example", policy=POLICY, state="/state", sealed=Path("/bundle"), provider="https://p.example",
    provider_key=bytes(32), tee=TeeKind.SNP,
)  # fmt: skip
ATTESTING = replace(SEALED, engine_policy=b"version = 1\n")
PLAIN = GatewayConfig(engine="https://engine.example", policy=POLICY, state="/state", bundle=Path("/bundle"))

CHANGES: dict[str, Any] = {
    "policy": replace(POLICY, level=Level.OFF), "provider_key": bytes(31) + b"1", "wire": "int8", "oblivious": True,
    "tenants": "/etc/tenants.toml",
    "engine": "https://other.example", "state": "/other", "host": "0.0.0.0", "port": 1, "sealed": Path("/other"),
    "provider": "https://other.example", "tee": TeeKind.TDX, "collateral": Path("/c"), "chain": (Path("/c"),),
    "tls_name": ("g.example",), "cors_origin": ("https://a.example",), "name": "n", "alias": ("n",),
    "log_format": LogFormat.JSON, "log_level": LogLevel.DEBUG, "otlp": "http://c.example",
    "engine_policy": b"version = 1\n ", "allow_simulated": True,
}  # fmt: skip
"""Another value of each option that a sealed start takes."""
REFUSED: dict[str, Any] = {
    "upstream": Lane.TEXT, "upstream_model": "m", "upstream_key": Path("/k"), "bundle": Path("/b"),
    "tls_certificate": Path("/c"), "tls_key": Path("/k"), "engine_ca": Path("/c"), "engine_certificate": Path("/c"),
    "engine_key": Path("/k"), "ui": 0, "enclave_key": Path("/k"),
}  # fmt: skip
"""A value of each option that a sealed start refuses."""
POLICIES: dict[str, Any] = {
    "level": Level.CONTENT, "public": "protect", "detectors": ("ner",), "hosts": ("h.example",),
    "relations": frozenset({Relation.GENDER}), "tenant_budget": 1.0, "user_budget": 1.0, "conversation_budget": 1.0,
    "cover": Cover(), "attested": Level.OFF,
}  # fmt: skip


@pytest.mark.parametrize("option", [field.name for field in fields(GatewayConfig)])
def test_every_option_is_in_the_digest_or_has_a_reason_why_it_need_not_be(option: str) -> None:
    """An option that is new is red here until it says which."""
    if option in REFUSED:
        assert NOT_IN_DIGEST[option]
        with pytest.raises(InputError):
            replace(ATTESTING, **{option: REFUSED[option]})
        return
    changed = replace(ATTESTING, **{option: CHANGES[option]}).protection.digest()
    assert (changed == ATTESTING.protection.digest()) == (option in NOT_IN_DIGEST)


def test_a_policy_for_the_engine_is_in_the_digest_and_its_absence_is_not() -> None:
    """A gateway without one keeps the digest of an earlier version."""
    protection = SEALED.protection
    told = {name: _plain(getattr(POLICY, name)) for name in (f.name for f in fields(POLICY)) if name not in OWN_WORDS}
    before = {"policy": told, "provider": bytes(32), "wire": "bf16+zstd", "oblivious": False, "tenants": False}
    assert protection.digest() == config_digest(before)
    assert ATTESTING.protection.digest() != protection.digest()


def test_the_policy_in_force_is_the_one_that_the_digest_covers(tmp_path: Path) -> None:
    """Read once: what a host writes into the file afterwards is neither in force nor in the digest."""
    (tmp_path / "engine.toml").write_bytes(b"version = 1\n")
    config = parse({"engine": "https://e", "state": "/s", "engine_policy": str(tmp_path / "engine.toml")})
    (tmp_path / "engine.toml").unlink()
    assert config.protection.engine_policy == config.engine_policy == b"version = 1\n"
    with pytest.raises(InputError, match="--engine-policy is not"):
        parse({"engine": "https://e", "state": "/s", "engine_policy": str(tmp_path / "engine.toml")})


def test_reasons_are_of_options_that_there_are() -> None:
    assert set(NOT_IN_DIGEST) < {field.name for field in fields(GatewayConfig)}


@pytest.mark.parametrize("key", [field.name for field in fields(PrivacyPolicy)])
def test_every_key_of_the_privacy_policy_but_its_own_words_is_in_the_digest(key: str) -> None:
    changed = replace(POLICY, **{key: ("x",) if key in OWN_WORDS else POLICIES[key]})
    digest = replace(SEALED, policy=changed).protection.digest()
    assert (digest == SEALED.protection.digest()) == (key in OWN_WORDS)


@pytest.mark.parametrize(
    ("base", "changes", "match"),
    [
        (PLAIN, {"tls_name": ("g.example",)}, "--tls-name is for --sealed"),
        (PLAIN, {"provider": "https://p.example"}, "are for --sealed"),
        (PLAIN, {"tee": TeeKind.SNP}, "are for --sealed"),
        (PLAIN, {"engine": "http://e.example", "engine_ca": Path("/c")}, "for an https:// engine"),
        (PLAIN, {"allow_simulated": True}, "--allow-simulated is for"),
        (PLAIN, {"engine_policy": b"", "engine": "http://e.example"}, "https:// engine"),
        (PLAIN, {"engine_policy": b"", "engine_ca": Path("/c")}, "not --engine-ca"),
        (PLAIN, {"engine_policy": b"", "upstream": Lane.TEXT, "upstream_model": "m"}, "gives no evidence"),
        (SEALED, {"allow_simulated": True}, "--allow-simulated is for"),
        (ATTESTING, {"engine": "http://e.example"}, "https:// engine"),
        (PLAIN, {"upstream": Lane.TEXT}, "needs --upstream-model"),
        (PLAIN, {"upstream_key": Path("/k")}, "are for --upstream text"),
        (PLAIN, {"otlp": "collector:4318"}, "--otlp"),
        (PLAIN, {"cors_origin": ("https://app.example/",)}, "--cors-origin"),
        (PLAIN, {"cors_origin": ("https://a.example", "*")}, "--cors-origin"),
        (PLAIN, {"cors_origin": ("https://App.example",)}, "--cors-origin"),
        (PLAIN, {"ui": 0, "tls_certificate": Path("/c")}, "--ui is for"),
        (SEALED, {"provider_key": None}, "--sealed needs"),
        (SEALED, {"tenants": "state"}, "file of the measured image"),
        (SEALED, {"state": "postgresql://db/cmif"}, "do not share"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    base: GatewayConfig, changes: dict[str, Any], match: str
) -> None:
    with pytest.raises(InputError, match=match):
        replace(base, **changes)


def test_a_wrong_name_or_value_is_named_and_the_value_is_not() -> None:
    given = {"engine": "http://e", "state": "/s"}
    for wrong, option in (({"prot": 1}, "prot"), ({"port": "secret"}, "port"), ({"tls_name": "secret"}, "tls-name")):
        with pytest.raises(InputError, match=f"option '{option}'") as refusal:
            parse(given | wrong)
        assert "secret" not in str(refusal.value)
    with pytest.raises(InputError, match="option 'engine'"):
        parse({"state": "/s"})
    assert parse(given | {"port": None, "chain": None}).port == 8000
