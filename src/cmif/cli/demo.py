"""The main job end to end: three processes, three real prompts, what was typed and what the engine saw."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from cmif.cli.processes import server
from cmif.errors import InputError

PROMPTS = (
    ("A clinical note",
     "Patient: Eleanor Whitfield, MRN 4471-9025, seen on 14 March 2024 at Mercy General Hospital. "
     "She reports chest pain for three days. Started aspirin 75 mg daily. Follow-up with Dr. Samuel Okafor.\n\n"
     "Who is the patient?"),
    ("A bank complaint",
     "My name is Gregory Hale and I live in Rotterdam. On 3 May 2024 the Northfield Bank charged my account a fee of "
     "45 dollars. The account number is 88213467. Please refund the fee and write to gregory.hale@mailbox.org.\n\n"
     "What is the account number?"),
    ("A contract clause",
     "This contract is made on 12 June 2023. The supplier is Halcyon Robotics Ltd and the client is "
     "Miriam Castellanos. The client pays 1,200 euros a month. Either party may end it with 30 days of notice.\n\n"
     "Who is the client?"),
)  # fmt: skip


def run(split: Path, policy: str = "entities") -> dict[str, Any]:
    """Start engine and gateway on ``split``, send the prompts, stop both. Keys as `cmif demo --json` prints them."""
    try:
        from openai import OpenAI
    except ImportError:
        raise InputError(
            "The demo speaks through the openai client.", hint="pip install 'cmif-gateway[demo]'."
        ) from None

    with (
        tempfile.TemporaryDirectory(prefix="cmif-demo-") as state,
        server("serve", str(split / "server"), "--port", "0") as engine,
    ):
        arguments = (
            "--bundle",
            str(split / "client"),
            "--engine",
            engine["url"],
            "--port",
            "0",
            "--policy",
            policy,
            "--state",
            state,
        )
        with server("gateway", *arguments, environment={**os.environ}) as gateway:
            client = OpenAI(base_url=f"{gateway['url']}/v1", api_key="demo", max_retries=0)
            prompts = []
            for title, typed in PROMPTS:
                answer = client.chat.completions.create(
                    model=gateway["model"],
                    messages=[{"role": "user", "content": typed}],
                    temperature=0,
                    max_tokens=64,
                    extra_headers={"x-cmif-explain": "1"},
                )
                told = answer.model_extra["cmif"] if answer.model_extra else {}
                prompts.append({
                    "title": title,
                    "typed": typed,
                    "engine_saw": told["engine_saw"],
                    "answer_raw": told["answer_raw"],
                    "answer": answer.choices[0].message.content or "",
                    "epsilon": told["epsilon"],
                    "steps_ms": told["steps_ms"],
                })  # fmt: skip
    return {"policy": policy, "prompts": prompts}
