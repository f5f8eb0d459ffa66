"""`openai`: chat, completions and responses; sync, async, streamed, parsed."""

import asyncio
import json
import sys
from typing import Any

import openai
from pydantic import BaseModel

asked = json.load(sys.stdin)
client = openai.OpenAI(base_url=f"{asked['url']}/v1", api_key="x", max_retries=0)
later = openai.AsyncOpenAI(base_url=f"{asked['url']}/v1", api_key="x", max_retries=0)
create = client.chat.completions.create
model = asked["model"]
hello: Any = [{"role": "user", "content": asked["hello"]}]
call: Any = [{"role": "user", "content": asked["call"]}]
extract: Any = [{"role": "user", "content": asked["extract"]}]
tools: Any = [{"type": "function", "function": asked["tool"]}]
flat: Any = [{"type": "function", **asked["tool"], "strict": True}]
read: dict[str, Any] = {}


class Person(BaseModel):
    who: str


class save(BaseModel):
    who: str
    n: int


read["models"] = [m.id for m in client.models.list()]
whole = create(model=model, messages=hello)
read["text"] = whole.choices[0].message.content
assert whole.usage
assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
pieces = list(create(model=model, messages=hello, stream=True, stream_options={"include_usage": True}))
texts = [c.choices[0].delta.content for c in pieces if c.choices and c.choices[0].delta.content]
assert len(texts) > 1
assert pieces[-1].usage
read["streamed"] = "".join(texts)

first = create(model=model, messages=call, tools=tools).choices[0].message
[made] = first.tool_calls
read["call"] = json.loads(made.function.arguments)
result = {"role": "tool", "tool_call_id": made.id, "content": "done"}
read["after the tool"] = create(model=model, messages=[*call, first, result], tools=tools).choices[0].message.content
with client.chat.completions.stream(model=model, messages=call, tools=tools) as stream:
    kinds = {event.type for event in stream}
    [made] = stream.get_final_completion().choices[0].message.tool_calls
assert "tool_calls.function.arguments.done" in kinds
read["streamed call"] = json.loads(made.function.arguments)
[made] = create(model=model, messages=call, tools=tools, tool_choice="required").choices[0].message.tool_calls
read["forced call"] = json.loads(made.function.arguments)
parsed = client.chat.completions.parse(model=model, messages=extract, response_format=Person)
read["parsed"] = parsed.choices[0].message.parsed.model_dump()
parsed = client.chat.completions.parse(model=model, messages=call, tools=[openai.pydantic_function_tool(save)])
read["parsed tool"] = parsed.choices[0].message.tool_calls[0].function.parsed_arguments.model_dump()
read["completion"] = bool(client.completions.create(model=model, prompt="hi", max_tokens=5).choices[0].text)

read["response"] = client.responses.create(model=model, input=asked["hello"]).output_text
with client.responses.stream(model=model, input=hello) as events:
    texts = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(texts) > 1
    assert "".join(texts) == events.get_final_response().output_text
read["streamed response"] = "".join(texts)
response = client.responses.create(model=model, input=call, tools=flat)
[item] = response.output
read["response's call"] = json.loads(item.arguments)
output = {"type": "function_call_output", "call_id": item.call_id, "output": "done"}
read["after the response's tool"] = client.responses.create(
    model=model, input=[*call, *response.output, output], tools=flat
).output_text
read["parsed response"] = client.responses.parse(
    model=model, input=extract, text_format=Person
).output_parsed.model_dump()


async def awaited() -> None:
    chat = later.chat.completions.create
    read["awaited"] = (await chat(model=model, messages=hello)).choices[0].message.content
    text = ""
    async for chunk in await chat(model=model, messages=hello, stream=True):
        text += chunk.choices[0].delta.content or ""
    read["streamed and awaited"] = text


asyncio.run(awaited())
for case, change in (("another model", {"model": "gpt-5", "messages": hello}), ("too long", {})):
    try:
        create(**{"model": model, "messages": [{"role": "user", "content": asked["long"]}], **change})
    except openai.APIStatusError as error:
        read[case] = error.status_code
        read["too long, as the client knows it"] = error.code == "context_length_exceeded"
print(json.dumps(read))
