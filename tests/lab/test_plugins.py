"""A package outside the tree brings a detector, a mechanism, an attack and a task: installed, then run by the commands."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cmif.errors import InputError
from cmif_lab.eval import plugins
from tests.lab.eval import tiny

EXAMPLE = Path(__file__).parents[2] / "examples/plugins"


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built as a wheel and installed into a folder of its own."""
    folder = tmp_path_factory.mktemp("outside")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder)]
    done = subprocess.run([*pip, *offline, str(EXAMPLE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def cmif(outside: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = [*([str(outside)] if outside else []), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "cmif", *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_detector_runs_when_the_policy_names_it(outside: Path, tiny_split: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('detectors = ["wards"]\n')
    text = "She is on ward 7B since then."
    arguments = ("inspect", text, "--bundle", str(tiny_split / "client"), "--json", "--policy")
    assert "7B" in json.loads(cmif(outside, *arguments, "sensitive").stdout)["sent_text"]
    assert "7B" not in json.loads(cmif(outside, *arguments, str(policy)).stdout)["sent_text"]


def test_a_mechanism_an_attack_and_a_task_run_when_they_are_named(outside: Path, tmp_path: Path) -> None:
    model, _ = tiny.save_models(tmp_path)
    words = tmp_path / "words.tsv.gz"
    lines = [f"{word}\tword\t{100 - i}" for i, word in enumerate([*tiny.WORDS, *sorted(tiny.STOPS)])]
    words.write_bytes(gzip.compress("\n".join(lines).encode()))
    notes = [
        (f"the {t} is {w}", label)
        for label, ws in (("routine", tiny.GOOD), ("urgent", tiny.BAD))
        for w in ws
        for t in tiny.THINGS
    ]
    (tmp_path / "notes.tsv").write_text("\n".join("\t".join(note) for note in notes))
    told = cmif(
        outside, "eval", "notes", "--data", str(tmp_path), "--model", str(model), "--lexicon", str(words),
        "--mechanism", "uniform,rr,none", "--epsilon", "8", "--k", "4", "--attack", "commonest", "--draws", "1", "--json",
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    uniform, rr, none = json.loads(told.stdout)["rows"]
    assert uniform["mechanism"] == "uniform"
    assert uniform["guarantee"].startswith("0-LDP")
    assert uniform["audited_epsilon"] == 0
    assert rr["attack_commonest"] < 0.5 < rr["attack_unigram"]  # which also looks at what was released
    assert none["attack_commonest"] == 1  # a word let through has one candidate
    # all it can do against the uniform law is to say one word every time: here one of 24 words, of every text's two
    assert uniform["attack_commonest"] == uniform["attack_unigram"] < 0.2


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("eval", "notes"), "Unknown task 'notes'"),
        (("eval", "sst2", "--mechanism", "uniform", "--data", "."), "Unknown mechanism 'uniform'"),
        (
            ("eval", "sst2", "--mechanism", "none", "--attack", "commonest", "--data", "."),
            "Unknown attack 'commonest'",
        ),
    ],
)
def test_what_is_not_installed_is_refused_by_name(arguments: tuple[str, ...], what: str) -> None:
    told = cmif(None, *arguments)
    assert told.returncode == 2
    assert what in told.stderr


def test_a_plug_in_that_does_not_load_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint, EntryPoints

    points = EntryPoints((EntryPoint("absent", "cmif_no_such_module:x", plugins.TASKS),))
    monkeypatch.setattr(plugins, "entry_points", lambda **by: points.select(**by))
    with pytest.raises(InputError, match="The task 'absent' could not be loaded"):
        plugins.task("absent")
