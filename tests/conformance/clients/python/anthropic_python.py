"""`anthropic`: messages, streamed, with tools, parsed, counted."""

import asyncio
import json
import sys
from typing import Any

import anthropic
from pydantic import BaseModel

asked = json.load(sys.stdin)
client = anthropic.Anthropic(base_url=asked["url"], api_key="x", max_retries=0)
later = anthropic.AsyncAnthropic(base_url=asked["url"], api_key="x", max_retries=0)
create = client.messages.create
common: Any = {"model": asked["model"], "max_tokens": 400}
hello: Any = [{"role": "user", "content": asked["hello"]}]
call: Any = [{"role": "user", "content": [{"type": "text", "text": asked["call"]}]}]
tool = {"name": "save", "description": "Save a person.", "input_schema": asked["tool"]["parameters"]}
read: dict[str, Any] = {}


class Person(BaseModel):
    who: str


read["text"] = create(messages=hello, system="Be brief.", **common).content[0].text
with client.messages.stream(messages=hello, **common) as stream:
    texts = list(stream.text_stream)
    assert len(texts) > 1
    assert stream.get_final_message().usage.output_tokens > 0
read["streamed"] = "".join(texts)
first = create(messages=call, tools=[tool], **common)
[use] = first.content
read["call"] = use.input
assert first.stop_reason == "tool_use"
result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "done"}]}
history = [*call, {"role": "assistant", "content": first.content}, result]
read["after the tool"] = create(messages=history, tools=[tool], **common).content[0].text
with client.messages.stream(messages=call, tools=[tool], **common) as stream:
    [use] = stream.get_final_message().content
read["streamed call"] = use.input
read["parsed"] = client.messages.parse(
    messages=[{"role": "user", "content": asked["extract"]}], output_format=Person, **common
).parsed_output.model_dump()


@anthropic.beta_tool
def save(who: str, n: int) -> str:
    """Save a person."""
    assert {"who": who, "n": n} == read["call"]
    return "done"


runner = client.beta.messages.tool_runner(messages=call, tools=[save], **common)
read["tool runner"] = runner.until_done().content[0].text
read["counted"] = client.messages.count_tokens(model=asked["model"], messages=hello).input_tokens > 5
stopped = create(messages=[{"role": "user", "content": "say cheese now"}], stop_sequences=["cheese"], **common)
read["stop"] = [stopped.stop_reason, stopped.stop_sequence]


async def awaited() -> None:
    read["awaited"] = (await later.messages.create(messages=hello, **common)).content[0].text


asyncio.run(awaited())
for case, change in (("another model", {"model": "claude", "messages": hello}), ("too long", {})):
    try:
        create(**{**common, "messages": [{"role": "user", "content": asked["long"]}], **change})
    except anthropic.APIStatusError as error:
        read[case] = error.status_code
print(json.dumps(read))
