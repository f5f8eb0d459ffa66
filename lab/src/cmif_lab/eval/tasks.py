"""The tasks: labelled texts, read from a folder of files, or from the `datasets` hub when that package and a
network are there.

Folder layout (``--data DIR``), one sub-folder a task; UTF-8, tab separated without quoting unless said
otherwise:

=================== ======================================================== =========================================
folder              files                                                    columns
=================== ======================================================== =========================================
sst2                train_sentences_6920.tsv (else train.tsv), dev.tsv       sentence, label (a header line is skipped)
qnli                train.tsv, dev.tsv                                       index, question, sentence, label
mrpc                train.txt (a fifth is held out)                          Quality, #1 ID, #2 ID, #1 String, #2 String
stsb                sts-train.csv, sts-dev.csv                               genre, file, year, id, score, two sentences
pubmedqa            ori_pqal.json, test_ground_truth.json (the test ids)     QUESTION, LONG_ANSWER, final_decision
financial_phrasebank Sentences_AllAgree.txt (a quarter is held out)          sentence@label, UTF-8 or Latin-1
legalbench          legalbench_tasks.jsonl (a third is held out)             task, text, license
=================== ======================================================== =========================================

STS-B is scored as a binary task (score >= 3 or below). `medical` asks for the decision from the question and
the conclusion; `legal` asks which kind of document a passage comes from (its LegalBench family), over rows
whose licence permits any use. Knows nothing about models or privacy.
"""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cmif.errors import InputError
from cmif_lab.eval import plugins


@dataclass(frozen=True)
class Example:
    """One or two texts and a class number."""

    texts: tuple[str, ...]
    label: int


@dataclass(frozen=True)
class Task:
    """``labels[i]`` names class i; ``words[i]`` is the word a causal model is asked to say for it after
    ``prompt``.
    """

    name: str
    labels: tuple[str, ...]
    words: tuple[str, ...]
    prompt: str
    train: tuple[Example, ...]
    test: tuple[Example, ...]


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError(f"{path.parent.name}/{path.name} is missing in the data folder.")
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return [line for line in text.split("\n") if line.strip()]


def _rows(path: Path, columns: int) -> Iterable[list[str]]:
    for number, line in enumerate(_lines(path), 1):
        row = line.rstrip("\r").split("\t")
        if len(row) < columns:
            raise InputError(f"{path.parent.name}/{path.name} line {number} has fewer than {columns} columns.")
        yield row


def _held_out(texts: tuple[str, ...], every: int) -> bool:
    """A split that depends on the text alone, so that order and platform do not matter."""
    return zlib.crc32("\t".join(texts).encode()) % every == 0


def _split(examples: Iterable[Example], every: int) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    unique = list(dict.fromkeys(examples))
    train = tuple(e for e in unique if not _held_out(e.texts, every))
    return train, tuple(e for e in unique if _held_out(e.texts, every))


def _sst2(folder: Path) -> Task:
    def read(name: str) -> tuple[Example, ...]:
        rows = [row for row in _rows(folder / name, 2) if row[1].strip() in ("0", "1")]
        return tuple(Example((row[0].strip(),), int(row[1])) for row in rows)

    sentences = folder / "train_sentences_6920.tsv"
    train = read(sentences.name if sentences.is_file() else "train.tsv")
    return Task(
        "sst2", ("negative", "positive"), ("bad", "good"), "Review: {0}\nThis film is", train, read("dev.tsv")
    )


def _qnli(folder: Path) -> Task:
    def read(name: str) -> tuple[Example, ...]:
        rows = [row for row in _rows(folder / name, 4) if row[3].strip().endswith("entailment")]
        return tuple(Example((row[1], row[2]), int(row[3].strip() == "entailment")) for row in rows)

    prompt = "Question: {0}\nText: {1}\nDoes the text answer the question? Answer:"
    return Task(
        "qnli", ("not_entailment", "entailment"), ("no", "yes"), prompt, read("train.tsv"), read("dev.tsv")
    )


def _mrpc(folder: Path) -> Task:
    rows = [row for row in _rows(folder / "train.txt", 5) if row[0] in ("0", "1")]
    train, test = _split((Example((row[3], row[4]), int(row[0])) for row in rows), 5)
    prompt = "First: {0}\nSecond: {1}\nDo both mean the same? Answer:"
    return Task("mrpc", ("different", "paraphrase"), ("no", "yes"), prompt, train, test)


def _stsb(folder: Path) -> Task:
    def read(name: str) -> tuple[Example, ...]:
        return tuple(Example((r[5], r[6]), int(float(r[4]) >= 3.0)) for r in _rows(folder / name, 7))

    prompt = "First: {0}\nSecond: {1}\nDo both mean the same? Answer:"
    return Task(
        "stsb", ("below 3", "3 or more"), ("no", "yes"), prompt, read("sts-train.csv"), read("sts-dev.csv")
    )


def _medical(folder: Path) -> Task:
    labels = ("no", "yes", "maybe")
    data: dict[str, dict[str, Any]] = json.loads("\n".join(_lines(folder / "ori_pqal.json")))
    test_ids = set(json.loads("\n".join(_lines(folder / "test_ground_truth.json"))))
    parts: dict[bool, list[Example]] = {False: [], True: []}
    for key, row in data.items():
        example = Example((row["QUESTION"], row["LONG_ANSWER"]), labels.index(row["final_decision"]))
        parts[key in test_ids].append(example)
    prompt = "Question: {0}\nConclusion: {1}\nAnswer:"
    return Task("medical", labels, labels, prompt, tuple(parts[False]), tuple(parts[True]))


