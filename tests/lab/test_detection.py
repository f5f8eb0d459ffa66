from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cmif.enclave.detect import default_detectors
from cmif.enclave.policy import PrivacyPolicy
from cmif.errors import InputError
from cmif.types import Kind, Span
from cmif_lab.cli.detect import app
from cmif_lab.detection import Mention, Sample, evaluate, read

TEXT = "Anna Weber of Lyon called; Anna said hello."


class Finds:
    name = "finds"

    def __init__(self, *found: tuple[int, int, Kind]) -> None:
        self.found = found

    def detect(self, text: str) -> list[Span]:
        return [Span(a, b, kind, self.name) for a, b, kind in self.found if b <= len(text) and text == TEXT]


SAMPLE = Sample(TEXT, (Mention(0, 10, "PERSON", 0), Mention(27, 31, "PERSON", 0), Mention(14, 18, "GPE", 1)))


def test_a_mention_is_covered_when_all_its_words_are() -> None:
    whole = evaluate([SAMPLE], [Finds((0, 10, Kind.PERSON), (14, 18, Kind.PERSON))], PrivacyPolicy())
    assert (whole.labels["PERSON"].covered, whole.labels["PERSON"].mentions) == (1, 2)
    assert (whole.labels["GPE"].covered, whole.labels["GPE"].right) == (1, 0)
    assert whole.recall == pytest.approx(2 / 3)
    part = evaluate([SAMPLE], [Finds((0, 4, Kind.PERSON))], PrivacyPolicy())
    assert part.labels["PERSON"].covered == 0
    assert part.labels["PERSON"].right == 1


def test_a_unit_leaves_whole_with_one_mention_that_nobody_touched() -> None:
    assert evaluate([SAMPLE], [Finds((0, 4, Kind.PERSON), (14, 18, Kind.PLACE))], PrivacyPolicy()).whole == 1
    assert evaluate([SAMPLE], [Finds((0, 4, Kind.PERSON), (27, 31, Kind.PERSON))], PrivacyPolicy()).whole == 1
    assert evaluate([SAMPLE], [Finds((0, 31, Kind.PERSON))], PrivacyPolicy()).whole == 0


def test_what_touches_no_label_is_a_false_hit() -> None:
    result = evaluate([SAMPLE], [Finds((19, 25, Kind.PERSON), (27, 31, Kind.PERSON))], PrivacyPolicy())
    told = result.as_json()
    assert (told["found"], told["precision"], told["changed_words_inside_units"]) == (2, 0.5, 0.5)
    assert told["false_hit_kinds"] == {"person": 1}
    assert told["false_hits_per_100_words"] == pytest.approx(100 / told["words"], abs=1e-3)


def test_words_count_only_where_the_policy_replaces_them() -> None:
    word = Finds((32, 36, Kind.WORD))
    assert evaluate([SAMPLE], [word], PrivacyPolicy.named("sensitive")).found == 1
    assert evaluate([SAMPLE], [word], PrivacyPolicy.named("entities")).found == 0


def test_three_forms_of_file_are_read(tmp_path: Path) -> None:
    spans = [
        {"entity_type": "PERSON", "start_position": 0, "end_position": 10},
        {"entity_type": "PERSON", "start_position": 27, "end_position": 31},
    ]
    (tmp_path / "a.json").write_text(json.dumps([{"full_text": TEXT, "spans": spans}]), "utf-8")
    (tmp_path / "b.csv").write_text(f'text,start,end,label\n"{TEXT}",0,10,PERSON\n"{TEXT}",27,31,PERSON\nnothing,,,\n', "utf-8")
    (tmp_path / "c.csv").write_text(
        f'user_query,pii_units\n"{TEXT}",anna weber||anna||<PRESIDIO_ANONYMIZED_PERSON>||nowhere\n', "utf-8"
    )
    expected = (Mention(0, 10, "PERSON", 0), Mention(27, 31, "PERSON", 1))
    assert read(tmp_path / "a.json") == [Sample(TEXT, expected)]
    assert read(tmp_path / "b.csv") == [Sample(TEXT, expected), Sample("nothing", ())]
    units = [(TEXT[m.start : m.end], m.unit) for m in read(tmp_path / "c.csv")[0].mentions]
    assert units == [("Anna Weber", 0), ("Anna", 1), ("Anna", 1)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '[{"full_text": "Anna Weber", "spans": [{"entity_type": "P", "start_position": 0, "end_position": 99}]}]'),
        ("a.json", '{"full_text": "Anna Weber"}'), ("a.json", '["Anna Weber"]'), ("a.json", "Anna Weber"),
        ("a.csv", "text,start,end,label\nAnna Weber,x,2,P\n"), ("a.csv", "name\nAnna Weber\n"), ("a.csv", ""),
        ("a.csv", "text,start,end,label\nAnna Weber,3,2,P\n"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_named_and_never_quoted(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, "utf-8")
    with pytest.raises(InputError) as caught:
        read(path)
    assert name in str(caught.value)
    assert "Anna" not in str(caught.value)
    with pytest.raises(InputError, match=r"gone\.csv"):
        read(tmp_path / "gone.csv")


def test_the_command_prints_the_same_as_json_and_as_text(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text('text,start,end,label\n"Call frederikke at 020 7946 0958",19,32,PHONE_NUMBER\n"see qvxz",4,8,PERSON\n', "utf-8")
    told = CliRunner().invoke(app, ["eval", str(path), "--json", "--misses", "--policy", "entities"])
    assert told.exit_code == 0
    result = json.loads(told.stdout)
    assert result["labels"]["PHONE_NUMBER"]["recall"] == 1.0
    assert result["misses"]["PERSON"] == ["see [[qvxz]]"]
    assert result["policy"] == "entities"
    assert result["detectors"] == [d.name for d in default_detectors()]
    text = CliRunner().invoke(app, ["eval", str(path), "--misses"])
    assert "see [[qvxz]]" in text.stdout
    assert "PHONE_NUMBER" in text.stdout


def test_an_unknown_detector_is_wrong_input(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("text,start,end,label\nhello,,,\n", "utf-8")
    told = CliRunner().invoke(app, ["eval", str(path), "--detector", "no-such"])
    assert isinstance(told.exception, InputError)
