from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cmif.cli.main import app
from cmif.enclave.detect import default_detectors
from cmif.errors import BundleError, InputError


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_json_has_the_contract_s_keys(tiny_split: Path) -> None:
    bundle = str(tiny_split / "client")
    told = json.loads(
        run("inspect", "Anna Oberhuber has pain.", "--bundle", bundle, "--policy", "content", "--json")
    )
    assert set(told) == {"sent_text", "epsilon", "mode", "k", "eps_in", "eps_out", "detectors", "tokens"}
    assert told["detectors"] == [detector.name for detector in default_detectors()]
    assert all(set(t) == {"text", "sent", "kept", "kind", "epsilon"} for t in told["tokens"])
    assert "Oberhuber" not in told["sent_text"]


def test_jsonl_gives_one_line_a_line(tiny_split: Path, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"text": "John Oberhuber"}\n{"text": "no names here"}\n\n{"text": ""}\n')
    lines = run(
        "inspect", "--jsonl", str(file), "--bundle", str(tiny_split / "client"), "--policy", "entities"
    ).splitlines()
    told = [json.loads(line)["sent_text"] for line in lines]
    assert told[1:] == ["no names here", ""]
    assert "Oberhuber" not in told[0]


@pytest.mark.parametrize("content", ["not json\n", '{"txt": "a"}\n', '{"text": 5}\n', '{"text": "ok"}\n[]\n'])
def test_a_bad_file_prints_nothing(tiny_split: Path, tmp_path: Path, content: str) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(content)
    result = CliRunner().invoke(
        app, ["inspect", "--jsonl", str(file), "--bundle", str(tiny_split / "client")]
    )
    assert isinstance(result.exception, InputError)
    assert result.stdout == ""


def test_wrong_arguments_are_refused(tiny_split: Path, tmp_path: Path) -> None:
    def error(*arguments: str) -> BaseException | None:
        return CliRunner().invoke(app, ["inspect", *arguments]).exception

    bundle = str(tiny_split / "client")
    assert isinstance(error("--bundle", bundle), InputError)
    assert isinstance(error("text", "--policy", "nothing", "--bundle", bundle), InputError)
    assert isinstance(error("text", "--bundle", str(tmp_path)), BundleError)


def test_people_get_a_table_with_k_and_epsilon(tiny_split: Path) -> None:
    shown = run(
        "inspect", "Anna Oberhuber has pain.", "--bundle", str(tiny_split / "client"), "--policy", "content"
    )
    assert "eps_in" in shown
    assert "Not protected" in shown


def test_a_covered_text_shows_its_groups_and_what_they_guarantee(tiny_split: Path, tmp_path: Path) -> None:
    file = tmp_path / "cover.toml"
    file.write_text("cover = {k = 8}", "utf-8")
    for said, mode, k, eps_in in (("I have gout.", "cover", 8, 0), ("I have pain.", "mechanism", None, 1)):
        told = json.loads(
            run("inspect", said, "--bundle", str(tiny_split / "client"), "--policy", str(file), "--json")
        )
        assert (told["mode"], told["eps_in"]) == (mode, eps_in)
        assert (told["eps_out"] is None) == (mode == "cover")
        if k:
            assert told["k"] == k
            assert told["sent_text"].count("|") == k - 1
            assert "gout" in told["sent_text"]
            assert told["epsilon"] == 0
