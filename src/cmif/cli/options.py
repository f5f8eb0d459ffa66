"""What several commands take, read the same way: the policy, the embedded model, the directory for state."""

from __future__ import annotations

import hashlib
import os
import tomllib
from importlib.resources import as_file, files
from pathlib import Path

from cmif.enclave.policy import Level, Policy
from cmif.errors import InputError


def policy_of(given: str) -> Policy:
    """A policy's name, or a TOML file's path."""
    if given in set(Level):
        return Policy.named(given)
    path = Path(given)
    if path.suffix != ".toml" or not path.is_file():
        raise InputError(f"--policy is neither one of {', '.join(Level)} nor a TOML file.")
    try:
        return Policy.parse(tomllib.loads(path.read_text("utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path.name} is not TOML: {error}.") from None


def embedded_split() -> Path:
    """The embedded default model, split once into the user's cache: a directory with ``client`` and ``server``."""
    default = files("cmif.provider").joinpath("data/default")
    if not default.joinpath("config.json").is_file():
        raise InputError("This installation carries no embedded model.", hint="Give --bundle.")
    made_of = hashlib.sha256(default.joinpath("SHA256SUMS").read_bytes())
    for name in ("words.tsv.gz", "constraints.txt.gz"):
        made_of.update(files("cmif.provider").joinpath("data", name).read_bytes())
    out = _base("XDG_CACHE_HOME", ".cache") / f"default-{made_of.hexdigest()[:16]}"
    if not (out / "server").is_dir():
        import torch  # noqa: F401 (a split ends by running the model: say now, not in a minute, that it cannot)

        from cmif.provider.split import split

        with as_file(default) as model:
            split(str(model), out)
    return out


def state_dir(given: Path | None) -> Path:
    """Where a gateway keeps its ledger, readable by its user only."""
    path = given or _base("XDG_STATE_HOME", ".local/state")
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _base(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback) / "cmif"
