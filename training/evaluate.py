"""What the model can do, measured: exact answers, free prompts, perplexity, similarity of words.

    python -m training.evaluate --model DIR                      # exact answers, plain and with emulated surrogates
    python -m training.evaluate --base-url http://HOST:PORT/v1   # the same prompts through an OpenAI-compatible gateway
    python -m training.evaluate --model DIR --all --data DIR     # everything the card states

Originals are held out: names and values whose hash is reserved, which no training document holds
(:mod:`training.field.values`).
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cmif.enclave.surrogates import draw
from cmif.types import Kind
from training.field.conversations import REFUSAL, conversation
from training.field.trades import TRADES
from training.field.values import Values

SHARES = (
    ("extract", 0.7),
    ("refuse", 0.1),
    ("summary", 0.06),
    ("todo", 0.05),
    ("urgency", 0.03),
    ("sentiment", 0.03),
    ("polite", 0.03),
)
Messages = list[dict[str, str]]
Answer = Callable[[list[Messages]], list[str]]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question: ``kind`` is the task, ``slot`` the fact asked, ``values`` what may be replaced: (text, kind)."""

    messages: Messages
    expected: str
    kind: str
    slot: str
    values: tuple[tuple[str, Kind], ...]


def prompts(n: int = 500, seed: int = 1, held: bool = True) -> Iterator[Prompt]:
    """``n`` held-out prompts; ``held=False`` takes values as in training (surrogates and seen inventions)."""
    rng = random.Random(f"evaluation {seed}")
    values = Values(rng, held=held)
    kinds = [kind for kind, share in SHARES for _ in range(round(share * n))]
    slots = {trade.name: trade.slots for trade in TRADES}
    for i in range(n):
        kind = kinds[i] if i < len(kinds) else "extract"
        talk = conversation(rng, values, 1, only=kind)
        turn = talk.turns[0]
        entities = tuple(
            (value, slot_kind)
            for name, value in talk.facts.items()
            if isinstance(slot_kind := slots[talk.trade][name].kind, Kind)
        )
        yield Prompt([{"role": "user", "content": turn.question}], turn.answer, kind, turn.slot, entities)


def masked(prompt: Prompt, rng: random.Random) -> tuple[Messages, dict[str, str]]:
    """The prompt as an engine sees it under policy ``entities`` with a perfect detector, and surrogate -> original."""
    back: dict[str, str] = {}
    text = prompt.messages[0]["content"]
    for original, kind in sorted(prompt.values, key=lambda item: -len(item[0])):
        surrogate = draw(kind, original, back, rng.randrange)
        back[surrogate] = original
        text = text.replace(original, f"\0{len(back) - 1}\0")
    for i, surrogate in enumerate(back):
        text = text.replace(f"\0{i}\0", surrogate)
    return [{"role": "user", "content": text}], back


def restored(answer: str, back: dict[str, str]) -> str:
    for surrogate in sorted(back, key=len, reverse=True):
        answer = re.sub(rf"(?<!\w){re.escape(surrogate)}(?!\w)", lambda _, s=surrogate: back[s], answer)  # type: ignore[misc]
    return answer


def score(cases: list[Prompt], answers: list[str]) -> dict[str, object]:
    """Share of exact answers by task, for extraction also by slot."""
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for case, answer in zip(cases, answers, strict=True):
        for key in (case.kind, *([f"extract.{case.slot}"] if case.kind == "extract" else []), "all"):
            total[key] += 1
            right[key] += answer.strip() == case.expected
    return {key: {"exact": round(right[key] / total[key], 4), "n": total[key]} for key in sorted(total)}


def local(folder: Path, batch: int = 32) -> Answer:
    """Greedy answers of a model directory through plain ``transformers``, float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def answer(many: list[Messages]) -> list[str]:
        texts = [tokenizer.apply_chat_template(m, tokenize=False, add_generation_prompt=True) for m in many]
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = [""] * len(texts)
        for at in range(0, len(order), batch):
            chosen = order[at : at + batch]
            inputs = tokenizer(
                [texts[i] for i in chosen], return_tensors="pt", padding=True, add_special_tokens=False
            )
            with torch.inference_mode():
                ids = model.generate(
                    input_ids=inputs["input_ids"],
                    attention_mask=inputs["attention_mask"],
                    max_new_tokens=80,
                    do_sample=False,
                )
            for i, row in zip(chosen, ids[:, inputs["input_ids"].shape[1] :], strict=True):
                out[i] = tokenizer.decode(row, skip_special_tokens=True)
        return out

    return answer


def remote(base_url: str, key: str, model: str) -> Answer:
    """Greedy answers of an OpenAI-compatible server, one request a prompt."""
    from openai import OpenAI

    client = OpenAI(base_url=base_url, api_key=key, timeout=120)
    name = model or client.models.list().data[0].id

    def answer(many: list[Messages]) -> list[str]:
        out = []
        for messages in many:
            reply = client.chat.completions.create(
                model=name, messages=messages, temperature=0, max_tokens=80
            )  # type: ignore[arg-type]
            out.append(reply.choices[0].message.content or "")
        return out

    return answer


def exact(
    answer: Answer, n: int, mode: str, seed: int = 1
) -> tuple[dict[str, object], list[tuple[Prompt, str]]]:
    """``direct``: prompts as they are; ``surrogate``: replaced and restored here; ``seen``: values as in training."""
    cases = list(prompts(n, seed, held=mode != "seen"))
    rng = random.Random(f"surrogates {seed}")
    if mode == "surrogate":
        pairs = [masked(case, rng) for case in cases]
        replies = answer([messages for messages, _ in pairs])
        replies = [restored(reply, back) for reply, (_, back) in zip(replies, pairs, strict=True)]
    else:
        replies = answer([case.messages for case in cases])
    wrong = [
        (case, reply) for case, reply in zip(cases, replies, strict=True) if reply.strip() != case.expected
    ]
    return score(cases, replies), wrong


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the embedded default model.")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--base-url")
    parser.add_argument("--key", default="none")
    parser.add_argument("--name", default="", help="model name at --base-url; the first listed otherwise")
    parser.add_argument("-n", type=int, default=500)
    parser.add_argument(
        "--all", action="store_true", help="also perplexity, SimLex-999, neighbours, free prompts"
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--wrong", type=int, default=0, help="print this many wrong answers a mode")
    args = parser.parse_args()
    figures: dict[str, object] = {"refusal": REFUSAL}
    answer = remote(args.base_url, args.key, args.name) if args.base_url else local(args.model)
    for mode in ("direct",) if args.base_url else ("surrogate", "direct", "seen"):
        figures[mode], wrong = exact(answer, args.n, mode)
        print(mode, json.dumps(figures[mode]))
        for case, reply in wrong[: args.wrong]:
            print(
                "  ",
                json.dumps(
                    {"prompt": case.messages[0]["content"], "expected": case.expected, "got": reply},
                    ensure_ascii=False,
                ),
            )
    if args.all:
        from training.words import measure

        figures |= measure(args.model, answer, args.data)
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
