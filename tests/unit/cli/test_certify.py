from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from cmif.cli.main import app
from cmif.privacy.table import Table
from cmif.types import WordClass


def test_a_split_s_table_is_certified(tiny_split: Path) -> None:
    result = CliRunner().invoke(app, ["certify", str(tiny_split / "client"), "--json"])
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert set(told) == {
        "certified", "k", "eps_in", "eps_out", "gamma", "law", "buckets", "constant", "words", "seconds", "probes",
    }  # fmt: skip
    assert told["certified"] is True


def test_a_folder_that_is_no_bundle_is_named(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["certify", str(tmp_path / "none")])
    assert told.exit_code == 1
    assert "There is no client bundle in 'none'." in str(told.exception)


def test_the_bucket_mates_of_sensitive_words_are_shown(tiny_split: Path) -> None:
    table = Table.load(tiny_split / "client" / "table.npz")
    client = str(tiny_split / "client")
    probes = json.loads(CliRunner().invoke(app, ["certify", client, "--json"]).stdout)["probes"]
    lines = CliRunner().invoke(app, ["certify", client]).stdout.splitlines()
    assert len(probes) >= 2
    for word, probe in probes.items():
        index = table.index(word, WordClass.WORD)
        assert index is not None
        mates = {table.words[i] for i in table.candidates(index)} - {word}
        assert set(probe["bucket"]) == mates
        assert probe["epsilon"] == table.epsilon_of(index)
        line = next(line for line in lines if line.startswith(f"{word} "))
        assert set(line.split(":", 1)[1].strip().split(", ")) == mates


def test_one_flipped_weight_makes_it_fail(tiny_split: Path, tmp_path: Path) -> None:
    client = shutil.copytree(tiny_split / "client", tmp_path / "client")
    with np.load(client / "table.npz") as stored:
        arrays = dict(stored)
    name = max((n for n, a in arrays.items() if a.dtype == np.uint64), key=lambda n: arrays[n].size)
    arrays[name].flat[arrays[name].size // 2] ^= np.uint64(1)
    with (client / "table.npz").open("wb") as file:
        np.savez(file, **arrays)
    result = CliRunner().invoke(app, ["certify", str(client), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["certified"] is False
