"""`cmif eval answers`: what protection costs a real model in its answers."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from cmif.errors import InputError


def answers(
    data: Annotated[
        Path | None, typer.Option(help="Folder of files, one sub-folder a task (see cmif_lab.answers.jobs).")
    ] = None,
    task: Annotated[
        str, typer.Option(help="Comma-separated, each NAME or NAME:COUNT: nq, gsm8k, notes, summaries, pupa.")
    ] = "nq,gsm8k,notes,summaries,pupa",
    base_url: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=URL of a running OpenAI endpoint, once a column; `off`: unprotected. Key: OPENAI_API_KEY."
        ),
    ] = None,
    policy: Annotated[
        str, typer.Option(help="Without --base-url: policies, each a gateway started here.")
    ] = "off,entities,sensitive,content",
    model: Annotated[
        Path | None, typer.Option(help="Without --base-url: a split; default: the default model's.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the report and of the answers so far; the same folder goes on.")
    ] = Path("answers"),
    name: Annotated[str, typer.Option(help="Name of the report's files.")] = "answers",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Ask a real model the same questions unprotected and under each policy: answers, leaks, paired differences."""
    from cmif.cli.options import default_split
    from cmif_lab.answers import jobs, report, run, servers

    asked = jobs.load(data, _counts(task))
    kept = out / f"{name}.jsonl"
    command = shlex.join(["cmif", *sys.argv[1:]])
    if base_url:
        told = run.evaluate(asked, servers.parse(base_url), kept, command)
    else:
        split = model or default_split()
        if not (split / "client" / "manifest.json").is_file():
            raise InputError(
                "--model is not a split: it has no client/manifest.json.", hint="Make one: cmif split."
            )
        with servers.started(split, policy.split(","), out / f"{name}.log") as urls:
            told = run.evaluate(asked, urls, kept, command)
    report.write(told, out, name)
    typer.echo(json.dumps(told) if as_json else report.markdown(told))


def _counts(given: str) -> dict[str, int]:
    from cmif_lab.answers.jobs import TASKS

    counts = {}
    for entry in given.split(","):
        task, colon, count = entry.partition(":")
        if colon and not (count.isdecimal() and int(count)):
            raise InputError("--task takes NAME or NAME:COUNT, comma-separated.")
        counts[task] = int(count) if colon else TASKS.get(task, (0,))[0]
    return counts
