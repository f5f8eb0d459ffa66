"""What people read on a terminal: the inspection of one text, the demonstration. JSON is made elsewhere."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from cmif.enclave.inspect import Inspection
from cmif.enclave.policy import Policy
from cmif.privacy.table import Table


def inspection(seen: Inspection, policy: Policy, table: Table) -> None:
    console = Console()
    strip = Text()
    for piece in seen.pieces:
        strip.append(piece.sent, style="" if piece.kind == "text" else "bold green")
    console.print(Panel(strip, title="what the engine would see", title_align="left"))
    grid = Grid("typed", "sent", "kind", "epsilon", box=None, padding=(0, 2))
    for piece in seen.pieces:
        if piece.kind != "text":
            grid.add_row(Text(piece.text), Text(piece.sent), piece.kind, f"{piece.epsilon:g}")
    console.print(grid)
    console.print(
        f"policy {policy.level.value}; epsilon {seen.epsilon:g}; words hide among K = {table.k} "
        f"(eps_in {table.eps_in:g}, eps_out {table.eps_out:.1f}, g {float(table.gamma):g})"
    )
    console.print(f"detectors {', '.join(seen.detectors) or 'none'}")
    console.print(
        "Not protected: what no detector found, the kinds, the lengths, and which mentions are equal."
    )


def accounts(rows: list[dict[str, Any]]) -> None:
    grid = Grid("tenant", "name", "draws", "epsilon spent", "left", box=None, padding=(0, 2))
    for row in rows:
        left = "no budget" if row["left"] is None else f"{row['left']:g}"
        grid.add_row(row["tenant"], row["name"][:16], str(row["draws"]), f"{row['epsilon']:g}", left)
    Console().print(grid if rows else "Nothing was charged yet.")


def demonstration(told: dict[str, Any]) -> None:
    console = Console()
    for prompt in told["prompts"]:
        console.rule(prompt["title"])
        for label, key in (
            ("typed", "typed"),
            ("engine saw", "engine_saw"),
            ("engine wrote", "answer_raw"),
            ("you read", "answer"),
        ):
            console.print(Panel(Text(prompt[key].strip()), title=label, title_align="left"))
        steps = "  ".join(f"{name} {ms:.1f}" for name, ms in prompt["steps_ms"].items())
        console.print(f"epsilon {prompt['epsilon']:g}; milliseconds: {steps}")
    console.print(
        "Engine and gateway are stopped. Nothing but embeddings of the sanitised text left the gateway."
    )
