from __future__ import annotations

import csv
import json
import lzma
from pathlib import Path

import pytest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a few rows of NQ-open, GSM8K, MTS-Dialog, PUPA and one book."""
    folder = tmp_path / "data"
    for name in ("nq_open", "gsm8k", "mts-dialog", "pupa", "books"):
        (folder / name).mkdir(parents=True)
    questions = [
        {"question": f"who met mary in the park of {x}", "answer": ["Ann"]} for x in ("paris", "rome")
    ]
    _json_lines(folder / "nq_open" / "dev_first_half.jsonl", questions)
    sums = [{"question": "Mary has 2 eggs and buys 3. How many?", "answer": "2+3=<<2+3=5>>5\n#### 5"}]
    _json_lines(folder / "gsm8k" / "test_first_half.jsonl", sums)
    _table(
        folder / "mts-dialog" / "MTS-Dialog-ValidationSet.csv",
        [
            {"dialogue": "Doctor: Since when?\n" + "Patient: I have a cough. " * 10},
            {"dialogue": "Too short."},
        ],
    )
    row = {
        "predicted_category": "mail",
        "user_query": "write to Mahsa Rana of Wipro about d severe fee",
        "redacted_query": "write to [REDACTED] of [REDACTED] about [REDACTED] severe fee",
        "pii_units": "mahsa rana||wipro||d||mahs||elsewhere",
    }
    _table(folder / "pupa" / "PUPA_TNB.csv", [row, {**row, "user_query": "nichts für uns"}])
    with lzma.open(folder / "books" / "books.jsonl.xz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({"text": "He met Mary in the park of Paris, and who met Mary in Rome."}) + "\n")
    return folder


def _json_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
