"""What repairs an answer under `content`: python lab/benchmarks/repairs.py [NOTES] (60 by default)

The notes of `cmif eval answers` (made here, with one question each whose answer is known), greedily on the default
model, 24 tokens; scored by containment of the true answer. Rows: without a system message and with two public ones, the
text as typed and under `content`; of the answers under `content` is restored: nothing, entities, and drawn words too.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

import torch

from cmif.cli.options import default_split
from cmif.enclave.bundle import Bundle
from cmif.enclave.conversation import Who
from cmif.enclave.embed import embed
from cmif.enclave.memo import Forgetful
from cmif.enclave.originals import Original
from cmif.enclave.pipeline import Pipeline, Prepared
from cmif.enclave.policy import PrivacyPolicy, detectors_for
from cmif.enclave.restore import Restorer
from cmif.gateway.bundles import open_bundle
from cmif.types import Kind, Sampling
from cmif.wire.events import TokenEvent
from cmif.wire.frame import Frame
from cmif_lab.answers.jobs import Job, load
from cmif_lab.answers.scores import contained
from cmif_server.engine.transformers import TransformersEngine

LINES = {
    "no line": "",
    "a line that says nothing of noise": "Answer from the text as it stands.",
    "a line about noise": (
        "Some words of the user's message were replaced at random by similar words, for privacy. Read it for what was "
        "most likely meant, and answer from the text as it stands."
    ),
}
TOKENS = 24


async def answers(engine: TransformersEngine, bundle: Bundle, chats: Sequence[list[dict[str, str]]]) -> list[str]:
    async def one(messages: list[dict[str, str]]) -> str:
        rows = embed(bundle.rows, bundle.tokeniser.encode_chat(messages))
        frame = Frame(bundle.manifest.model, rows, Sampling(max_tokens=TOKENS, stop_ids=bundle.manifest.eos))
        ids = [i async for event in engine.generate(frame) if isinstance(event, TokenEvent) for i in event.ids]
        return bundle.tokeniser.decode(ids)

    return list(await asyncio.gather(*map(one, chats)))


def restored(answer: str, prepared: Prepared, kinds: frozenset[Kind]) -> str:
    pieces = [p for row in prepared.pieces for p in row if p.kind in kinds and p.text != p.sent]
    originals = dict.fromkeys(Original(Kind(p.kind), p.text, p.sent) for p in pieces)
    restorer = Restorer(originals, ordinary=[p.text for row in prepared.pieces for p in row if p.kind == "text"])
    runs = [*restorer.feed(answer), *restorer.finish()]
    return "".join(run.text for run in runs)


def share(jobs: Sequence[Job], texts: Sequence[str]) -> float:
    return sum(contained(text, job.truth) for job, text in zip(jobs, texts, strict=True)) / len(jobs)


async def measure(count: int) -> None:
    torch.set_num_threads(1)
    split = default_split("client", "server")
    bundle, engine = open_bundle(split / "client"), TransformersEngine.load(split / "server")
    policy = PrivacyPolicy.named("content")
    pipeline = Pipeline(bundle, policy, detectors_for(policy), Forgetful(), os.urandom(32))
    jobs = load(None, {"notes": count})
    typed = [[{"role": "user", "content": job.prompt}] for job in jobs]
    made = [pipeline.prepare({"messages": chat}, who=Who("lab"), max_tokens=TOKENS) for chat in typed]
    sent = [list(prepared.request["messages"]) for prepared in made]
    whole = frozenset(Kind)
    kinds = {"nothing": frozenset[Kind](), "entities": whole - {Kind.WORD}, "words too": whole}
    try:
        for name, line in LINES.items():
            system = [{"role": "system", "content": line}] if line else []
            clean = share(jobs, await answers(engine, bundle, [system + chat for chat in typed]))
            raw = await answers(engine, bundle, [system + chat for chat in sent])
            told = [
                f"{what} {share(jobs, [restored(a, p, k) for a, p in zip(raw, made, strict=True)]):.3f}"
                for what, k in kinds.items()
            ]
            print(f"{name}: as typed {clean:.3f}; content, restored {', '.join(told)}", flush=True)
    finally:
        await engine.close()


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 60))
