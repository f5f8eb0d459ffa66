"""`cmif eval cover`: whether a language model finds the true row of a covered request, and what cover costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def cover(
    data: Annotated[Path, typer.Option(help='Lines {"set": ..., "text": ...}.')],
    attacker: Annotated[str, typer.Option(help="A causal Hugging Face model, folder or id.")],
    k: Annotated[str, typer.Option(help="Rows of a request, comma-separated.")] = "8,16",
    words: Annotated[int, typer.Option(help="Covered words of a request at most.")] = 3,
    timed: Annotated[int, typer.Option(help="Prompts of each row that are timed; 0 for none.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Attack covered requests of the default model's bundle with a language model, and time and weigh them."""
    from cmif.cli.options import default_split
    from cmif.gateway.bundles import open_bundle
    from cmif_lab.eval import cover as lab
    from cmif_lab.eval.lm_attack import Attacker

    prompts = lab.read(data)
    split = default_split("client", "server")
    bundle = open_bundle(split / "client")
    model = Attacker(attacker)
    answer = lab.timer(split / "server") if timed else lambda _: 0.0
    rows = [
        row
        for each in k.split(",")
        for row in lab.evaluate(bundle, model, prompts, k=int(each), words=words, timed=timed, answer=answer)
    ]
    if as_json:
        typer.echo(json.dumps(lab.contract(rows)))
        return
    for row in rows:
        typer.echo(" ".join(f"{key} {value}" for key, value in lab.contract([row])["rows"][0].items()))
