"""What people read on a terminal: the inspection of one text, ledgers, tenants. JSON is made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from cmif.enclave.detect import Detector
from cmif.enclave.inspect import Inspection
from cmif.enclave.policy import PrivacyPolicy
from cmif.enclave.reasons import told
from cmif.privacy.table import Table


def inspection(seen: Inspection, policy: PrivacyPolicy, detectors: Sequence[Detector], table: Table) -> None:
    """What `cmif inspect` shows of one text: what the engine would see, and why each replacement was made."""
    console = Console()
    strip = Text()
    for piece in seen.pieces:
        strip.append(piece.sent, style="" if piece.kind == "text" else "bold green")
    console.print(Panel(strip, title="what the engine would see", title_align="left"))
    grid = Grid("typed", "sent", "kind", "why", "epsilon", box=None, padding=(0, 2))
    for row in told(seen.pieces, table, detectors, policy):
        if row["reason"]:
            shown = Text(row["text"]), Text(row["sent"])
            why = f"{row['reason']} ({row['category']})" if row["category"] else row["reason"]
            grid.add_row(*shown, row["kind"], why, f"{row['epsilon']:g}")
    console.print(grid)
    given = seen.guarantee
    background = f", g {float(table.gamma):g}" if given.mode == "mechanism" else ""
    console.print(
        f"policy {policy.level.value}; epsilon {seen.epsilon:g}; {given.mode}: words hide among K = {given.k} "
        f"(eps_in {given.eps_in:g}, eps_out {given.eps_out:.1f}{background})"
    )
    console.print(f"detectors {', '.join(seen.detectors) or 'none'}")
    console.print(
        "Not protected: what no detector found, the kinds, the lengths, and which mentions are equal."
    )


def accounts(rows: list[dict[str, Any]]) -> None:
    """What `cmif ledger` shows: who spent how much epsilon, and what is left."""
    grid = Grid("tenant", "name", "draws", "epsilon spent", "left", box=None, padding=(0, 2))
    for row in rows:
        left = "no budget" if row["left"] is None else f"{row['left']:g}"
        grid.add_row(row["tenant"], row["name"][:16], str(row["draws"]), f"{row['epsilon']:g}", left)
    Console().print(grid if rows else "Nothing was charged yet.")


def tenants(rows: list[dict[str, Any]]) -> None:
    """What `cmif tenants list` shows: tenants, how many keys each has, budgets and epsilon spent. No key."""
    grid = Grid("tenant", "keys", "budget", "of an end user", "epsilon spent", box=None, padding=(0, 2))
    for row in rows:
        own = ("policy's" if row[name] is None else f"{row[name]:g}" for name in ("budget", "user_budget"))
        grid.add_row(row["tenant"], " ".join(row["keys"]) or "revoked", *own, f"{row['spent']:g}")
    Console().print(grid if rows else "No tenant was added yet.")
