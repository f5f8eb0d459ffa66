from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from cmif.errors import IntegrityError
from cmif_server.provider.record import GENESIS, Record, check_record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "record.jsonl"


def write(path: Path, count: int) -> None:
    record = Record(path)
    for number in range(count):
        record.append("refused", {"number": number, "text": "naïve \u2028 line"})
    record.close()


def test_lines_are_chained_and_survive_reopening(path: Path) -> None:
    write(path, 2)
    write(path, 3)
    count, last = check_record(path)
    lines = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    assert count == 5
    assert [line["seq"] for line in lines] == [0, 1, 2, 3, 4]
    assert [line["prev"] for line in lines] == [GENESIS, *(line["hash"] for line in lines[:-1])]
    assert last == lines[-1]["hash"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("change", ["alter", "drop", "swap", "junk", "cut"])
def test_any_change_is_found_and_no_line_is_added_to_it(path: Path, change: str) -> None:
    write(path, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    match change:
        case "alter":
            lines[1] = lines[1].replace(b'"number":1', b'"number":7')
        case "drop":
            del lines[1]
        case "swap":
            lines[1], lines[2] = lines[2], lines[1]
        case "junk":
            lines[1] = b"junk\n"
        case "cut":
            lines[1:] = [lines[1][:-5]]
    path.write_bytes(b"".join(lines))
    with pytest.raises(IntegrityError, match="line 2"):
        check_record(path)
    with pytest.raises(IntegrityError):
        Record(path)


def test_threads_share_one_chain(path: Path) -> None:
    record = Record(path)
    threads = [
        threading.Thread(target=lambda: [record.append("granted", {}) for _ in range(10)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert check_record(path)[0] == 40
