from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from cmif.cli.main import app


def test_a_split_s_table_is_certified(tiny_split: Path) -> None:
    result = CliRunner().invoke(app, ["certify", str(tiny_split / "client"), "--json"])
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert set(told) >= {"certified", "k", "eps_in", "eps_out", "gamma", "law", "buckets", "constant", "words", "seconds"}
    assert told["certified"] is True


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
