"""Everything that says how a gateway runs: one frozen value, read from options, and the digest that evidence binds.

The command line and the entry point of a TEE both come through :func:`parse`; nothing else makes a gateway's settings.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from cmif.attest.evidence import TeeKind
from cmif.attest.messages import config_digest
from cmif.enclave.policy import Level, PrivacyPolicy
from cmif.errors import InputError
from cmif.gateway.logs import LogFormat, LogLevel
from cmif.gateway.state import is_shared

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#*@\sA-Z]+")
"""What a header ``Origin`` can say; anything else would be compared with it and never match."""


class Lane(StrEnum):
    """What the gateway's engine is sent: embeddings of sanitised text, or the sanitised text."""

    ENGINE = "engine"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Protection:
    """Every setting that could weaken protection: what evidence binds, and appraisal policies list.

    ``provider_key``: the provider's raw Ed25519 key. ``keyed``: each tenant has a key, without which all callers share
    one memory of conversations. ``engine_policy``: the bytes of the policy that the engine's evidence must satisfy, or
    None; ``allow_simulated`` is of that evidence.
    """

    policy: PrivacyPolicy
    provider_key: bytes
    wire: str = "bf16+zstd"
    oblivious: bool = False
    keyed: bool = False
    engine_policy: bytes | None = None
    allow_simulated: bool = False

    def digest(self) -> bytes:
        """SHA-384 (48 bytes) over all of it but a deployment's own words and phrases: they only ever protect more, and
        who sees the digest could guess them. Of the engine's policy it has SHA-256, and nothing where there is none.
        """
        policy = {f.name: getattr(self.policy, f.name) for f in fields(self.policy) if f.name not in OWN_WORDS}
        told: dict[str, Any] = {
            "policy": {name: _plain(value) for name, value in policy.items()},
            "provider": self.provider_key,
            "wire": self.wire,
            "oblivious": self.oblivious,
            "tenants": self.keyed,
        }
        if self.engine_policy is not None:
            told["engine"] = [hashlib.sha256(self.engine_policy).digest(), self.allow_simulated]
        return config_digest(told)


