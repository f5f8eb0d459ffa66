"""`cmif demo`: six jobs with the default model, and what people read of them on a terminal."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from cmif.cli.options import default_split
from cmif_server.cli.demo import run


def demo(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Do six jobs with the default model: engine and gateway on free ports, the `openai` client, streamed answers."""
    split = default_split("client", "server")
    if as_json:
        sys.stdout.write(json.dumps(run(split), ensure_ascii=False) + "\n")
        return
    show = Demonstration()
    try:
        told = run(split, show.typed, show.streamed, show.answered)
    finally:
        show.close()
    show.end(told["model"])


class Demonstration:
    """The demonstration as it happens: an answer streams in, then stands below what the engine saw and wrote."""

    def __init__(self) -> None:
        self._console = Console()
        self._live: Live | None = None

    def typed(self, title: str, text: str) -> None:
        self._console.rule(title)
        self._panel("typed", text)
        if self._console.is_terminal:
            self._live = Live(console=self._console, transient=True)
            self._live.start()

    def streamed(self, text: str) -> None:
        if self._live is not None:
            self._live.update(Panel(Text(text), title="you read", title_align="left"))

    def answered(self, told: dict[str, Any]) -> None:
        self.close()
        for label, key in (
            ("engine saw", "engine_saw"),
            ("engine wrote", "answer_raw"),
            ("you read", "answer"),
        ):
            self._panel(label, told[key])
        kept = "; ".join(told["kept"]) or "nothing"
        steps = "  ".join(f"{name} {ms:.1f}" for name, ms in told["steps_ms"].items())
        self._console.print(Text(f"kept from the engine: {kept}"))
        self._console.print(f"epsilon {told['epsilon']:g}; milliseconds: {steps}")

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def end(self, model: str) -> None:
        self.close()
        self._console.rule()
        self._console.print(
            f"{model} is about the smallest real model there is, and its mistakes above are its own. "
            "A larger one takes its place with: cmif split MODEL -o OUT; cmif serve OUT/server; "
            "cmif gateway --bundle OUT/client --engine URL",
            markup=False,
        )

    def _panel(self, title: str, text: str) -> None:
        self._console.print(Panel(Text(text.strip()), title=title, title_align="left"))
