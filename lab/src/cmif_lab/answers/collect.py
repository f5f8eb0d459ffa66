"""Ask every arm every question and keep each answer as one JSON line, so that a run that stops goes on.

An arm is a way of asking: a gateway under a policy, or the unprotected one asked something else. All answers are
greedy but those of the arm `again`. The lines hold the questions' answers and what the engine read: the questions
are public data or made up, so nothing private is written.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from openai import APIStatusError, AsyncOpenAI, OpenAIError
from tqdm import tqdm

from cmif.errors import EngineUnavailableError, InputError
from cmif_lab.answers.jobs import Job

OFF, MASKED, NOTHING, AGAIN = "off", "masked", "nothing", "again"
AT_ONCE = 8  # what the in-process engine takes into one batch
AGAIN_TEMPERATURE = 0.7


@dataclass(frozen=True)
class Ask:
    """One request: ``job`` in the form of ``arm``, sent to the server named ``server``."""

    job: Job
    arm: str
    server: str
    prompt: str
    temperature: float = 0.0

    @property
    def key(self) -> str:
        """Changes with what is asked and how, so that the line of another question is not taken for it."""
        parts = [self.job.task, self.arm, self.prompt, self.job.max_tokens, self.temperature]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Answer:
    """What ``model`` said. ``seen``: the text that the engine read, None where the server does not tell; ``error``:
    the code of a refusal, whose ``text`` is empty.
    """

    key: str
    arm: str
    model: str
    text: str
    seen: str | None
    epsilon: float | None
    error: str | None


def plan(jobs: Sequence[Job], servers: Sequence[str]) -> list[Ask]:
    """Every request, question by question, so that a run that stops has whole rows."""
    asks = []
    for job in jobs:
        asks += [Ask(job, name, name, job.prompt) for name in servers]
        asks += [Ask(job, MASKED, OFF, job.masked), Ask(job, NOTHING, OFF, job.nothing)]
        if not job.truth:
            asks.append(Ask(job, AGAIN, OFF, job.prompt, AGAIN_TEMPERATURE))
    return asks


def read(path: Path) -> dict[str, Answer]:
    """The answers kept so far by their keys; a last line cut short by a kill is asked again. Raises InputError."""
    kept: dict[str, Answer] = {}
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text("utf-8").split("\n") if path.is_file() else []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            answer = Answer(**json.loads(line))
        except (ValueError, TypeError):
            if number == len(lines):
                path.write_text("\n".join(lines[:-1]) + "\n", "utf-8")
                break
            raise InputError(
                f"Line {number} of {path.name} is not an answer.",
                hint="Remove that line, or name another folder.",
            ) from None
        kept[answer.key] = answer
    return kept


def _line(answer: Answer) -> str:
    return json.dumps(asdict(answer), ensure_ascii=True) + "\n"


async def collect(asks: Sequence[Ask], servers: Mapping[str, str], path: Path) -> dict[str, Answer]:
    """The answer to each of ``asks`` by its key; what ``path`` has from the same model is not asked again.

    ``servers``: name -> base URL without `/v1`. Raises InputError for a damaged file, and EngineUnavailableError;
    what was answered by then is in the file.
    """
    kept = read(path)
    key = os.environ.get("OPENAI_API_KEY", "none")
    clients = {
        name: AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=1, timeout=600)
        for name, url in servers.items()
    }
    try:
        models = {name: (await client.models.list()).data[0].id for name, client in clients.items()}
        wanted = {ask.key: ask for ask in asks}.values()  # one question without its text is often another's
        missing = [ask for ask in wanted if ask.key not in kept or kept[ask.key].model != models[ask.server]]
        waiting = iter(missing)
        with path.open("a", encoding="utf-8") as file, _bar(missing) as bar:

            async def work() -> None:
                for ask in waiting:
                    answer = await _ask(clients[ask.server], models[ask.server], ask, bar)
                    kept[ask.key] = answer
                    file.write(_line(answer))
                    file.flush()

            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(work())
    except (OpenAIError, ExceptionGroup) as error:
        first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
        if not isinstance(first, OpenAIError):
            raise
        raise EngineUnavailableError(
            f"An endpoint did not answer ({type(first).__name__}). What was answered is kept: the same command goes on."
        ) from None
    finally:
        for client in clients.values():
            await client.close()
    return {ask.key: kept[ask.key] for ask in asks}


def _bar(asks: Sequence[Ask]) -> Any:
    """Counts tokens, not answers, so that it knows a time left within seconds; a log file gets a line now and then."""
    return tqdm(
        total=sum(ask.job.max_tokens for ask in asks),
        unit=" tokens",
        unit_scale=True,
        desc=f"{len(asks)} answers, at most",
        mininterval=0.5 if sys.stderr.isatty() else 30,
        file=sys.stderr,
    )


async def _ask(client: AsyncOpenAI, model: str, ask: Ask, bar: Any) -> Answer:
    """Streamed, so that the bar moves with the tokens and knows the time left within seconds."""
    text, pieces = "", 0
    told: dict[str, Any] = {}
    try:
        stream = await client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": ask.prompt}],
            temperature=ask.temperature,
            max_tokens=ask.job.max_tokens,
            seed=1,
            stream=True,
            extra_headers={"x-cmif-explain": "1", "x-cmif-conversation": f"{ask.key}-{time.time_ns()}"},
        )
        async for chunk in stream:
            told = (chunk.model_extra or {}).get("cmif") or told
            if chunk.choices and chunk.choices[0].delta.content:
                text += chunk.choices[0].delta.content
                if pieces < ask.job.max_tokens:
                    pieces += 1
                    bar.update(1)
    except APIStatusError as error:
        if error.status_code >= 500 or error.status_code == 429:
            raise
        return Answer(ask.key, ask.arm, model, "", None, None, str(error.code or error.status_code))
    finally:
        bar.update(ask.job.max_tokens - pieces)
    return Answer(ask.key, ask.arm, model, text, told.get("engine_saw"), told.get("epsilon"), None)
