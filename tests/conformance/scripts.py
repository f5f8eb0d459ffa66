"""What the engine of the API's tests writes: it reads the prompt's last message and does as told there.

"CALL name {json}" makes it write a tool call of the Hermes kind, of which the arguments may quote ``{seen}``, a name
that it found in the prompt; anything else is answered by "You said: " and the message.
"""

from __future__ import annotations

import json
import re

from tests.hostile.engine import Seen

_NAME = re.compile(r"named ([^.]+)\.")


def obedient(seen: Seen) -> str:
    role, last = next((m for m in reversed(seen.messages()) if m[0] in ("user", "tool")), ("prompt", seen.prompt))
    if role == "tool":
        return f"The tool said {last}"
    if seen.schema and "name" not in json.loads(seen.schema).get("properties", {}):
        key, *_ = json.loads(seen.schema)["properties"]
        name = _NAME.search(seen.prompt)
        return json.dumps({key: name.group(1) if name else "nobody"})
    found = re.search(r"CALL (\w+) (\{.*\})", last, re.S)
    if found is None:
        return f"You said: {last}"
    name = _NAME.search(seen.prompt)
    arguments = found.group(2).replace("{seen}", name.group(1) if name else "nobody")
    if seen.schema:
        return f'{{"name": "{found.group(1)}", "arguments": {arguments}}}'
    calls = [f'<tool_call>\n{{"name": "{found.group(1)}", "arguments": {arguments}}}\n</tool_call>']
    if "TWICE" in last:
        calls *= 2
    return "Let me see. " + "\n".join(calls) if "ALOUD" in last else "\n".join(calls)
