from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.enclave.tool_calls import Call, Content, Dialect, Event, ToolCalls, dialect, with_tools

F: Any = {"a": 'x</tool_call>"y', "b": [1, {"c": "}"}]}
WRITTEN: dict[str, tuple[Dialect, str, list[Event]]] = {
    "Hermes and Qwen": ("tags", f'<tool_call>\n{json.dumps({"name": "f", "arguments": F})}\n</tool_call>', [Call("f", F)]),
    "two of Qwen's behind a text": (
        "tags",
        'Hi <tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>\n<tool_call>\n{"name": "g", "arguments": {"n": 1}}\n</tool_call>\n',
        [Content("Hi "), Call("f", {}), Call("g", {"n": 1})],
    ),
    "SmolLM2's list": ("tags", '<tool_call>[{"name": "f", "arguments": {}}, {"name": "g"}]</tool_call>', [Call("f", {}), Call("g", {})]),
    "without the closing tag": ("tags", '<tool_call>{"name": "f", "arguments": {}}', [Call("f", {})]),
    "arguments in a string": ("tags", '<tool_call>{"name": "f", "arguments": "{\\"n\\": 1}"}</tool_call>', [Call("f", {"n": 1})]),
    "Mistral": ("mistral", '[TOOL_CALLS][{"name": "f", "arguments": {"n": [1]}}, {"name": "g", "arguments": {}}]', [Call("f", {"n": [1]}), Call("g", {})]),
    "Mistral's later form": ("mistral", '[TOOL_CALLS]f[ARGS]{"n": 1}[TOOL_CALLS]g{"n": 2}', [Call("f", {"n": 1}), Call("g", {"n": 2})]),
    "Llama 3": ("json", '{"name": "f", "parameters": {"n": "{"}}', [Call("f", {"n": "{"})]),
    "Llama 3 with its tag": ("json", '<|python_tag|>{"name": "f", "parameters": {}}; {"name": "g", "parameters": {}}', [Call("f", {}), Call("g", {})]),
    "a tool of nobody's": ("tags", '<tool_call>{"name": "h", "arguments": {}}</tool_call>', [Content('<tool_call>{"name": "h", "arguments": {}}</tool_call>')]),
    "no JSON": ("tags", "<tool_call>f()</tool_call> then", [Content("<tool_call>f()</tool_call> then")]),
    "NaN": ("json", '{"name": "f", "parameters": {"n": NaN}}', [Content('{"name": "f", "parameters": {"n": NaN}}')]),
    "a lone surrogate": ("json", '{"name": "f", "parameters": {"n": "\\ud800"}}', [Content('{"name": "f", "parameters": {"n": "\\ud800"}}')]),
    "arguments that are a list": ("json", '{"name": "f", "parameters": [1]}', [Content('{"name": "f", "parameters": [1]}')]),
    "JSON that is the answer": ("json", '{"x": 1} and more', [Content('{"x": 1} and more')]),
    "a call in the middle of a sentence": ("json", 'So: {"name": "f"}', [Content('So: {"name": "f"}')]),
    "the beginning of a tag": ("tags", "a < b <tool_ca", [Content("a < b <tool_ca")]),
    "nothing": ("tags", "", []),
}  # fmt: skip


def read(of: Dialect, chunks: list[str]) -> list[Event]:
    reader = ToolCalls(of, ("f", "g"))
    events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.finish()
    out: list[Event] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, Content) and isinstance(last, Content):
            out[-1] = Content(last.text + event.text)
        else:
            out.append(event)
    return out


@pytest.mark.parametrize("case", WRITTEN)
def test_each_family_s_calls_are_read_and_what_is_none_is_text(case: str) -> None:
    of, text, expected = WRITTEN[case]
    assert read(of, [text]) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11])
@pytest.mark.parametrize("case", WRITTEN)
def test_chunks_do_not_matter(case: str, size: int) -> None:
    of, text, expected = WRITTEN[case]
    assert read(of, [text[i : i + size] for i in range(0, len(text), size)]) == expected


PIECES = ["<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<|python_tag|>", '{"name": "f", "arguments": {}}', '{"name": "f"', "}", "{", '"', "\\", "[", "]", ";", " ",
          "\n", "f", "g{}", "x", "<", "[ARGS]", ","]  # fmt: skip


@given(st.sampled_from(["tags", "mistral", "json"]), st.lists(st.sampled_from(PIECES), max_size=12), st.data())
def test_whatever_an_engine_writes_chunks_do_not_matter(of: Dialect, pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)) | {0, len(text)})
    assert read(of, [text[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]) == read(of, [text])


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=8))
def test_arguments_come_through_as_they_are(value: Any) -> None:
    try:
        written = json.dumps({"name": "f", "arguments": {"v": value}}, ensure_ascii=False)
        written.encode()
    except UnicodeEncodeError:
        return
    for of, text in (("tags", f"<tool_call>{written}</tool_call>"), ("json", written), ("mistral", f"[TOOL_CALLS][{written}]")):
        assert read(of, [text]) == [Call("f", {"v": value})]  # type: ignore[arg-type]


@pytest.mark.parametrize("of", ["tags", "mistral", "json"])
def test_white_space_that_comes_alone_is_kept(of: Dialect) -> None:
    assert read(of, ["a", " ", "\n", "b", " "]) == [Content("a \nb ")]


def test_an_endless_call_is_text_and_costs_linear_time() -> None:
    reader = ToolCalls("tags", ("f",))
    events = reader.feed('<tool_call>{"name": "')
    for _ in range(1 << 12):
        events += reader.feed("x" * 64)
    assert sum(len(e.text) for e in events if isinstance(e, Content)) > 1 << 16
    assert not any(isinstance(e, Call) for e in events)


@pytest.mark.parametrize(
    ("template", "expected"),
    [("{% if tools %}<tool_call>{% endif %}<|im_end|>", "tags"), ("[INST] [TOOL_CALLS] [/INST]", "mistral"), ("<|start_header_id|><|eot_id|>", "json"), ("plain", "tags")],
)
def test_the_template_tells_the_family(template: str, expected: str) -> None:
    assert dialect(template) == expected


def test_a_template_without_tools_is_told_of_them_in_the_system_message() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"n": 1}}}
    history = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "", "tool_calls": [call]}]
    system, user, assistant = with_tools(history, tools)
    assert system["role"] == "system"
    assert json.dumps(tools[0]) in system["content"]
    assert user == history[0]
    [read_back] = read("tags", [assistant["content"]])
    assert read_back == Call("f", {"n": 1})
    kept = with_tools([{"role": "system", "content": "Be brief."}], tools)
    assert len(kept) == 1
    assert kept[0]["content"].startswith("Be brief.")
