"""Talk to a gateway with the ordinary OpenAI client: `python examples/chat.py http://127.0.0.1:8000 "your text"`."""

from __future__ import annotations

import sys

from openai import OpenAI


def main(gateway: str, text: str) -> None:
    client = OpenAI(base_url=f"{gateway}/v1", api_key="any")
    model = client.models.list().data[0].id
    stream = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], stream=True, max_tokens=64, temperature=0
    )
    for chunk in stream:
        if chunk.choices:
            print(chunk.choices[0].delta.content or "", end="", flush=True)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:3])
