"""The main job end to end: six jobs of a hospital, a bank and a law firm, each through a real gateway and engine."""

from __future__ import annotations

import difflib
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cmif.errors import InputError
from cmif_server.cli.processes import server

POLICY = "entities"
MAX_TOKENS = 80


@dataclass(frozen=True, slots=True)
class Job:
    """``system`` is the application's instruction, ``turns`` what a person types, one after the other."""

    title: str
    turns: tuple[str, ...]
    system: str = ""


SUMMARISE = "Provide a concise, objective summary of the input text in up to three sentences."
JOBS = (
    Job(
        "Hospital: a discharge note, summarised",
        ("Eleanor Whitfield, MRN 4471-9025, was admitted to Mercy General Hospital on 14 March 2024 with chest pain. "
         "Her heart tests were normal. She was given aspirin and went home after two days. "
         "She will see Dr. Samuel Okafor on 2 April 2024.",),
        SUMMARISE,
    ),
    Job(
        "Bank: a reply to a complaint",
        ("Write a short email to Gregory Hale that says sorry for the fee of 45 dollars on his account 88213467 "
         "and that it will be refunded by 10 May 2024.",),
    ),
    Job(
        "Law firm: a clause explained",
        ("Summarise this clause in simple words: If Miriam Castellanos does not pay the rent on time, "
         "Halcyon Robotics Ltd may end the agreement with 30 days of written notice.",),
    ),
    Job(
        "Hospital: a fact found",
        ("Eleanor Whitfield will see Dr. Samuel Okafor on 2 April 2024 at Mercy General Hospital. "
         "On which date is the appointment?",),
    ),
    Job(
        "Bank: a message reworded",
        ("Make this sentence more formal: Hi Gregory Hale, we can't give you the loan because your papers are "
         "missing.",),
    ),
    Job(
        "Hospital: a note and a question about it",
        ("Eleanor Whitfield called Mercy General Hospital on 14 March 2024. She has had a fever and a cough for three "
         "days. Dr. Samuel Okafor told her to rest and to drink water, and to call again on 18 March 2024 if the fever "
         "stays.",
         "When should she call again?"),
        SUMMARISE,
    ),
)  # fmt: skip

Told = dict[str, Any]
Shown = Callable[[str, str], None]


def run(
    split: Path,
    typed: Shown = lambda title, text: None,
    streamed: Callable[[str], None] = lambda text: None,
    answered: Callable[[Told], None] = lambda told: None,
) -> dict[str, Any]:
    """Start engine and gateways on ``split``, do the jobs, stop all. Keys as `cmif demo --json` prints them.

    ``typed``, ``streamed`` (the text so far) and ``answered`` are told of each turn as it happens; last comes the first
    job once more with the policy `off`.
    """
    try:
        from openai import OpenAI
    except ImportError:
        raise InputError(
            "The demo speaks through the openai client.", hint="In CMIF's repository: pip install './server[demo]'"
        ) from None

    def do(job: Job, url: str, model: str) -> Iterator[Told]:
        client = OpenAI(base_url=f"{url}/v1", api_key="demo", max_retries=0)
        messages: list[Any] = [{"role": "system", "content": job.system}] if job.system else []
        for turn in job.turns:
            typed(job.title, turn)
            messages.append({"role": "user", "content": turn})
            answer, explained = "", dict[str, Any]()
            stream = client.chat.completions.create(
                model=model,
                messages=messages,
                temperature=0,
                max_tokens=MAX_TOKENS,
                stream=True,
                extra_headers={"x-cmif-explain": "1"},
            )
            for chunk in stream:
                answer += "".join(choice.delta.content or "" for choice in chunk.choices)
                streamed(answer)
                explained = (chunk.model_extra or {}).get("cmif", explained)
            sent = "\n".join(message["content"] for message in messages)
            told = {
                "title": job.title,
                "typed": turn,
                "engine_saw": explained["engine_saw"],
                "answer_raw": explained["answer_raw"],
                "answer": answer,
                "kept": withheld(sent, explained["engine_saw"]),
                "epsilon": explained["epsilon"],
                "steps_ms": explained["steps_ms"],
            }
            answered(told)
            yield told
            messages.append({"role": "assistant", "content": answer})

    with _log() as log, server("serve", str(split / "server"), "--port", "0", log=log) as engine:
        with _gateway(split, engine["url"], POLICY, log) as gateway:
            prompts = [told for job in JOBS for told in do(job, gateway["url"], gateway["model"])]
        with _gateway(split, engine["url"], "off", log) as gateway:
            first = Job(f"{JOBS[0].title}, once more with the policy off", JOBS[0].turns[:1], JOBS[0].system)
            (off,) = do(first, gateway["url"], gateway["model"])
    return {"model": gateway["model"], "policy": POLICY, "prompts": prompts, "off": off}


def withheld(typed: str, saw: str) -> list[str]:
    """The parts of ``typed`` that stand otherwise in ``saw``, each once, in order."""
    ours, theirs = (re.findall(r"[\w-]+\s*|\W", text) for text in (typed, saw))
    changes = difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    parts = ("".join(ours[a:b]).strip() for tag, a, b, _, _ in changes if tag != "equal")
    return list(dict.fromkeys(part for part in parts if part))


@contextmanager
def _log() -> Iterator[IO[bytes]]:
    """What the servers say, kept apart from the show, and told if it fails."""
    with tempfile.TemporaryFile() as log:
        try:
            yield log
        except BaseException:
            log.seek(0)
            sys.stderr.buffer.write(log.read())
            raise


@contextmanager
def _gateway(split: Path, engine: str, policy: str, log: IO[bytes]) -> Iterator[Told]:
    with tempfile.TemporaryDirectory(prefix="cmif-demo-") as state:
        bundle, port = ("--bundle", str(split / "client")), ("--port", "0")
        with server(
            "gateway", *bundle, "--engine", engine, *port, "--policy", policy, "--state", state, log=log
        ) as gateway:
            yield gateway
