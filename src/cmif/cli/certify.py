"""`cmif certify`: prove the shipped table, and show what its buckets look like."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cmif.cli.options import default_split

if TYPE_CHECKING:
    from cmif.privacy.table import Table

PROBES = (
    "pain", "cancer", "court", "diabetes", "aspirin", "debt", "muslim", "pregnant", "depression", "salary",
    "divorce", "surgery", "lawyer", "alcohol", "bank", "cough", "school", "doctor",
)  # fmt: skip
"""Words whose bucket-mates are shown: sensitive ones, and frequent ones that share buckets where a space follows
frequency more than meaning."""


def certify(
    bundle: Annotated[
        Path | None, typer.Argument(help="A client bundle; default: SmolLM2's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prove a bundle's privacy table in exact arithmetic, every bucket and every pair, and show the bucket-mates of
    some sensitive words. Exit status 1 if it fails."""
    from cmif.enclave.bundle import TABLE
    from cmif.errors import TableError
    from cmif.gateway.bundles import require_bundle
    from cmif.privacy.certify import certify as prove
    from cmif.privacy.certify import read
    from cmif.privacy.entries import parse
    from cmif.privacy.table import Table

    folder = bundle or default_split("client") / "client"
    require_bundle(folder)
    entries = parse(read(folder / TABLE))
    told: dict[str, Any]
    try:
        table = Table(entries)
    except TableError:
        told = prove(entries).as_json()
    else:
        told = {**table.certificate.as_json(), "probes": _probes(table)}
    if as_json:
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        for name, value in told.items():
            if name != "probes":
                sys.stdout.write(f"{name:10} {value}\n")
        for word, probe in told.get("probes", {}).items():
            charge = f"{word} (epsilon {probe['epsilon']:g}):"
            sys.stdout.write(f"{charge:26} {', '.join(probe['bucket'])}\n")
    if not told["certified"]:
        raise typer.Exit(1)


def _probes(table: Table) -> dict[str, dict[str, Any]]:
    """What a draw spends on each probe word of the lexicon, and the other words of its bucket."""
    from cmif.types import WordClass

    found: dict[str, dict[str, Any]] = {}
    for word in PROBES:
        index = table.index(word, WordClass.WORD)
        if index is None:
            index = table.index(word.capitalize(), WordClass.NAME)
        if index is not None:
            mates = [table.words[i] for i in table.candidates(index) if i != index]
            found[word] = {"epsilon": table.epsilon_of(index), "bucket": mates}
    return found