OWN_WORDS = frozenset({"words", "private"})
"""Keys of a privacy policy that the digest leaves out."""


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """The options of `cmif gateway`, whose help says what each is. Raises :class:`InputError` for options that do not
    go together: none may look as if it held.

    ``bundle`` None: there is ``sealed`` instead. ``provider_key`` (32 bytes) and ``engine_policy`` are read from the
    files that the options name, once: what the digest covers is what is in force.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    engine: str
    policy: PrivacyPolicy
    state: str
    upstream: Lane = Lane.ENGINE
    upstream_model: str | None = None
    upstream_key: Path | None = None
    bundle: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    enclave_key: Path | None = None
    tenants: str | None = None
    wire: str = "bf16+zstd"
    oblivious: bool = False
    sealed: Path | None = None
    provider: str | None = None
    provider_key: bytes | None = None
    tee: TeeKind | None = None
    collateral: Path | None = None
    chain: tuple[Path, ...] = ()
    tls_name: tuple[str, ...] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    engine_ca: Path | None = None
    engine_certificate: Path | None = None
    engine_key: Path | None = None
    engine_policy: bytes | None = None
    allow_simulated: bool = False
    cors_origin: tuple[str, ...] = ()
    name: str | None = None
    alias: tuple[str, ...] = ()
    ui: int | None = None
    log_format: LogFormat = LogFormat.TEXT
    log_level: LogLevel = LogLevel.INFO
    otlp: str | None = None

    def __post_init__(self) -> None:
        if self.ui is not None and (self.sealed is not None or self.tls_certificate is not None):
            raise InputError("--ui is for a gateway on your own machine, without --sealed or --tls-certificate.")
        if self.sealed is None:
            self._require_outside()
        else:
            self._require_inside()
        if (self.engine_ca or self.engine_certificate or self.engine_key) and not self.engine.startswith("https://"):
            raise InputError("--engine-ca and --engine-certificate are for an https:// engine.")
        if self.engine_policy is not None:
            self._require_attestable()
        elif self.allow_simulated:
            raise InputError("--allow-simulated is for --engine-policy.")
        if self.upstream is Lane.TEXT and self.upstream_model is None:
            raise InputError("--upstream text needs --upstream-model, the API's name for its model.")
        if self.upstream is not Lane.TEXT and (self.upstream_model is not None or self.upstream_key is not None):
            raise InputError("--upstream-model and --upstream-key are for --upstream text.")
        if not all(map(_ORIGIN.fullmatch, self.cors_origin)):
            raise InputError("--cors-origin must be as browsers say it, such as https://app.example: no path, no *.")
        if self.otlp is not None and not self.otlp.startswith(("http://", "https://")):
            raise InputError("--otlp must be http(s)://host:port.")

    def _require_attestable(self) -> None:
        if self.upstream is Lane.TEXT:
            raise InputError("--engine-policy is for engines: a text API gives no evidence.")
        if self.engine_ca is not None:
            raise InputError("With --engine-policy the engine's evidence says which TLS key it has, not --engine-ca.")
        if not self.engine.startswith("https://"):
            raise InputError("--engine-policy is for an https:// engine: its evidence binds its TLS key.")

    def _require_outside(self) -> None:
        if self.tls_name:
            raise InputError(
                "--tls-name is for --sealed.", hint="Give --tls-certificate and --tls-key instead."
            )
        if self.provider or self.provider_key or self.tee or self.collateral or self.chain:
            raise InputError("--provider, --provider-key, --tee, --collateral and --chain are for --sealed.")

    def _require_inside(self) -> None:
        if self.tls_certificate is not None or self.tls_key is not None:
            raise InputError("With --sealed the TLS key is made in the TEE.", hint="Give --tls-name instead.")
        if self.engine_ca is not None or self.engine_certificate is not None or self.engine_key is not None:
            raise InputError(
                "With --sealed the provider's grant or --engine-policy says which TLS key the engine has."
            )
        if self.tenants == "state":
            raise InputError(
                "With --sealed the tenants are a file of the measured image: whoever has the host writes --state."
            )
        if self.enclave_key is not None:
            raise InputError(
                "With --sealed the memo's key is made in the TEE.", hint="Leave out --enclave-key."
            )
        if is_shared(self.state):
            raise InputError(
                "With --sealed the state is a directory: gateways in TEEs do not share a memo's key yet."
            )
        if self.upstream is Lane.TEXT:
            raise InputError("With --sealed the provider's grant names engines, which are sent embeddings.")
        if self.bundle is not None:
            raise InputError("A gateway has one bundle.", hint="Give --bundle or --sealed.")
        if self.provider is None or self.provider_key is None or self.tee is None:
            raise InputError("--sealed needs --provider, --provider-key and --tee.")

    @property
    def protection(self) -> Protection:
        """What of these options the digest covers, for a gateway that starts by ``sealed``."""
        keyed = self.tenants is not None
        engine = self.engine_policy, self.allow_simulated
        return Protection(self.policy, self.provider_key or b"", self.wire, self.oblivious, keyed, *engine)


NOT_IN_DIGEST: Mapping[str, str] = {
    "engine": "its TLS key is one that the provider's grant names, or that the engine policy accepts",
    "state": "what lies there is ciphertext under a key that stays in the TEE",
    "upstream": "a sealed start has the engine's lane only",
    "upstream_model": "of the text lane, which a sealed start refuses",
    "upstream_key": "of the text lane, which a sealed start refuses",
    "bundle": "not read by a sealed start, whose bundle the statement names",
    "host": "an address to listen on",
    "port": "a port to listen on",
    "enclave_key": "refused by a sealed start, which makes the key itself",
    "sealed": "ciphertext; the statement names the bundle that it opens to",
    "provider": "the answer must be signed by the provider's key, which is in the digest",
    "tee": "the evidence itself is of one kind",
    "collateral": "signed by the vendor, and judged by the verifier",
    "chain": "signed by the vendor, and judged by the verifier",
    "tls_name": "names in a certificate whose key the statement binds",
    "tls_certificate": "refused by a sealed start",
    "tls_key": "refused by a sealed start",
    "engine_ca": "refused by a sealed start",
    "engine_certificate": "refused by a sealed start",
    "engine_key": "refused by a sealed start",
    "cors_origin": "a page gets no more than a programme on the same machine, and needs the same key",
    "name": "what the model is called",
    "alias": "what the model is called",
    "ui": "refused by a sealed start",
    "log_format": "a log line holds no content in either form",
    "log_level": "a log line holds no content at any level",
    "otlp": "spans hold what the log holds",
}
"""Options that do not weaken protection, each with the reason; all others are in :class:`Protection`."""


def parse(options: Mapping[str, Any]) -> GatewayConfig:
    """The settings that ``options`` say, by their names (``tls_name``): values of a command line, of TOML or of the
    environment; what is None or missing has its default. Files of policies and provider's key are read here.

    Raises :class:`InputError` for a name or value that is none, with the name but never the value.
    """
    from pydantic import TypeAdapter, ValidationError  # here, so that no other command waits for it

    given = {name: value for name, value in options.items() if value is not None}
    given["policy"] = read_policy(str(given.get("policy", Level.SENSITIVE)))
    if "provider_key" in given:
        given["provider_key"] = read_provider_key(Path(str(given["provider_key"])))
    if "engine_policy" in given:
        given["engine_policy"] = read_engine_policy(Path(str(given["engine_policy"])))
    try:
        return TypeAdapter(GatewayConfig).validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise InputError(f"The gateway's option {option!r}: {first['msg']}.") from None


def read_policy(given: str) -> PrivacyPolicy:
    """A policy's name, or a TOML file's path. Raises :class:`InputError`."""
    if given in set(Level):
        return PrivacyPolicy.named(given)
    path = Path(given)
    if path.suffix != ".toml":
        raise InputError(f"--policy is neither one of {', '.join(Level)} nor a TOML file.")
    if not path.is_file():
        raise InputError(f"There is no policy file {path.name!r}.")
    return PrivacyPolicy.parse(read_toml(path))


def read_toml(path: Path) -> dict[str, Any]:
    """Raises :class:`InputError` for a file that cannot be read or is not TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read ({type(error).__name__}).") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path.name} is not TOML: {error}.") from None


def read_provider_key(path: Path) -> bytes:
    """The provider's raw Ed25519 public key, 32 bytes in hexadecimal. Raises :class:`InputError`."""
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError):
        key = b""
    if len(key) != 32:
        raise InputError(
            "--provider-key is not a file with 32 bytes in hexadecimal.",
            hint="`cmif release` writes KEY.pub.",
        )
    return key


def read_engine_policy(path: Path) -> bytes:
    """The file's bytes, as the digest covers them; who judges evidence parses them. Raises :class:`InputError`."""
    try:
        return path.read_bytes()
    except OSError:
        raise InputError("--engine-policy is not a readable TOML file.") from None


def _plain(value: Any) -> Any:
    """``value`` as CBOR has it."""
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value
