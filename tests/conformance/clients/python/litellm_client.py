"""`litellm`: an OpenAI-compatible model, and the two APIs it translates to."""

import asyncio
import json
import sys
from typing import Any

import litellm
from pydantic import BaseModel

litellm.suppress_debug_info = True
asked = json.load(sys.stdin)
ours: Any = {"model": f"openai/{asked['model']}", "api_base": f"{asked['url']}/v1", "api_key": "x", "num_retries": 0}
hello: Any = [{"role": "user", "content": asked["hello"]}]
call: Any = [{"role": "user", "content": asked["call"]}]
tools: Any = [{"type": "function", "function": asked["tool"]}]


class Person(BaseModel):
    who: str


read: dict[str, Any] = {"text": litellm.completion(messages=hello, **ours).choices[0].message.content}
texts = [c.choices[0].delta.content for c in litellm.completion(messages=hello, stream=True, **ours)]
texts = [text for text in texts if text]
assert len(texts) > 1
read["streamed"] = "".join(texts)
read["awaited"] = asyncio.run(litellm.acompletion(messages=hello, **ours)).choices[0].message.content
first = litellm.completion(messages=call, tools=tools, **ours).choices[0].message
[made] = first.tool_calls
read["call"] = json.loads(made.function.arguments)
result = {"role": "tool", "tool_call_id": made.id, "content": "done"}
after = litellm.completion(messages=[*call, first.model_dump(), result], tools=tools, **ours)
read["after the tool"] = after.choices[0].message.content
chunks = list(litellm.completion(messages=call, tools=tools, stream=True, **ours))
[made] = litellm.stream_chunk_builder(chunks, messages=call).choices[0].message.tool_calls
read["streamed call"] = json.loads(made.function.arguments)
extract = [{"role": "user", "content": asked["extract"]}]
parsed = litellm.completion(messages=extract, response_format=Person, **ours)
read["parsed"] = json.loads(parsed.choices[0].message.content)
read["response"] = litellm.responses(input=asked["hello"], **ours).output[0].content[0].text
theirs = {**ours, "model": f"anthropic/{asked['model']}", "api_base": asked["url"]}
read["anthropic"] = litellm.completion(messages=hello, max_tokens=400, **theirs).choices[0].message.content
for case, change in (("another model", {"model": "openai/gpt-5", "messages": hello}), ("too long", {})):
    try:
        litellm.completion(**{**ours, "messages": [{"role": "user", "content": asked["long"]}], **change})
    except Exception as error:
        read[case] = type(error).__name__
print(json.dumps(read))
