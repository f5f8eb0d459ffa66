"""The public text that the word list counts: what the list of public data marks T, in a fixed order.

MedQuAD, MTS-Dialog and OpenStax Nursing (CC BY 4.0), PubMedQA (MIT), the self-instruct seeds (Apache-2.0) and
public-domain books. The folder comes as ``--data`` (default: ``shared/data`` beside the checkout).
"""

from __future__ import annotations

import csv
import json
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

def paragraphs(data: Path, *, books: int) -> Iterator[tuple[str, str, str]]:
    """(source, document id, paragraph of 40-1,200 characters), in a fixed order; only the first ``books`` books."""
    for source, identity, text in _documents(data, books):
        for part in re.split(r"\n\s*\n|\n(?=[A-Z•-])", text):
            part = re.sub(r"\s+", " ", part).strip()
            while len(part) >= 40:
                cut = len(part) if len(part) <= 1200 else max(part.rfind(". ", 0, 1200) + 1, 400)
                yield source, identity, part[:cut].strip()
                part = part[cut:].strip()


def _documents(data: Path, books: int) -> Iterator[tuple[str, str, str]]:
    for row in _lines(data / "medquad/medquad.jsonl.xz"):
        yield "medquad", f"medquad {row['doc']}", f"{row['question']}\n\n{row['answer']}"
    with (data / "pubmedqa/ori_pqal.json").open(encoding="utf-8") as file:
        for key, row in json.load(file).items():
            yield "pubmedqa", f"pubmedqa {key}", "\n\n".join([*row["CONTEXTS"], row["LONG_ANSWER"]])
    with (data / "mts-dialog/MTS-Dialog-TrainingSet.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield "mts-dialog", f"mts-dialog {row['ID']}", re.sub(r"\s+", " ", row["section_text"])
            yield "mts-dialog", f"mts-dialog {row['ID']}", re.sub(r"\s+", " ", row["dialogue"])
    for row in _lines(data / "openstax_nursing/openstax_nursing.jsonl.xz"):
        yield "openstax_nursing", f"nursing {row['id']}", str(row["text"])
    for name in ("self_instruct_seed_tasks", "self_instruct_user_oriented_252"):
        with (data / f"instructions/{name}.jsonl").open(encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                for case in row["instances"]:
                    text = f"{row['instruction']} {case['input']} {case['output']}"
                    yield "instructions", f"instructions {row['id']}", re.sub(r"\s+", " ", text)
    for n, row in enumerate(_lines(data / "books/books.jsonl.xz")):
        if n == books:
            return
        yield "books", f"book {row['id']}", str(row["text"]).split("-------", 1)[-1]


def _lines(path: Path) -> Iterator[dict[str, str]]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
