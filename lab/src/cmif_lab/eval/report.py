"""The run as a table and a plot: JSON, Markdown, SVG, PNG."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from cmif_lab.eval.settings import OURS, Result, Row

COLUMNS = [f.name for f in fields(Row) if f.name not in ("accuracy_draws", "further")]


def contract(result: Result) -> dict[str, Any]:
    """What ``cmif eval --json`` prints: {"rows": [...], "clean_accuracy"}; a number that does not exist is
    null. The share of an attack NAME of a plug-in is a row's ``attack_NAME``.
    """
    rows = [
        {name: _number(getattr(row, name)) for name in COLUMNS}
        | {f"attack_{name}": share for name, share in row.further}
        for row in result.rows
    ]
    return {"rows": rows, "clean_accuracy": result.clean_accuracy}


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def strongest(row: Row) -> float:
    """The highest share of sensitive words that any attacker recovered."""
    shares = (
        row.attack_unigram,
        row.attack_bigram,
        row.attack_lm,
        row.attack_inversion,
        *dict(row.further).values(),
    )
    return max(share for share in shares if share is not None)


def markdown(result: Result, command: str, note: str = "") -> str:
    """The table, under the exact command that made it."""
    further = list(dict.fromkeys(name for row in result.rows for name, _ in row.further))
    head = (
        "mechanism",
        "eps",
        "K",
        "accuracy",
        "unchanged",
        "unigram",
        "bigram",
        "LM",
        "inversion",
        *further,
        "audited eps >=",
    )
    lines = [f"```\n{command}\n```", ""]
    lines += [
        f"Clean accuracy {result.clean_accuracy:.3f}; {result.examples} examples, {result.sensitive} sensitive words,"
    ]
    lines += [f"{result.coverage:.1%} of them in the lexicon. {note}".rstrip(), ""]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in sorted(result.rows, key=lambda row: row.epsilon):
        cells = [
            row.mechanism,
            f"{row.epsilon:g}",
            str(row.k or "all"),
            f"{row.accuracy:.3f} ± {row.accuracy_se:.3f}",
            *(
                _cell(share)
                for share in (
                    row.unchanged,
                    row.attack_unigram,
                    row.attack_bigram,
                    row.attack_lm,
                    row.attack_inversion,
                    *(dict(row.further).get(name) for name in further),
                    row.audited_epsilon,
                )
            ),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "What each really guarantees:", ""]
    seen: dict[str, str] = {}
    for row in result.rows:
        seen.setdefault(row.mechanism, row.guarantee)
    lines += [f"- `{name}`: {guarantee}." for name, guarantee in seen.items()]
    return "\n".join(lines) + "\n"


def _cell(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.3f}"


def plot(result: Result, title: str, paths: Iterable[Path]) -> None:
    """Accuracy against the strongest attack, one curve a mechanism, error bars of one standard error
    (matplotlib).
    """
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "cmif"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 6))
    names = list(dict.fromkeys(row.mechanism for row in result.rows))
    colours = pyplot.get_cmap("tab20")
    for number, name in enumerate(names):
        chosen = [row for row in result.rows if row.mechanism == name and math.isfinite(row.accuracy)]
        chosen.sort(key=lambda row: row.epsilon)
        axes.errorbar(
            [strongest(row) for row in chosen],
            [row.accuracy for row in chosen],
            yerr=[row.accuracy_se for row in chosen],
            label=name,
            color=colours(number % 20),
            marker="o" if name in OURS else "s",
            linestyle="-" if name in OURS else "--",
            linewidth=2.4 if name == "default" else 1.1,
            markersize=5 if name == "default" else 4,
            capsize=2,
        )
    axes.axhline(result.clean_accuracy, color="grey", linewidth=0.8)
    axes.set_xlabel("share of sensitive words recovered by the strongest attack")
    axes.set_ylabel("accuracy")
    axes.set_title(title)
    axes.legend(fontsize=8, ncol=2)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    for path in paths:
        figure.savefig(path, dpi=130, metadata={"Date": None} if path.suffix == ".svg" else {})
    pyplot.close(figure)


def write(
    result: Result, folder: Path, name: str, command: str, settings: Mapping[str, Any], note: str = ""
) -> None:
    """``folder``/``name``.{json,md,svg,png}. The JSON is the contract's, with the command, settings and
    single draws beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = contract(result) | {
        "command": command,
        "settings": dict(settings),
        "examples": result.examples,
        "sensitive_words": result.sensitive,
        "coverage": result.coverage,
        "accuracy_draws": [list(row.accuracy_draws) for row in result.rows],
    }
    (folder / f"{name}.json").write_text(json.dumps(whole, indent=1, default=str) + "\n", "utf-8")
    (folder / f"{name}.md").write_text(f"# {name}\n\n{markdown(result, command, note)}", "utf-8")
    plot(result, f"{name}: accuracy against attack", [folder / f"{name}.svg", folder / f"{name}.png"])
