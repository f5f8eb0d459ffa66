from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cmif_lab.answers import report, table
from cmif_lab.answers.collect import AGAIN, OFF, Answer, Ask, plan
from cmif_lab.answers.jobs import Job


def job(number: int, *, truth: tuple[str, ...] = (), private: tuple[str, ...] = ()) -> Job:
    task = "notes" if truth else "pupa"
    return Job(
        task, number, f"prompt {number} of Ann", f"prompt {number} of [MASK]", "prompt", truth, private, 8
    )


def asked(
    jobs: Sequence[Job], texts: dict[str, list[str]], seen: dict[str, str]
) -> tuple[list[Ask], dict[str, Answer]]:
    """Answers of `off` and one gateway `x`; the baselines say nothing."""
    asks = plan(jobs, [OFF, "x"])
    answers = {
        ask.key: Answer(
            ask.key,
            ask.arm,
            "m",
            texts.get(ask.arm, [""] * len(jobs))[ask.job.number],
            seen.get(ask.arm),
            2.0,
            None,
        )
        for ask in asks
    }
    return asks, answers


def same(left: Sequence[str], right: Sequence[str]) -> np.ndarray:
    return np.array([float(a == b) for a, b in zip(left, right, strict=True)])


def test_a_gain_on_every_question_has_an_interval_without_width() -> None:
    jobs = [job(i, truth=("yes",)) for i in range(20)]
    asks, answers = asked(jobs, {OFF: ["no"] * 20, "x": ["yes"] * 20}, {})
    [line] = table.lines(asks, answers, same)
    assert (line.count, line.reference) == (20, OFF)
    assert line.cells[OFF] == table.Cell(0.0)
    assert line.cells["x"] == table.Cell(1.0, 1.0, 1.0, 1.0)


def test_the_interval_is_paired_over_questions() -> None:
    """Both arms vary widely and always together: unpaired, the interval would be 0.4 wide."""
    jobs = [job(i, truth=("yes",)) for i in range(40)]
    both = ["yes", "no"] * 20
    asks, answers = asked(jobs, {OFF: both, "x": both}, {})
    cell = table.lines(asks, answers, same)[0].cells["x"]
    assert (cell.mean, cell.low, cell.high) == (0.5, 0.0, 0.0)


def test_the_interval_widens_with_the_disagreement_and_holds_the_difference() -> None:
    jobs = [job(i, truth=("yes",)) for i in range(40)]
    asks, answers = asked(jobs, {OFF: ["yes"] * 40, "x": ["yes"] * 30 + ["no"] * 10}, {})
    cell = table.lines(asks, answers, same)[0].cells["x"]
    assert cell.difference == -0.25
    assert cell.low is not None
    assert cell.high is not None
    assert -0.45 < cell.low < -0.25 < cell.high < -0.05


def test_without_a_truth_the_unprotected_answer_is_the_measure_and_its_second_answer_the_yardstick() -> None:
    jobs = [job(i) for i in range(10)]
    asks, answers = asked(jobs, {OFF: ["a"] * 10, "x": ["a"] * 10, AGAIN: ["a"] * 5 + ["b"] * 5}, {})
    [line] = table.lines(asks, answers, same)
    assert line.reference == AGAIN
    assert OFF not in line.cells
    assert (line.cells[AGAIN].mean, line.cells["x"].mean, line.cells["x"].difference) == (0.5, 1.0, 0.5)


def test_a_leak_is_a_share_of_parts_in_what_the_engine_read() -> None:
    jobs = [job(0, private=("Ann", "prompt")), job(1, private=("Ann",))]
    seen = {OFF: "prompt of Ann", "x": "prompt of Eve", "masked": "", "nothing": ""}
    asks, answers = asked(jobs, {}, seen)
    leak = table.lines(asks, answers, same)[-1]
    assert (leak.metric, leak.count) == ("labelled parts seen", 3)
    assert leak.cells[OFF].mean == 1.0
    assert leak.cells["x"].mean == pytest.approx(1 / 3)
    assert AGAIN not in leak.cells


def test_an_endpoint_that_does_not_tell_what_it_read_has_no_leak_and_off_is_taken_at_its_prompt() -> None:
    jobs = [job(0, private=("Ann",))]
    asks, answers = asked(jobs, {}, {})
    leak = table.lines(asks, answers, same)[-1]
    assert set(leak.cells) == {OFF}
    assert leak.cells[OFF].mean == 1.0


def test_the_report_shows_every_arm_and_the_refused() -> None:
    jobs = [job(i, truth=("yes",)) for i in range(4)]
    asks, answers = asked(jobs, {OFF: ["yes"] * 4, "x": ["yes"] * 4}, {})
    first = next(ask.key for ask in asks if ask.arm == "x")
    answers[first] = replace(answers[first], text="", error="context_length_exceeded")
    told = report.contract(
        table.lines(asks, answers, same),
        table.epsilons(asks, answers),
        table.refusals(asks, answers),
        "cmd",
        "m",
    )
    text = report.markdown(told)
    assert "| notes | contained | 4 | 1.000 | 0.750 (-0.750 to +0.000) | 0.000" in text
    assert "| all | epsilon a request |  | 2.0 | 2.0 | 2.0 | 2.0 |" in text
    assert "| all | requests refused |  | 0 | 1 | 0 | 0 |" in text
