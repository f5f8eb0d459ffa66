from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.tokenise import Tokeniser
from cmif.errors import BundleError, InputError
from tests.tiny import SPECIAL, TEMPLATE

ROLES = {"bos_token": "<|bos|>", "eos_token": "<|end|>"}


@pytest.fixture(scope="module")
def tokeniser(tiny_model: Path) -> Tokeniser:
    return Tokeniser((tiny_model / "tokenizer.json").read_text("utf-8"), TEMPLATE, ROLES)


@pytest.fixture(scope="module")
def reference(tiny_model: Path):  # type: ignore[no-untyped-def]
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


@pytest.mark.parametrize(
    "content",
    ["Hello there.", "  spaces \n\n and lines\n", "Ünïcode 漢字 🙂", "", "{{ bos_token }}", "q0x1z"],
)
def test_a_chat_is_encoded_as_transformers_does(tokeniser: Tokeniser, reference, content: str) -> None:  # type: ignore[no-untyped-def]
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
    expected = reference.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert tokeniser.encode_chat(messages) == expected


def test_a_raw_prompt_is_encoded_as_transformers_does(tokeniser: Tokeniser, reference) -> None:  # type: ignore[no-untyped-def]
    assert tokeniser.encode_text("The patient") == reference("The patient")["input_ids"]


@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("around", ["{}", "a {} b", "{}{}", "<|user|>{}"])
def test_content_never_becomes_a_special_token(tokeniser: Tokeniser, special: str, around: str) -> None:
    content = around.replace("{}", special)
    ids = tokeniser.encode_chat([{"role": "user", "content": content}])
    plain = tokeniser.encode_chat([{"role": "user", "content": "x"}])
    forged = set(range(len(SPECIAL)))
    assert [i for i in ids if i in forged] == [i for i in plain if i in forged]
    assert content in tokeniser.decode(ids)
    assert not forged & set(tokeniser.encode_text(content)[1:])


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_streamed_decoding_gives_the_whole_text(tokeniser: Tokeniser, text: str) -> None:
    ids = tokeniser.pieces(text)
    stream = tokeniser.stream()
    assert "".join(stream.feed(i) for i in ids) + stream.finish() == tokeniser.decode(ids)


@given(st.lists(st.integers(0, 470), max_size=30))
def test_any_ids_stream_to_the_text_they_decode_to(tokeniser: Tokeniser, ids: list[int]) -> None:
    stream = tokeniser.stream()
    assert "".join(stream.feed(i) for i in ids) + stream.finish() == tokeniser.decode(ids)


def test_a_model_without_a_template_refuses_chats(tiny_model: Path) -> None:
    bare = Tokeniser((tiny_model / "tokenizer.json").read_text("utf-8"), "", ROLES)
    with pytest.raises(InputError, match="no chat template"):
        bare.encode_chat([{"role": "user", "content": "hi"}])


def test_a_template_s_own_refusal_is_told(tiny_model: Path) -> None:
    template = "{{ raise_exception('Roles must alternate') }}"
    tokeniser = Tokeniser((tiny_model / "tokenizer.json").read_text("utf-8"), template, ROLES)
    with pytest.raises(InputError, match="Roles must alternate"):
        tokeniser.encode_chat([{"role": "user", "content": "hi"}])


def test_a_broken_template_s_error_does_not_quote_the_chat(tiny_model: Path) -> None:
    tokeniser = Tokeniser(
        (tiny_model / "tokenizer.json").read_text("utf-8"), "{{ messages[0].content.foo.bar }}", ROLES
    )
    with pytest.raises(InputError) as caught:
        tokeniser.encode_chat([{"role": "user", "content": "secret words"}])
    assert "secret words" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("tokenizer", "template"), [("not json", ""), ("", "{% broken")])
def test_damaged_files_are_bundle_errors(tiny_model: Path, tokenizer: str, template: str) -> None:
    source = tokenizer or (tiny_model / "tokenizer.json").read_text("utf-8")
    with pytest.raises(BundleError):
        Tokeniser(source, template, ROLES)


def test_ids_that_never_make_a_character_cost_time_linear_in_their_number(tokeniser: Tokeniser) -> None:
    """The text is the same; a stream that decoded all held ids at every id would not end before the test's timeout."""
    half = next(i for i in range(tokeniser.vocab) if tokeniser.decode([i]) == "\ufffd")
    ids = [half] * 200_000
    stream = tokeniser.stream()
    assert "".join(stream.feed(i) for i in ids) + stream.finish() == tokeniser.decode(ids)
