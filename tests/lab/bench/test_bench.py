from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

import cmif_lab.bench.bench as bench
from cmif.errors import InputError
from cmif_lab.bench.machine import cpu_seconds
from cmif_lab.bench.report import markdown, svg

PLACEMENTS = ("plain", "cmif", "linear-offload", "enclave-only")
KEYS = {"placement", "prompt", "new", "rtt_ms", "concurrency", "ttft_ms", "total_ms", "tokens_per_s", "ratio_vs_plain",
        "round_trips", "bytes_up", "bytes_down", "bytes_up_vs_bf16", "cpu_ms", "cpu_ratio_vs_plain", "steps_ms", "output_equals_plain"}  # fmt: skip


@pytest.fixture(scope="module")
def result(tiny_split: Path) -> dict[str, object]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        return bench.run_bench(
            placements=PLACEMENTS,
            policy="all",
            model=tiny_split,
            prompt=(24,),
            new=(6,),
            rtt_ms=(0.0, 8.0),
            concurrency=(1, 2),
            repeat=2,
        )


def test_every_placement_and_load_has_a_row_with_the_contracts_keys(result: dict) -> None:
    rows = result["rows"]
    assert len(rows) == len(PLACEMENTS) * 4
    assert {(r["placement"], r["rtt_ms"], r["concurrency"]) for r in rows} == {
        (name, rtt, c) for name in PLACEMENTS for rtt in (0.0, 8.0) for c in (1, 2)
    }
    assert all(set(r) >= KEYS for r in rows)
    assert json.loads(json.dumps(result)) == result


def test_every_placement_answers_as_plain_does(result: dict) -> None:
    assert all(r["output_equals_plain"] for r in result["rows"])
    assert all(r["ratio_vs_plain"] == 1 for r in result["rows"] if r["placement"] == "plain")


def test_a_round_trip_costs_what_was_injected(result: dict) -> None:
    """Lower bounds only: a sleep may take longer, never less."""
    for row in result["rows"]:
        if row["rtt_ms"]:
            assert row["total_ms"] >= row["round_trips"] * row["rtt_ms"]
            assert row["steps_ms"].get("network", 0.0) >= row["round_trips"] * row["rtt_ms"] - 1


def test_steps_are_those_of_the_placement(result: dict) -> None:
    steps = {r["placement"]: set(r["steps_ms"]) for r in result["rows"]}
    assert {
        "detect",
        "sanitise",
        "charge",
        "tokenise",
        "embed",
        "encode",
        "network",
        "engine",
        "restore",
    } <= steps["cmif"]
    assert not {"detect", "sanitise", "charge", "embed", "restore"} & steps["plain"]
    for row in result["rows"]:
        if row["concurrency"] == 1:
            assert sum(row["steps_ms"].values()) == pytest.approx(row["total_ms"], rel=0.5)


def test_bytes_are_counted_against_dense_bf16(result: dict, tiny_split: Path) -> None:
    hidden = json.loads((tiny_split / "client" / "manifest.json").read_text())["hidden"]
    for row in result["rows"]:
        if row["placement"] == "plain":  # a header of 124 bytes, and 4 a token
            assert row["bytes_up"] == pytest.approx(124 + 4 * row["prompt_tokens"], abs=4)
            expected = row["bytes_up"] / (row["prompt_tokens"] * hidden * 2)
            assert row["bytes_up_vs_bf16"] == pytest.approx(expected, rel=0.04)  # its tokens are rounded
    by_name = {r["placement"]: r for r in result["rows"] if r["rtt_ms"] == 0 and r["concurrency"] == 1}
    assert by_name["enclave-only"]["bytes_up"] == 0
    assert by_name["linear-offload"]["bytes_up"] > by_name["cmif"]["bytes_up"] > by_name["plain"]["bytes_up"]


def test_the_reports_hold_every_row(result: dict) -> None:
    text = markdown(result)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(lines) == 2 * (len(result["rows"]) + 2)
    assert len({line.count("|") for line in lines[: len(lines) // 2]}) == 1
    picture = ElementTree.fromstring(svg(result))
    namespace = "{http://www.w3.org/2000/svg}"
    assert len(picture.findall(f"{namespace}rect")) == len(result["rows"]) + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"placements": ("plain", "cloud")},
        {"placements": ()},
        {"wire": "gzip"},
        {"engine": "llama.cpp"},
        {"engine": "vllm", "placements": ("cmif-strict",)},
        {"shape": "llama-9"},
        {"shape": "tiny"},
        {"model": None},
        {"repeat": 0},
        {"new": (0,)},
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_starts(wrong: dict, tiny_split: Path) -> None:
    settings = {"model": None if wrong.get("shape") == "llama-9" else tiny_split, **wrong}
    with pytest.raises(InputError):
        bench.run_bench(**settings)


def test_cpu_time_is_that_of_a_process_and_its_children() -> None:
    burn = "import subprocess, sys, time\nif len(sys.argv) > 1:\n    subprocess.Popen([sys.executable, '-c', sys.argv[1]])\n"
    spin = "import time\nwhile time.process_time() < 0.3: pass\nprint('spun', flush=True)\ntime.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", burn + "time.sleep(60)", spin], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        try:
            assert cpu_seconds(parent.pid) >= 0.28  # /proc counts in hundredths
        finally:
            for child in psutil.Process(parent.pid).children():
                child.kill()
            parent.kill()
    assert cpu_seconds(parent.pid) == 0.0
