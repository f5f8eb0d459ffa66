"""`cmif eval TASK`: the privacy-utility experiments; `cmif eval answers` is beside them (:mod:`answers`)."""

from __future__ import annotations

import json
import shlex
import sys
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cmif.errors import InputError
from cmif_lab.cli.answers import answers
from cmif_lab.cli.cover import cover


class _TaskOrAnswers(TyperGroup):
    """`cmif eval answers` and `cmif eval cover` are those commands; all else that follows `cmif eval` is the tasks'."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args[:1] in (["answers"], ["cover"]) else ["task", *args])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == "task" else name), command, rest


evaluate = typer.Typer(
    cls=_TaskOrAnswers,
    help="Measure mechanisms on a task, or (`cmif eval answers`) what protection costs a model's answers.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
evaluate.command(name="answers")(answers)
evaluate.command(name="cover")(cover)


@evaluate.command(name="task")
def experiment(
    task: Annotated[
        str, typer.Argument(help="sst2, qnli, mrpc, stsb, medical, financial, legal, or an installed one.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of files, one sub-folder a task; without it the `datasets` hub."),
    ] = None,
    model: Annotated[str, typer.Option(help="Hugging Face folder or id, or `minilm`.")] = "minilm",
    mechanism: Annotated[
        str, typer.Option(help="Comma-separated names, installed ones included, or `all` of ours.")
    ] = "default,none",
    epsilon: Annotated[str, typer.Option(help="Comma-separated epsilons.")] = "1",
    draws: Annotated[int, typer.Option(help="Independent draws of every release.")] = 3,
    limit: Annotated[int, typer.Option(help="Test examples; 0 for all.")] = 0,
    k: Annotated[int, typer.Option(help="Words a bucket has at least; 0 for the default.")] = 0,
    gamma: Annotated[
        str, typer.Option(help="Share of the background, such as 1/40; empty for the default.")
    ] = "",
    vectors: Annotated[str, typer.Option(help="counterfit, frequent, rows or body.")] = "counterfit",
    weights: Annotated[str, typer.Option(help="public or field word frequencies.")] = "public",
    axis: Annotated[float, typer.Option(help="Scale of the task axis; 0 leaves it out.")] = 0.0,
    decode: Annotated[
        str, typer.Option(help="Fluent decoding of the release under public or field text.")
    ] = "",
    attacker: Annotated[
        str, typer.Option(help="A causal or masked model for the language-model attack.")
    ] = "",
    attacker_documents: Annotated[int, typer.Option(help="Documents that attacker reads.")] = 100,
    attack: Annotated[str, typer.Option(help="Installed attacks beside ours, comma-separated.")] = "",
    head: Annotated[str, typer.Option(help="probe, tuned or words; empty for the model's own.")] = "",
    lexicon: Annotated[
        Path | None, typer.Option(help="Another public word list (word, class, count; gzip).")
    ] = None,
    words: Annotated[int, typer.Option(help="Most frequent entries of that list used; 0 for all.")] = 0,
    part: Annotated[str, typer.Option(help="all, choose or confirm: see cmif_lab.eval.tasks.part.")] = "all",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the JSON, Markdown, SVG and PNG report.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the report's files.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure mechanisms on a task: accuracy, every attack, and what an audit refutes.

    `cmif eval answers --help`: what protection costs a real model in its answers.
    """
    from cmif_lab.eval import report, run, settings
    from cmif_server.tables.build import DEFAULT_GAMMA, DEFAULT_K

    try:
        epsilons = tuple(float(value) for value in epsilon.split(","))
        background = Fraction(gamma) if gamma else DEFAULT_GAMMA
    except (ValueError, ZeroDivisionError):
        raise InputError(
            "--epsilon takes numbers such as 0.5,1,2 and --gamma a fraction such as 1/40."
        ) from None
    chosen = settings.Settings(
        task=task,
        data=data,
        model=model,
        mechanisms=settings.MECHANISMS if mechanism == "all" else tuple(mechanism.split(",")),
        epsilons=epsilons,
        draws=draws,
        limit=limit,
        k=k or DEFAULT_K,
        gamma=background,
        vectors=vectors,
        weights=weights,
        axis=axis,
        decode=decode,
        head=head,
        attacker=attacker,
        attacker_documents=attacker_documents,
        attacks=tuple(attack.split(",")) if attack else (),
        lexicon=lexicon,
        words=words,
        part=part,
    )
    command = shlex.join(["cmif", "eval", *sys.argv[2:]])
    hidden = ("data", "lexicon", "attacker")  # paths of this machine
    plain = {key: value for key, value in vars(chosen).items() if key not in hidden}

    def save(result: settings.Result) -> None:
        if out is not None:
            report.write(result, out, name or f"eval-{task}-{Path(model).name}", command, plain)

    result = run.evaluate(chosen, lambda line: typer.echo(line, err=True), save)
    if as_json:
        typer.echo(json.dumps(report.contract(result)))
    elif out is None:
        typer.echo(report.markdown(result, command))
