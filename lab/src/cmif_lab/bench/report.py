"""A benchmark's result as Markdown and as an SVG bar chart."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

_COLUMNS = (
    "placement", "prompt", "new", "rtt_ms", "concurrency", "ttft_ms", "total_ms", "tokens_per_s", "ratio_vs_plain",
    "cpu_ratio_vs_plain", "round_trips", "bytes_up", "bytes_down", "bytes_up_vs_bf16", "output_equals_plain",
)  # fmt: skip


def markdown(result: dict[str, Any]) -> str:
    """Two tables: the rows, and where the time of each goes."""
    rows, setup = result["rows"], result["setup"]
    lines = [
        f"{setup['model']} on {setup['engine']}, wire {setup['wire']}, policy {setup['policy']}, median of "
        f"{setup['repeat']} pairs; {setup['start']['gpu'] or setup['start']['cpu']}, {setup['start']['cores']} cores, "
        f"load {setup['start']['load'][0]} at the start and {setup['end']['load'][0]} at the end.",
        "",
        _line(_COLUMNS),
        _line(["---"] * len(_COLUMNS)),
        *(_line([_cell(row[c]) for c in _COLUMNS]) for row in rows),
        "",
    ]
    steps = list(dict.fromkeys(step for row in rows for step in row["steps_ms"]))
    lines += [_line(["share of the request", *steps]), _line(["---"] * (len(steps) + 1))]
    for row in rows:
        total = sum(row["steps_ms"].values())
        shares = [f"{row['steps_ms'][s] / total:.2%}" if s in row["steps_ms"] else "" for s in steps]
        lines.append(_line([_label(row), *shares]))
    return "\n".join(lines) + "\n"


def svg(result: dict[str, Any]) -> str:
    """One bar a row: its time relative to `plain`, on a linear scale from 0."""
    rows = result["rows"]
    left, width, height = 330, 420, 26
    longest = max(row["ratio_vs_plain"] for row in rows)
    bars = []
    for i, row in enumerate(rows):
        y, bar = 34 + i * height, width * row["ratio_vs_plain"] / longest
        colour = "#2a7f62" if row["placement"].startswith("cmif") else "#8a8f98"
        bars.append(
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(_label(row))}</text>'
            f'<rect x="{left}" y="{y + 2}" width="{bar:.1f}" height="{height - 8}" fill="{colour}"/>'
            f'<text x="{left + bar + 6:.1f}" y="{y + 14}">{row["ratio_vs_plain"]:.2f}x, {row["total_ms"]:.0f} ms</text>'
        )
    title = f"{result['setup']['model']}: time of a request relative to plain"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 150}" height="{44 + len(rows) * height}" '
        f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="12" y="20" font-weight="bold">{escape(title)}</text>{"".join(bars)}</svg>\n'
    )


def _label(row: dict[str, Any]) -> str:
    rest = f", {row['rtt_ms']:g} ms away" if row["rtt_ms"] else ""
    rest += f", {row['concurrency']} at once" if row["concurrency"] > 1 else ""
    return f"{row['placement']}, {row['prompt']}+{row['new']}{rest}"


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
