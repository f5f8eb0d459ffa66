"""What privacy costs, as measured: accuracy against the strongest attack, drawn as SVG by the page's template.

The numbers are of two files of `docs/results`, ours of the first, in `frontier.json` beside this file; a test compares
them. They are of one public task and one small classifier, not of the bundle at hand: its own K and
epsilon are marked among them where they were measured.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

WIDTH, HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 600, 16, 272
_LOW, _HIGH = 0.5, 0.82
"""Accuracies at the bottom and the top of the plot; a guess between two answers is right half of the time."""


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement: ``accuracy`` of the task with its standard error, ``attack`` the part of sensitive words that
    the strongest of the attacks recovers, both from 0 to 1. ``k`` 0: no buckets. ``own``: with the settings of this
    gateway's table.
    """

    name: str
    epsilon: float
    k: int
    accuracy: float
    accuracy_se: float
    attack: float
    own: bool = False

    @property
    def x(self) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * self.attack, 1)

    @property
    def y(self) -> float:
        return _y(self.accuracy)

    @property
    def error(self) -> tuple[float, float]:
        """Where the bar of one standard error begins and ends."""
        return _y(self.accuracy + self.accuracy_se), _y(self.accuracy - self.accuracy_se)


def _y(accuracy: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * (accuracy - _LOW) / (_HIGH - _LOW), 1)


@dataclass(frozen=True)
class Frontier:
    """The plot: ``ours`` the default table's points by epsilon, which a line joins; ``others`` what they are compared
    with.
    """

    sources: tuple[str, ...]
    ours: tuple[Point, ...]
    others: tuple[Point, ...]

    @classmethod
    def of(cls, law: str, k: int, epsilon: float) -> Frontier:
        """The measured points, the one of this law, K and epsilon marked if it is among them."""
        told: dict[str, Any] = json.loads((files(__package__) / "frontier.json").read_text("utf-8"))

        def point(row: dict[str, Any]) -> Point:
            same = row["name"] == "CMIF" and (told["law"], row["k"], row["epsilon"]) == (law, k, epsilon)
            return Point(**row, own=same)

        points = [point(row) for row in told["points"]]
        ours = sorted((p for p in points if p.name == "CMIF"), key=lambda p: p.epsilon)
        return cls(tuple(told["sources"]), tuple(ours), tuple(p for p in points if p.name != "CMIF"))

    @cached_property
    def points(self) -> tuple[Point, ...]:
        return (*self.ours, *self.others)

    @property
    def line(self) -> str:
        return " ".join(f"{point.x},{point.y}" for point in self.ours)

    @property
    def own(self) -> Point | None:
        return next((point for point in self.ours if point.own), None)

    @property
    def across(self) -> list[tuple[float, str]]:
        """Ticks of the attack's axis and what stands at them."""
        return [(_LEFT + (_RIGHT - _LEFT) * n / 4, f"{n * 25} %") for n in range(5)]

    @property
    def up(self) -> list[tuple[float, str]]:
        return [(_y(n / 100), f"{n} %") for n in (50, 60, 70, 80)]
