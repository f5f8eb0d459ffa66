"""What several commands take, read the same way: the policy, the default model, the directory for state."""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cmif.enclave.policy import Level, Policy
from cmif.errors import InputError


def policy_of(given: str) -> Policy:
    """A policy's name, or a TOML file's path."""
    if given in set(Level):
        return Policy.named(given)
    path = Path(given)
    if path.suffix != ".toml" or not path.is_file():
        raise InputError(f"--policy is neither one of {', '.join(Level)} nor a TOML file.")
    try:
        return Policy.parse(tomllib.loads(path.read_text("utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path.name} is not TOML: {error}.") from None


def default_split(*halves: str) -> Path:
    """The default model's split in the user's cache, ``halves`` ("client", "server") made there if they are not yet."""
    from cmif.provider.default import default_split as split_once

    with steps() as report:
        return split_once(_base("XDG_CACHE_HOME", ".cache"), *halves, report=report)


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Takes what is being done and shows it on standard error, with the time taken: as a spinner, or as lines."""
    console = Console(stderr=True)
    spinner = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    started = time.monotonic()

    def report(stage: str) -> None:
        if not console.is_terminal:
            typer.echo(f"[{time.monotonic() - started:4.0f} s] {stage}", err=True)
            return
        spinner.start()
        for task in spinner.task_ids:
            spinner.stop_task(task)
        spinner.add_task(stage)

    try:
        yield report
    finally:
        if spinner.live.is_started:
            spinner.stop()


def state_dir(given: Path | None) -> Path:
    """Where a gateway keeps its ledger, readable by its user only."""
    path = given or _base("XDG_STATE_HOME", ".local/state")
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _base(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback) / "cmif"
