"""`cmif-simulated-tee`: what a policy must name to accept this machine's simulated evidence."""

from __future__ import annotations

import argparse

from cmif_simulated_tee.tee import LABEL, TEE, measure


def policy() -> str:
    """A policy rule for this machine and the installed code; its reason is left to fill in."""
    return (
        f"# {LABEL}\nversion = 1\n\n[[simulated]]\n"
        f'measurement = "{measure()}"\ndevice = "{TEE.device().public.hex()}"\n\n'
        '[[simulated.widen]]\ntee = "simulated"\nreason = ""\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="cmif-simulated-tee", description=LABEL)
    parser.add_argument(
        "command", choices=["policy"], help="policy: print the rule that accepts this machine"
    )
    parser.parse_args()
    print(policy(), end="")
