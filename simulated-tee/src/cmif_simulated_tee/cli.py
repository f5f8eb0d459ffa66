"""`cmif-simulated-tee`: what a policy must name to accept this machine's simulated evidence."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from cmif_simulated_tee.tee import LABEL, TEE, measure


def policy() -> str:
    """A rule for this machine's gateway and, where cmif-server is installed, one for its engine: the code as it is now.
    Reasons are left to fill in."""
    return f"# {LABEL}\nversion = 1\n" + "".join(
        f'\n[[simulated]]\nmeasurement = "{measure(engine)}"\ndevice = "{TEE.device().public.hex()}"\n\n'
        '[[simulated.widen]]\ntee = "simulated"\nreason = ""\n'
        for engine in (False, *([True] if find_spec("cmif_server") else []))
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="cmif-simulated-tee", description=LABEL)
    parser.add_argument(
        "command", choices=["policy"], help="policy: print the rule that accepts this machine"
    )
    parser.parse_args()
    print(policy(), end="")
