"""The gateway's entry point inside a TEE: `python -m cmif.gateway.enclave FILE`, without a command line's libraries.

FILE is TOML and part of what is measured; its table ``[gateway]`` has the options of `cmif gateway` by their names.
What it leaves open may come from the environment, ``CMIF_GATEWAY_ENGINE`` for ``engine``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from cmif.errors import CmifError, InputError
from cmif.gateway.config import GatewayConfig, parse, read_toml
from cmif.gateway.serving import serve

_PREFIX = "CMIF_GATEWAY_"


def load(file: Path, environment: Mapping[str, str]) -> GatewayConfig:
    """The settings of ``file`` and, for options that it leaves open, of ``environment``; of a list one value there.

    Raises :class:`InputError`, also where both speak of one option (the measured file must not look as if it held) and
    for a start without ``sealed``.
    """
    table = read_toml(file)
    options = table.get("gateway")
    if not isinstance(options, dict) or len(table) != 1:
        raise InputError(f"{file.name} must have a table [gateway] and nothing else.")
    told: dict[str, Any] = {name.replace("-", "_"): value for name, value in options.items()}
    for field in fields(GatewayConfig):
        value = environment.get(_PREFIX + field.name.upper())
        if value is None or value.startswith("tcp://"):  # Kubernetes names a service's address CMIF_GATEWAY_PORT
            continue
        if field.name in told:
            raise InputError(
                f"{_PREFIX + field.name.upper()} is set, and {file.name} says {field.name!r} already.",
                hint="Set it in one place.",
            )
        told[field.name] = (value,) if str(field.type).startswith("tuple") else value
    config = parse(told)
    if config.sealed is None:
        raise InputError("In a TEE a gateway starts by a sealed bundle.", hint="Set 'sealed'.")
    return config


def main() -> None:
    """Exit status: 1 failed or refused, 2 wrong input, as of `cmif gateway`."""
    try:
        if len(sys.argv) != 2:
            raise InputError("Give one argument, the TOML file of the gateway's options.")
        serve(load(Path(sys.argv[1]), os.environ))
    except CmifError as error:
        sys.stderr.write(f"cmif: {error}\n")
        sys.exit(2 if isinstance(error, InputError) else 1)


if __name__ == "__main__":
    main()
