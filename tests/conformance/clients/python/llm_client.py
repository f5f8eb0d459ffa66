"""`llm`: a model of `extra-openai-models.yaml`, from its own interface and from its command line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

asked = json.load(sys.stdin)
folder = Path.cwd() / "llm"
folder.mkdir()
(folder / "extra-openai-models.yaml").write_text(
    f"- model_id: cmif\n  model_name: {asked['model']}\n  api_base: {asked['url']}/v1\n"
    "  supports_tools: true\n  supports_schema: true\n"
)
os.environ |= {"LLM_USER_PATH": str(folder), "OPENAI_API_KEY": "x"}

import llm  # noqa: E402  (it reads the folder when it is imported)


def save(who: str, n: int) -> str:
    """Save a person."""
    assert n == 3
    assert "Ace" in who
    return "done"


model = llm.get_model("cmif")
read: dict[str, Any] = {}
command = [str(Path(sys.executable).parent / "llm"), "-m", "cmif", "--no-stream", asked["hello"]]
read["text"] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
texts = [text for text in model.prompt(asked["hello"], stream=True) if text]
assert len(texts) > 1
read["streamed"] = "".join(texts)
talk = model.conversation()
talk.prompt(asked["hello"]).text()
read["conversation"] = talk.prompt("And you?").text()
chain = [response.text() for response in model.conversation(tools=[save]).chain(asked["call"]).responses()]
read["tool loop"] = chain[-1]
schema = {"type": "object", "properties": {"who": {"type": "string"}}, "required": ["who"]}
read["parsed"] = json.loads(model.prompt(asked["extract"], schema=schema).text())
print(json.dumps(read))
