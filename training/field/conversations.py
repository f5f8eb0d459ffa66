"""Documents and conversations about them, from a grammar and a seed.

A conversation is a list of (question, answer, kind) about one document. Knows nothing about tokens.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from training.field.pools import POOLS
from training.field.tasks import ACTIONS, GRADES, SMALL_TALK, URGENCY, Turn, polite
from training.field.trade import Trade
from training.field.trades import TRADES
from training.field.values import Values

REFUSAL = "The text does not say."


@dataclass(frozen=True, slots=True)
class Conversation:
    """``turns[0].question`` already holds the document. ``facts`` are the slots the document states."""

    document: str
    turns: tuple[Turn, ...]
    facts: dict[str, str]
    trade: str


def document(rng: random.Random, values: Values, trade: Trade, sentences: int) -> tuple[str, dict[str, str]]:
    """A text of 1 + ``sentences`` sentences or lines and the facts that it states."""
    values.fresh()
    facts: dict[str, str] = {}

    def fill(template: str) -> str:
        for name, slot in trade.slots.items():
            mark = "{" + name + "}"
            if mark in template:
                if name not in facts:
                    facts[name] = (
                        rng.choice(POOLS[slot.kind])
                        if slot.kind in POOLS  # type: ignore[index]
                        else values.make(slot.kind, slot.flavour)
                    )
                template = template.replace(mark, facts[name])
        return template

    groups = rng.sample(trade.body, min(sentences, len(trade.body)))
    parts = [fill(rng.choice(trade.lead)), *(fill(rng.choice(group)) for group in groups)]
    if rng.random() < 0.15:  # the opening sentence need not come first
        parts.insert(rng.randrange(len(parts)), parts.pop(0))
    glue = "\n" if rng.random() < 0.2 else " "
    return glue.join(parts), facts


def ask(rng: random.Random, text: str, question: str, before: float = 0.08) -> str:
    """One way a person would put a text and a question into a message; ``before``: how often the question leads."""
    if rng.random() < before:
        return f"{question}\n\n{text}"
    way = rng.random()
    if way < 0.6:
        return f"{text}\n\n{question}"
    if way < 0.82:
        return f"{text}\n\nQuestion: {question}"
    if way < 0.92:
        return f"{rng.choice(('Read this text', 'Here is a text', 'Text', 'Document', 'Note'))}: {text}\n\n{question}"
    return f"{text} {question}"


def conversation(
    rng: random.Random, values: Values, turns: int = 4, only: str | None = None, before: float = 0.08
) -> Conversation:
    """A conversation with up to ``turns`` turns; ``only`` restricts it to one kind of turn (``extract``, ...).

    ``before``: how often the first question stands before the text.
    """
    trade = rng.choice(TRADES)
    kinds = ("extract", "refuse", "summary", "todo", "urgency", "sentiment", "polite", "talk")
    main = only or rng.choices(kinds, (52, 10, 10, 9, 5, 5, 8, 1))[0]
    if main == "talk":
        question, answer = rng.choice(SMALL_TALK)
        return Conversation("", (Turn(question, answer, main),), {}, trade.name)
    if main == "polite":
        demand, kind_answer = polite(rng)
        asked = rng.choice(
            (
                "Rewrite this politely: {}",
                "Make this polite: {}",
                "Say this politely: {}",
                "{}\n\nRewrite this politely.",
            )
        )
        return Conversation("", (Turn(asked.format(demand), kind_answer, main),), {}, trade.name)
    text, facts = document(rng, values, trade, rng.choice((2, 3, 3, 4, 4, 5, 6)))
    todo: list[Turn] = []
    if main == "todo":
        actions = rng.sample(ACTIONS[trade.name], rng.choice((1, 2, 2, 3)))
        for action in actions:
            text += rng.choice(
                (" Please {}.", " It is necessary to {}.", " We must {}.", " Someone has to {}.")
            ).format(action)
        question = rng.choice(
            (
                "What is to be done?",
                "List what is to be done.",
                "What are the next steps?",
                "List the tasks.",
                "What must be done?",
            )
        )
        todo.append(Turn(question, "\n".join(f"- {action}" for action in actions), main))
    if main in ("urgency", "sentiment"):
        table = URGENCY if main == "urgency" else GRADES
        grade = rng.choice(tuple(table))
        text += " " + rng.choice(table[grade])
        question = rng.choice(
            ("How urgent is this?", "What is the urgency?", "Classify the urgency.", "Is this urgent?")
            if main == "urgency"
            else (
                "What is the sentiment?",
                "Classify the sentiment.",
                "What is the tone?",
                "How does the writer feel?",
            )
        )
        todo.append(Turn(question, f"{'Urgency' if main == 'urgency' else 'Sentiment'}: {grade}.", main))
    if main == "summary":
        question = rng.choice(
            (
                "Summarise this in one sentence.",
                "Give a one-sentence summary.",
                "Sum this up in one sentence.",
                "What is this about?",
                "Summarise the text.",
                f"Summarise the {trade.document}.",
            )
        )
        # a name that opened the answer would be cut into other pieces than the same name after a space
        todo.append(Turn(question, f"Summary: {trade.summary.format(**facts)}", main))
    known = list(facts)
    absent = [name for name in trade.slots if name not in facts]
    if main == "refuse":
        todo.append(_refusal(rng, trade, rng.choice(absent)))
    weights = [
        1
        if trade.slots[n].kind
        in ("complaint", "problem", "wish", "subject", "penalty", "drug", "allergen", "age", "days")
        else 3
        for n in known
    ]
    while known and len(todo) < turns and not (only and len(todo) == 1 and only != "extract"):
        name = rng.choices(known, weights)[0]
        at = known.index(name)
        known.pop(at)
        weights.pop(at)
        slot = trade.slots[name]
        todo.append(
            Turn(rng.choice(slot.questions), slot.answer.format(facts[name]), "extract", name, facts[name])
        )
        if not only and rng.random() < 0.08:
            todo.append(_refusal(rng, trade, rng.choice(absent)))
    if not only and main != "extract" and rng.random() < 0.5:
        rng.shuffle(todo)
    first = todo[0]
    todo[0] = Turn(ask(rng, text, first.question, before), first.answer, first.kind, first.slot, first.value)
    return Conversation(text, tuple(todo), facts, trade.name)


def _refusal(rng: random.Random, trade: Trade, name: str) -> Turn:
    return Turn(rng.choice(trade.slots[name].questions), REFUSAL, "refuse", name)
