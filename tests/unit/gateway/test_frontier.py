"""The plot of the page: the published results' own numbers, and this gateway's point among them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cmif.gateway.ui.frontier import HEIGHT, WIDTH, Frontier

ROOT = Path(__file__).parents[3]
MECHANISMS = {
    "CMIF": "default",
    "the paper, literally": "cmif-literal",
    "SanText+": "santext+",
    "CusText+": "custext+",
    "metric DP": "metric",
    "noise on rows": "direct-dp",
    "nothing hidden": "none",
}


def test_every_point_is_a_row_of_the_published_results() -> None:
    plot = Frontier.of("medoid-rr", 20, 1.0)
    ours, others = (json.loads((ROOT / source).read_text("utf-8"))["rows"] for source in plot.sources)
    rows = {(r["mechanism"], r["epsilon"]): r for r in others if r["mechanism"] != "default"}
    rows |= {(r["mechanism"], r["epsilon"]): r for r in ours if r["mechanism"] == "default"}
    assert {point.name for point in plot.points} == set(MECHANISMS)
    for point in plot.points:
        row = rows[MECHANISMS[point.name], point.epsilon]
        strongest = max(value for name, value in row.items() if name.startswith("attack_") and value is not None)
        assert (point.accuracy, point.accuracy_se, point.attack) == pytest.approx(
            (row["accuracy"], row["accuracy_se"], strongest), abs=5e-5
        )
        assert point.k == row["k"]
    assert len(plot.ours) == sum(name == "default" for name, _ in rows), "no epsilon of ours is left out"


def test_the_gateway_s_own_settings_are_marked_where_they_were_measured() -> None:
    own = Frontier.of("medoid-rr", 20, 2.0).own
    assert own is not None
    assert (own.k, own.epsilon) == (20, 2.0)
    for law, k, epsilon in (("constant", 20, 2.0), ("medoid-rr", 17, 2.0), ("medoid-rr", 20, 2.5)):
        assert Frontier.of(law, k, epsilon).own is None


def test_every_point_lies_inside_the_plot_and_more_attack_is_further_right() -> None:
    plot = Frontier.of("medoid-rr", 20, 1.0)
    for point in plot.points:
        top, bottom = point.error
        assert 0 < point.x < WIDTH
        assert 0 < top < point.y < bottom < HEIGHT
    by_attack = sorted(plot.points, key=lambda point: point.attack)
    assert [point.x for point in by_attack] == sorted(point.x for point in plot.points)
