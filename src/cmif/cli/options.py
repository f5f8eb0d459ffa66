"""What several commands take: options of a server, the default model, what is shown of a long step."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cmif.errors import InputError
from cmif.gateway.logs import LogFormat, LogLevel
from cmif.types import Report

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Format = Annotated[LogFormat, typer.Option(help="Lines of text, or one JSON object a line.")]
Level = Annotated[
    LogLevel, typer.Option(help="The least that is logged; debug adds health checks and scrapes.")
]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)]
BundleFolder = Annotated[Path | None, typer.Option(help="The client half of a split; default: SmolLM2's.")]
PrivacyLevel = Annotated[str, typer.Option(help="off, entities, sensitive, content, all, or a TOML file.")]
CertificateFile = Annotated[Path | None, typer.Option(help="Certificate chain (PEM); with --tls-key.")]
KeyFile = Annotated[Path | None, typer.Option(help="Private key (PEM).")]
Collateral = Annotated[Path | None, typer.Option(help="With --tee sgx or tdx: Intel's signed collateral.")]
Chain = Annotated[
    list[Path] | None, typer.Option(help="With --tee snp: AMD's certificates, if the host gives none.")
]


def default_split(*halves: str) -> Path:
    """The default model's split in the user's cache, ``halves`` ("client", "server") made there if they are not yet: by
    what the entry point ``cmif.split`` named "default" gives, which is `cmif-server`'s.

    Raises :class:`InputError` where that is not installed."""
    for point in entry_points(group="cmif.split", name="default"):
        split: Callable[..., Path] = point.load()
        with steps() as report:
            return split(_base("XDG_CACHE_HOME", ".cache"), *halves, report=report)
    raise InputError(
        "The default model is split by cmif-server, which is not installed.",
        hint="In CMIF's repository: pip install ./server. Or give a split, with --bundle where that is an option.",
    )


@contextmanager
def steps() -> Iterator[Report]:
    """Shows on standard error what is being done, the time taken and, of a long step, the time left: as a bar, or as
    lines, of one step one in ten seconds at most."""
    console = Console(stderr=True)
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    started = time.monotonic()
    current, since, told = "", 0.0, 0.0

    def report(stage: str, done: float = 0.0) -> None:
        nonlocal current, since, told
        now = time.monotonic()
        if console.is_terminal:
            bars.start()
            if stage != current:
                for task in bars.task_ids:
                    bars.stop_task(task)
                bars.add_task(stage, total=None)
            if done:
                bars.update(bars.task_ids[-1], total=1.0, completed=done)
        elif stage != current or (done and now - told >= 10):
            left = f" ({done:.0%}, at most {(now - since) * (1 - done) / done:.0f} s left)" if done else ""
            typer.echo(f"[{now - started:4.0f} s] {stage}{left}", err=True)
            told = now
        if stage != current:
            current, since = stage, now

    try:
        yield report
    finally:
        if bars.live.is_started:
            bars.stop()


def _base(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback) / "cmif"
