"""`pydantic-ai`: an agent with a tool, typed answers, and its three ways to speak."""

import asyncio
import json
import sys
from typing import Any

from anthropic import AsyncAnthropic
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

asked = json.load(sys.stdin)
there = OpenAIProvider(base_url=f"{asked['url']}/v1", api_key="x")
model = OpenAIChatModel(asked["model"], provider=there)


class Person(BaseModel):
    who: str


class Entry(BaseModel):
    who: str
    n: int


async def main() -> dict[str, Any]:
    read: dict[str, Any] = {"text": (await Agent(model).run(asked["hello"])).output}
    async with Agent(model).run_stream(asked["hello"]) as stream:
        texts = [text async for text in stream.stream_text(delta=True, debounce_by=None)]
    assert len(texts) > 1
    read["streamed"] = "".join(texts)
    agent, called = Agent(model), []

    @agent.tool_plain
    def save(who: str, n: int) -> str:
        """Save a person."""
        called.append({"who": who, "n": n})
        return "done"

    answer = (await agent.run(asked["call"])).output
    [call] = called
    read["tool loop"] = [call, answer]
    typed = Agent(model, output_type=ToolOutput(Entry, name="save"))
    read["typed"] = (await typed.run(asked["call"])).output.model_dump()
    native = Agent(model, output_type=NativeOutput(Person))
    read["native"] = (await native.run(asked["extract"])).output.model_dump()
    responses = OpenAIResponsesModel(asked["model"], provider=there)
    read["response"] = (await Agent(responses).run(asked["hello"])).output
    client = AsyncAnthropic(base_url=asked["url"], api_key="x")
    anthropic = AnthropicModel(asked["model"], provider=AnthropicProvider(anthropic_client=client))
    read["anthropic"] = (await Agent(anthropic).run(asked["hello"])).output
    other = OpenAIChatModel("gpt-5", provider=there)
    for case, which, text in (("another model", other, "hi"), ("too long", model, asked["long"])):
        try:
            await Agent(which).run(text)
        except ModelHTTPError as error:
            read[case] = error.status_code
    return read


print(json.dumps(asyncio.run(main())))
