"""`cmif detect`: which detectors there are, and how well they do on labelled texts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cmif.cli.options import PrivacyLevel
from cmif.gateway.config import read_policy

if TYPE_CHECKING:
    from cmif_lab.detection import Result

app = typer.Typer(
    help="Measure detection on your own texts.", no_args_is_help=True, add_completion=False
)


@app.callback()
def detect() -> None:
    """Measure detection on your own texts."""


@app.command(name="eval")
def evaluate(
    file: Annotated[
        Path, typer.Argument(help="presidio-research's JSON, PUPA's CSV, or CSV with text,start,end,label.")
    ],
    policy: PrivacyLevel = "sensitive",
    detector: Annotated[list[str] | None, typer.Option(help="A plug-in to run as well, such as ner.")] = None,
    misses: Annotated[bool, typer.Option(help="List what was missed, with some text around it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recall, precision, kinds, false hits and CPU time of detection on a labelled file. Nothing is sent."""
    from dataclasses import replace

    from cmif.enclave.policy import detectors_for
    from cmif_lab.detection import evaluate as measure
    from cmif_lab.detection import read

    chosen = read_policy(policy)
    chosen = replace(chosen, detectors=tuple(dict.fromkeys((*chosen.detectors, *(detector or ())))))
    samples = read(file)
    detectors = detectors_for(chosen)
    with typer.progressbar(samples, label="detecting", file=sys.stderr) as shown:
        result = measure(shown, detectors, chosen)
    told = {"detectors": [d.name for d in detectors], "policy": chosen.level.value, **result.as_json()}
    if misses:
        told["misses"] = {label: score.missed for label, score in result.labels.items()}
    if as_json:
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    _print(told, result)


def _print(told: dict[str, object], result: Result) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    grid = Table("label", "mentions", "covered", "right kind", "found as", box=None, padding=(0, 2))
    for label, row in result.as_json()["labels"].items():
        found = ", ".join(f"{kind} {count}" for kind, count in list(row["kinds"].items())[:4])
        right = "" if row["right_kind"] is None else str(row["right_kind"])
        grid.add_row(
            label, str(row["mentions"]), f"{row['covered']} ({100 * row['recall']:.1f} %)", right, found
        )
    console.print(grid)
    for key, value in told.items():
        if key not in ("labels", "misses"):
            written = (
                ", ".join(f"{k} {v}" for k, v in value.items())
                if isinstance(value, dict)
                else ", ".join(value)
                if isinstance(value, list)
                else value
            )
            console.print(f"{key.replace('_', ' ')}: {written}", markup=False, highlight=False)
    misses = told.get("misses")
    if isinstance(misses, dict):
        for label, missed in misses.items():
            for text in missed:
                console.print(f"{label}: {text!r}", markup=False, highlight=False, soft_wrap=True)
