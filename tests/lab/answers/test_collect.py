from __future__ import annotations

import asyncio
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from cmif.cli.main import app
from cmif.errors import EngineUnavailableError, InputError
from cmif_lab.answers import servers
from cmif_lab.answers.collect import collect, plan, read
from cmif_lab.answers.jobs import Job

JOBS = [
    Job(
        "pupa",
        0,
        "write to John Smith of Berlin",
        "write to [MASK] of [MASK]",
        "write",
        (),
        ("John Smith",),
        6,
    ),
    Job("nq", 1, "who lives in Berlin?", "who lives in [MASK]?", "who?", ("Ann",), (), 4),
    Job("nq", 2, "who is at Northfield Bank?", "who is at [MASK]?", "who?", ("Ann",), (), 4),
]


@pytest.mark.slow
def test_a_run_that_stopped_goes_on_and_what_is_kept_is_not_asked_again(
    tiny_split: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "answers.jsonl"
    with servers.started(tiny_split, ["off", "entities"], tmp_path / "log") as urls:
        asks = plan(JOBS, list(urls))
        answers = asyncio.run(collect(asks, urls, kept))
        assert set(answers) == {ask.key for ask in asks}
        assert not any(a.error for a in answers.values())
        seen = {(ask.job.number, ask.arm): answers[ask.key].seen or "" for ask in asks}
        assert "John Smith" in seen[0, "off"]
        assert "John Smith" not in seen[0, "entities"]
        assert seen[0, "masked"] == "write to [MASK] of [MASK]"
        lines = kept.read_text("utf-8").splitlines(keepends=True)
        assert len(lines) == len({ask.key for ask in asks}) == len(asks) - 1  # "who?" was asked once for two

        changed = {**json.loads(lines[0]), "text": "kept from before"}
        kept.write_text(json.dumps(changed) + "\n" + "".join(lines[1:5]) + lines[5][:30], "utf-8")
        again = asyncio.run(collect(asks, urls, kept))
        assert again[changed["key"]].text == "kept from before"
        again.pop(changed["key"])
        greedy = [ask.key for ask in asks if ask.arm != "again" and ask.server == "off" and ask.key in again]
        assert [again[key].text for key in greedy] == [answers[key].text for key in greedy]
        assert len(read(kept)) == len(lines)

        other = {**changed, "model": "another model"}
        kept.write_text(json.dumps(other) + "\n", "utf-8")
        assert asyncio.run(collect(asks, urls, kept))[changed["key"]].model != "another model"
    kept.unlink()
    with pytest.raises(EngineUnavailableError, match="the same command goes on"):
        asyncio.run(collect(asks, urls, kept))


def test_a_question_that_the_gateway_refuses_is_an_empty_answer_with_its_code(
    tiny_split: Path, tmp_path: Path
) -> None:
    long = Job("nq", 0, "who lives in Berlin? " * 200, "who?", "who?", ("Ann",), (), 4)
    with servers.started(tiny_split, ["off"], tmp_path / "log") as urls:
        asks = plan([long], list(urls))
        answers = asyncio.run(collect(asks, urls, tmp_path / "answers.jsonl"))
    assert next((a.arm, a.text, bool(a.error)) for a in answers.values()) == ("off", "", True)
    assert sum(a.error is not None for a in answers.values()) == 1


def test_a_damaged_line_inside_the_file_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    kept = tmp_path / "answers.jsonl"
    kept.write_text('{"key": "a"}\n{"key": "b"}\n', "utf-8")
    with pytest.raises(InputError, match=r"Line 1 of answers\.jsonl"):
        read(kept)
    assert kept.read_text("utf-8").count("\n") == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["off"], "NAME=URL"),
        (["off=localhost:1"], "NAME=URL"),
        (["x=http://127.0.0.1:1"], "named 'off'"),
        (["off=http://a", "off=http://b"], "twice"),
        (["off=http://a", "masked=http://b"], "always there"),
    ],
)
def test_endpoints_that_make_no_comparison_are_refused(given: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        servers.parse(given)


def test_endpoints_are_named_urls_with_off_first() -> None:
    parsed = servers.parse(["x=http://127.0.0.1:1/v1/", "off=http://127.0.0.1:2"])
    assert list(parsed.items()) == [("off", "http://127.0.0.1:2"), ("x", "http://127.0.0.1:1")]


def test_the_command_writes_table_plot_and_json(tiny_split: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["eval", "answers", "--data", str(data), "--task", "nq:2,pupa:1", "--policy", "off,content"]
    answer = CliRunner().invoke(app, [*arguments, "--model", str(tiny_split), "--out", str(out), "--json"])
    assert answer.exit_code == 0, answer.output
    printed = json.loads(answer.stdout)
    assert printed == json.loads((out / "answers.json").read_text("utf-8"))
    assert [(line["task"], line["metric"]) for line in printed["lines"]] == [
        ("nq", "exact match"),
        ("nq", "contained"),
        ("pupa", "similarity"),
        ("pupa", "labelled parts seen"),
    ]
    assert set(printed["lines"][0]["cells"]) == {"off", "content", "masked", "nothing"}
    assert printed["lines"][-1]["cells"]["off"]["mean"] == 1.0
    assert printed["epsilon"]["content"] > 0 == printed["epsilon"]["off"]
    assert "| pupa | similarity | 1 |" in (out / "answers.md").read_text("utf-8")
    assert ElementTree.parse(out / "answers.svg").getroot().tag.endswith("svg")


@pytest.mark.parametrize("task", ["nq:0", "nq:x", "nq:-1"])
def test_a_count_that_is_none_is_refused(task: str) -> None:
    told = CliRunner().invoke(app, ["eval", "answers", "--task", task])
    assert isinstance(told.exception, InputError)
    assert "NAME:COUNT" in str(told.exception)


def test_eval_without_answers_is_the_command_of_the_tasks() -> None:
    for arguments in (["eval", "--help"], ["eval", "--draws", "2", "--help"]):
        told = CliRunner().invoke(app, arguments)
        assert told.exit_code == 0
        assert "--mechanism" in told.output
    assert "--base-url" in CliRunner().invoke(app, ["eval", "answers", "--help"]).output
