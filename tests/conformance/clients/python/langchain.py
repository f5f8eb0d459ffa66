"""`langchain-openai`: ChatOpenAI with tools and structured output."""

import asyncio
import json
import sys
from typing import Any

import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field

asked = json.load(sys.stdin)


def chat(**more: Any) -> ChatOpenAI:
    return ChatOpenAI(**{"model": asked["model"], "base_url": f"{asked['url']}/v1", "api_key": "x", "max_retries": 0, **more})


class Person(BaseModel):
    """Somebody."""

    who: str = Field(description="The name.")


class save(BaseModel):
    """Save a person."""

    who: str
    n: int


model = chat()
read: dict[str, Any] = {"text": model.invoke(asked["hello"]).content}
texts = [chunk.content for chunk in model.stream(asked["hello"]) if chunk.content]
assert len(texts) > 1
read["streamed"] = "".join(texts)
read["awaited"] = asyncio.run(chat().ainvoke(asked["hello"])).content
read["batch"] = [m.content for m in model.batch([asked["hello"]] * 2)]
tools = model.bind_tools([save])
question = HumanMessage([{"type": "text", "text": asked["call"]}])
first = tools.invoke([question])
[call] = first.tool_calls
read["call"] = call["args"]
read["after the tool"] = tools.invoke([question, first, ToolMessage("done", tool_call_id=call["id"])]).content
whole = None
for chunk in tools.stream([question]):
    whole = chunk if whole is None else whole + chunk
read["streamed call"] = whole.tool_calls[0]["args"]
forced = model.bind_tools([save], tool_choice="save").invoke([question])
read["forced call"] = forced.tool_calls[0]["args"]
read["parsed"] = model.with_structured_output(Person).invoke(asked["extract"]).model_dump()
read["response"] = chat(use_responses_api=True).invoke(asked["hello"]).text
for case, change, text in (("another model", {"model": "gpt-5"}, "hi"), ("too long", {}, asked["long"])):
    try:
        chat(**change).invoke(text)
    except openai.APIStatusError as error:
        read[case] = error.status_code
print(json.dumps(read))
