"""`cmif bench`: time the placements."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from cmif.cli.options import default_split
from cmif.errors import InputError

Number = TypeVar("Number", int, float)


def bench(
    placement: Annotated[
        str, typer.Option(help="Comma-separated: plain, cmif, cmif-strict, linear-offload, enclave-only.")
    ] = "plain,cmif",
    engine: Annotated[str, typer.Option(help="transformers or vllm.")] = "transformers",
    model: Annotated[
        Path | None, typer.Option(help="A model directory or a split; default: SmolLM2's.")
    ] = None,
    shape: Annotated[
        str | None, typer.Option(help="Random weights of a named shape, such as llama-3.2-1b.")
    ] = None,
    prompt: Annotated[str, typer.Option(help="Prompt lengths in tokens, comma-separated.")] = "128",
    new: Annotated[str, typer.Option(help="New tokens, comma-separated.")] = "64",
    rtt_ms: Annotated[str, typer.Option(help="Injected round-trip times in ms, comma-separated.")] = "0",
    concurrency: Annotated[str, typer.Option(help="Requests at once, comma-separated.")] = "1",
    repeat: Annotated[int, typer.Option(help="Pairs of runs; medians are printed.", min=1)] = 5,
    wire: Annotated[str, typer.Option(help="bf16, int8 or fp8, each optionally +zstd.")] = "bf16+zstd",
    policy: Annotated[str, typer.Option(help="What the client's side sanitises.")] = "sensitive",
    out: Annotated[Path | None, typer.Option(help="Folder for bench.json, bench.md and bench.svg.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time placements against `plain` in the same run, over real sockets."""
    from cmif_lab.bench.bench import run_bench
    from cmif_lab.bench.report import markdown, svg

    if model is None and shape is None:
        model = default_split("client", "server")
    result = run_bench(
        placements=placement.split(","),
        engine=engine,
        model=model,
        shape=shape,
        prompt=_numbers("--prompt", prompt, int),
        new=_numbers("--new", new, int),
        rtt_ms=_numbers("--rtt-ms", rtt_ms, float),
        concurrency=_numbers("--concurrency", concurrency, int),
        repeat=repeat,
        wire=wire,
        policy=policy,
        progress=lambda line: typer.echo(line, err=True),
    )
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "bench.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
        (out / "bench.md").write_text(markdown(result), "utf-8")
        (out / "bench.svg").write_text(svg(result), "utf-8")
    sys.stdout.write(json.dumps(result) + "\n" if as_json else markdown(result))


def _numbers(option: str, text: str, kind: Callable[[str], Number]) -> list[Number]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{option} takes comma-separated numbers.") from None