def _financial(folder: Path) -> Task:
    labels = ("negative", "neutral", "positive")
    pairs = [line.rstrip("\r").rpartition("@") for line in _lines(folder / "Sentences_AllAgree.txt")]
    train, test = _split((Example((a.strip(),), labels.index(b.strip())) for a, _, b in pairs), 4)
    return Task(
        "financial", labels, ("bad", "neutral", "good"), "News: {0}\nFor the company this is", train, test
    )


FAMILIES = {
    "cuad": "contract",
    "contract_nli": "secrecy",
    "supply_chain_disclosure": "labour",
    "maud": "merger",
}


def _legal(folder: Path) -> Task:
    labels = tuple(sorted(set(FAMILIES.values())))
    examples = []
    for line in _lines(folder / "legalbench_tasks.jsonl"):
        row = json.loads(line)
        family = next(
            (word for prefix, word in FAMILIES.items() if row["task"].startswith(prefix + "_")), None
        )
        if family and "nc" not in row["license"].lower().replace("license", ""):
            examples.append(Example((" ".join(row["text"].split()[:80]),), labels.index(family)))
    train, test = _split(examples, 3)
    return Task("legal", labels, labels, "Passage: {0}\nThis document is about a", train, test)


READERS: dict[str, tuple[str, Callable[[Path], Task]]] = {
    "sst2": ("sst2", _sst2),
    "qnli": ("qnli", _qnli),
    "mrpc": ("mrpc", _mrpc),
    "stsb": ("stsb", _stsb),
    "medical": ("pubmedqa", _medical),
    "financial": ("financial_phrasebank", _financial),
    "legal": ("legalbench", _legal),
}
# The hub's names: data set, configuration, training split, test split, text columns.
HUB = {
    "sst2": ("nyu-mll/glue", "sst2", "train", "validation", ("sentence",)),
    "qnli": ("nyu-mll/glue", "qnli", "train", "validation", ("question", "sentence")),
    "mrpc": ("nyu-mll/glue", "mrpc", "train", "validation", ("sentence1", "sentence2")),
}


HELD_OUT = 1000


def part(task: Task, name: str) -> Task:
    """The task restricted to one part, for choosing parameters without touching what confirms them.

    `choose`: every second test example and the last 1,000 training examples (a quarter where there are fewer
    than 4,000), which leave the training set. `confirm`: the other half of the test examples. `all`: as it is.
    """
    if name == "all":
        return task
    if name == "confirm":
        return replace(task, test=task.test[1::2])
    if name == "choose":
        cut = len(task.train) - min(HELD_OUT, len(task.train) // 4)
        return replace(task, train=task.train[:cut], test=task.test[::2] + task.train[cut:])
    raise InputError(f"Unknown part {name!r}.", hint="One of: all, choose, confirm.")


def load(name: str, data: Path | None) -> Task:
    """The task ``name`` from ``data``/<its folder>, or from the hub when ``data`` is None; a plug-in's from
    wherever it reads. Raises InputError.
    """
    if name in plugins.names(plugins.TASKS) and name not in READERS:
        return plugins.task(name)(data)
    if name not in READERS:
        known = (*READERS, *plugins.names(plugins.TASKS))
        raise InputError(f"Unknown task {name!r}.", hint=f"One of: {', '.join(known)}.")
    folder, reader = READERS[name]
    if data is None:
        return _from_hub(name)
    if not (data / folder).is_dir():
        raise InputError(f"The data folder has no {folder}/.", hint="See cmif_lab.eval.tasks for the layout.")
    try:
        task = reader(data / folder)
    except (ValueError, KeyError, csv.Error) as error:
        raise InputError(f"A file of {folder}/ does not follow the format: {type(error).__name__}.") from None
    if not task.train or not task.test:
        raise InputError(f"{folder}/ holds no examples.")
    return task


def _from_hub(name: str) -> Task:
    if name not in HUB:
        raise InputError(f"Task {name!r} needs a folder of files.", hint="Give it with --data DIR.")
    try:
        import datasets
    except ImportError:
        raise InputError("No --data DIR and the `datasets` package is not installed.") from None
    path, configuration, train, test, columns = HUB[name]
    try:
        sets = [datasets.load_dataset(path, configuration, split=split) for split in (train, test)]
    except Exception as error:
        raise InputError(
            f"The data hub cannot be reached ({type(error).__name__}).", hint="Use --data DIR."
        ) from None
    flip = name == "qnli"  # the hub's QNLI has 0 for entailment
    parts = [
        tuple(Example(tuple(row[c] for c in columns), int(row["label"]) ^ flip) for row in rows)
        for rows in sets
    ]
    frame = {"sst2": _SST2, "qnli": _PAIR, "mrpc": _PAIR}[name]
    return Task(name, *frame, parts[0], parts[1])


_SST2 = (("negative", "positive"), ("bad", "good"), "Review: {0}\nThis film is")
_PAIR = (("no", "yes"), ("no", "yes"), "First: {0}\nSecond: {1}\nAnswer:")
