from __future__ import annotations

import json
from pathlib import Path

import pytest

from cmif.errors import InputError
from cmif_lab.eval import tasks


def _write(folder: Path) -> None:
    for name in ("qnli", "mrpc", "stsb", "pubmedqa", "financial_phrasebank", "legalbench"):
        (folder / name).mkdir(parents=True)
    for split in ("train", "dev"):
        rows = "index\tquestion\tsentence\tlabel\n0\tWho?\tHe.\tentailment\n1\tWhen?\tHere.\tnot_entailment\n"
        (folder / "qnli" / f"{split}.tsv").write_text(rows, "utf-8")
        row = "main\tfile\t2012\t1\t{}\tA man runs.\tA man walks.\n"
        (folder / "stsb" / f"sts-{split}.csv").write_text(row.format(4.2) + row.format(1.0), "utf-8")
    pairs = "".join(f'{i % 2}\t1\t2\tFirst "{i}.\tSecond {i}.\n' for i in range(40))
    (folder / "mrpc" / "train.txt").write_text(
        "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n" + pairs, "utf-8"
    )
    row = {"QUESTION": "Does it?", "LONG_ANSWER": "It does.", "final_decision": "yes"}
    (folder / "pubmedqa" / "ori_pqal.json").write_text(
        json.dumps({"1": row, "2": row | {"final_decision": "maybe"}})
    )
    (folder / "pubmedqa" / "test_ground_truth.json").write_text('{"2": "maybe"}')
    lines = "\n".join(
        f"Profit of Elin\xe4 {i} rose .@{('negative', 'neutral', 'positive')[i % 3]}" for i in range(40)
    )
    (folder / "financial_phrasebank" / "Sentences_AllAgree.txt").write_bytes(lines.encode("latin-1"))
    kinds = ["cuad_x", "contract_nli_y", "maud_z", "supply_chain_disclosure_w"]
    rows = [{"task": kinds[i % 4], "license": "CC BY 4.0", "text": f"Clause {i} applies."} for i in range(40)]
    rows.append({"task": "cuad_x", "license": "CC BY-NC 4.0", "text": "Left out."})
    (folder / "legalbench" / "legalbench_tasks.jsonl").write_text("\n".join(json.dumps(r) for r in rows))


@pytest.mark.parametrize("name", ["qnli", "mrpc", "stsb", "medical", "financial", "legal"])
def test_every_task_reads_its_layout_and_keeps_train_and_test_apart(name: str, tmp_path: Path) -> None:
    _write(tmp_path)
    task = tasks.load(name, tmp_path)
    assert task.train
    assert task.test
    assert len(task.words) == len(task.labels) == len(set(task.words))
    task.prompt.format(*task.train[0].texts)
    if name in ("mrpc", "financial", "legal"):
        assert not set(task.train) & set(task.test)
    assert all("Left out" not in text for e in task.train + task.test for text in e.texts)


def test_labels_follow_the_files(tmp_path: Path, tiny_data: Path) -> None:
    _write(tmp_path)
    assert [e.label for e in tasks.load("stsb", tmp_path).test] == [1, 0]
    assert tasks.load("medical", tmp_path).test[0].label == 2
    sst2 = tasks.load("sst2", tiny_data)
    assert all(
        (e.label == 1)
        == any(w in e.texts[0] for w in ("good", "great", "lovely", "superb", "charm", "brill"))
        for e in sst2.test
    )


def test_wrong_names_folders_and_rows_are_one_clear_error_each(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Unknown task"):
        tasks.load("imdb", tmp_path)
    with pytest.raises(InputError, match="no sst2/"):
        tasks.load("sst2", tmp_path)
    (tmp_path / "sst2").mkdir()
    with pytest.raises(InputError, match="missing"):
        tasks.load("sst2", tmp_path)
    (tmp_path / "sst2" / "train.tsv").write_text("a sentence without a label\n")
    with pytest.raises(InputError, match="fewer than 2 columns"):
        tasks.load("sst2", tmp_path)


def test_without_a_folder_and_a_hub_the_error_says_what_to_do() -> None:
    with pytest.raises(InputError, match=r"datasets|hub"):
        tasks.load("sst2", None)
    with pytest.raises(InputError, match="--data"):
        tasks.load("legal", None)


def test_choosing_and_confirming_share_no_example(tiny_data: Path) -> None:
    task = tasks.load("sst2", tiny_data)
    choose, confirm = tasks.part(task, "choose"), tasks.part(task, "confirm")
    assert not set(choose.test) & set(confirm.test)
    assert not set(choose.test) & set(choose.train)
    assert confirm.train == task.train
    with pytest.raises(InputError, match="part"):
        tasks.part(task, "half")
