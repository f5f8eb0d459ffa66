from __future__ import annotations

from pathlib import Path

import pytest

from cmif.errors import InputError
from cmif_lab.answers.jobs import MASK, TASKS, load
from cmif_lab.answers.scores import contained, leaked


def test_every_task_gives_its_prompt_its_masked_form_and_what_is_left_without_the_private_text(
    data: Path,
) -> None:
    jobs = {job.task: job for job in load(data, dict.fromkeys(TASKS, 1))}
    assert set(jobs) == set(TASKS)
    for job in jobs.values():
        assert job.nothing
        assert job.nothing != job.prompt
        assert leaked(job.private, job.prompt) == len(job.private)
        assert leaked(job.private, job.masked) == leaked(job.private, job.nothing) == 0
    assert jobs["nq"].prompt.startswith(
        ("Who met Mary in the park of Paris?", "Who met Mary in the park of Rome?")
    )
    assert MASK in jobs["nq"].masked
    assert "Mary" not in jobs["nq"].masked
    assert jobs["gsm8k"].truth == ("5",)
    assert jobs["pupa"].private == (
        "mahsa rana",
        "wipro",
    )  # neither the slip "d" nor what the prompt does not say
    assert jobs["pupa"].masked == f"write to {MASK} of {MASK} about {MASK} severe fee"


def test_what_is_sent_for_nothing_never_holds_the_truth() -> None:
    assert not any(contained(job.nothing, job.truth) for job in load(None, {"notes": 90}))


def test_a_smaller_sample_is_the_same_every_time(data: Path) -> None:
    assert load(data, {"nq": 1}) == load(data, {"nq": 1})
    assert len(load(data, {"nq": 50})) == 2


@pytest.mark.parametrize(
    ("task", "spoil", "message"),
    [
        ("sst2", "", "Unknown task"),
        ("nq", "nq_open/dev_first_half.jsonl", "missing in the data folder"),
        ("nq", "books/books.jsonl.xz", "no books/books.jsonl.xz"),
        ("pupa", "pupa/PUPA_TNB.csv", "missing in the data folder"),
    ],
)
def test_an_unknown_task_or_a_missing_file_is_said(data: Path, task: str, spoil: str, message: str) -> None:
    if spoil:
        (data / spoil).unlink()
    with pytest.raises(InputError, match=message):
        load(data, {task: 1})
    with pytest.raises(InputError, match="--data DIR" if task != "sst2" else "Unknown"):
        load(None, {task: 1})


def test_a_file_of_another_format_is_said_without_its_text(data: Path) -> None:
    (data / "gsm8k" / "test_first_half.jsonl").write_text('{"query": "my secret"}\n', "utf-8")
    with pytest.raises(InputError, match="does not follow the format: KeyError") as caught:
        load(data, {"gsm8k": 1})
    assert "secret" not in str(caught.value)


def test_files_without_a_question_are_said(data: Path) -> None:
    (data / "nq_open" / "dev_first_half.jsonl").write_text("\n", "utf-8")
    with pytest.raises(InputError, match="hold no question"):
        load(data, {"nq": 3})


def test_the_real_files_read(shared_dir: Path) -> None:
    jobs = load(shared_dir / "data", {"nq": 5, "gsm8k": 5, "summaries": 5, "pupa": 5})
    assert len(jobs) == 20
    assert all(job.truth for job in jobs if job.task in ("nq", "gsm8k"))
    assert all(job.private for job in jobs if job.task == "pupa")
