"""The table as JSON, Markdown and one plot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cmif_lab.answers.collect import AGAIN, MASKED, NOTHING
from cmif_lab.answers.table import Cell, Line

HEADS = {"off": "off (clean)", MASKED: "masked", NOTHING: "nothing sent", AGAIN: "off, asked again"}


def contract(
    table: Sequence[Line],
    epsilons: Mapping[str, float],
    refusals: Mapping[str, int],
    command: str,
    model: str,
) -> dict[str, Any]:
    """What ``cmif eval answers --json`` prints: {"model", "command", "lines": [{"task", "metric", "count",
    "reference", "cells": {arm: {"mean", "difference", "low", "high"}}}], "epsilon": {arm: mean a request}, "refused":
    {arm: requests}}.
    """
    return {
        "model": model,
        "command": command,
        "lines": [asdict(line) for line in table],
        "epsilon": dict(epsilons),
        "refused": dict(refusals),
    }


def markdown(told: Mapping[str, Any]) -> str:
    """The table of :func:`contract`, under the command that made it."""
    table = [_read(line) for line in told["lines"]]
    arms = _arms(table)
    rows = [["task", "metric", "n", *(HEADS.get(arm, arm) for arm in arms)], ["---"] * (3 + len(arms))]
    for line in table:
        cells = [_cell(line.cells.get(arm)) for arm in arms]
        rows.append([line.task, line.metric, str(line.count), *cells])
    spent = [f"{told['epsilon'][arm]:.1f}" if arm in told["epsilon"] else "" for arm in arms]
    rows.append(["all", "epsilon a request", "", *spent])
    if told["refused"]:
        rows.append(["all", "requests refused", "", *(str(told["refused"].get(arm, 0)) for arm in arms)])
    body = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"```\n{told['command']}\n```\n\nModel: {told['model']}. {_LEGEND}\n\n{body}\n"


_LEGEND = (
    "In brackets the paired bootstrap's 95 % interval of the difference over the questions: from `off`, and in the "
    "rows `similarity` from `off, asked again`. Similarity is MiniLM's cosine to the unprotected greedy answer; `off, "
    "asked again` is the unprotected model at temperature 0.7, the yardstick of what two answers differ by chance. "
    "`masked`: entities replaced by [MASK]. `nothing sent`: the request without its private text, what the model alone "
    "is worth. `labelled parts seen`: the share of private parts that stand as they are in what the engine read."
)


def _read(line: Mapping[str, Any]) -> Line:
    return Line(**{**line, "cells": {arm: Cell(**cell) for arm, cell in line["cells"].items()}})


def _arms(table: Sequence[Line]) -> list[str]:
    """In the order asked, `off` first and the baselines last."""
    seen = dict.fromkeys(arm for line in table for arm in line.cells)
    fixed = [arm for arm in (MASKED, NOTHING, AGAIN) if arm in seen]
    named = [arm for arm in seen if arm not in ("off", *fixed)]
    return ["off", *named, *fixed]


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.low is None or cell.high is None:
        return f"{cell.mean:.3f}"
    return f"{cell.mean:.3f} ({cell.low:+.3f} to {cell.high:+.3f})"


def plot(told: Mapping[str, Any], path: Path) -> None:
    """Each line's means as a group of bars, one bar an arm, with the interval of the difference."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "cmif"
    from matplotlib import pyplot

    table = [_read(line) for line in told["lines"]]
    arms = _arms(table)
    figure, axes = pyplot.subplots(figsize=(11, 5))
    width = 0.8 / len(arms)
    for number, arm in enumerate(arms):
        places = [at for at, line in enumerate(table) if arm in line.cells]
        cells = [table[at].cells[arm] for at in places]
        spans = [
            (0.0, 0.0)
            if cell.difference is None or cell.low is None or cell.high is None
            else (max(0.0, cell.difference - cell.low), max(0.0, cell.high - cell.difference))
            for cell in cells
        ]
        axes.bar(
            [at + (number - len(arms) / 2 + 0.5) * width for at in places],
            [cell.mean for cell in cells],
            width,
            yerr=list(zip(*spans, strict=True)),
            label=HEADS.get(arm, arm),
            capsize=1.5,
            error_kw={"linewidth": 0.7},
        )
    axes.set_xticks(range(len(table)), [f"{line.task}\n{line.metric}" for line in table], fontsize=8)
    axes.set_ylim(0, 1.05)
    axes.set_title(
        f"What protection costs {told['model']}, and what the engine saw (last groups: lower is better)"
    )
    axes.legend(fontsize=8, ncol=2)
    axes.grid(alpha=0.3, axis="y")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def write(told: Mapping[str, Any], folder: Path, name: str) -> None:
    """``folder``/``name``.{json,md,svg}."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    (folder / f"{name}.md").write_text(f"# {name}\n\n{markdown(told)}", "utf-8")
    plot(told, folder / f"{name}.svg")
