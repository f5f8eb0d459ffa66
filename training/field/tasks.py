"""The tasks that are not extraction: what must be done, urgency, sentiment, polite rewriting, small talk."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange. ``slot`` and ``value`` are set where the answer is one fact."""

    question: str
    answer: str
    kind: str
    slot: str = ""
    value: str = ""


ACTIONS = {
    "clinic": (
        "check the blood pressure",
        "order a blood test",
        "call the patient tomorrow",
        "send the results to the doctor",
        "change the dressing",
        "stop the medication",
        "book an X-ray",
        "repeat the test in a week",
        "weigh the patient",
        "send the patient to a specialist",
        "measure the temperature twice a day",
        "update the record",
        "ask about allergies",
        "arrange transport home",
        "plan the operation",
        "give the patient more fluids",
    ),
    "bank": (
        "send a new card",
        "refund the fee",
        "block the card",
        "call the customer",
        "correct the balance",
        "check the transfer",
        "write an apology",
        "close the account",
        "send a copy of the statement",
        "ask the shop for a receipt",
        "change the address",
        "raise the limit",
        "inform the manager",
        "open a new case",
        "reset the password",
    ),
    "contract": (
        "sign both copies",
        "pay the deposit",
        "return the keys",
        "send a copy to the lawyer",
        "check the invoice",
        "renew the insurance",
        "give notice in writing",
        "repair the heating",
        "deliver the goods on time",
        "inform the other party",
        "keep the documents safe",
        "name a new contact",
        "paint the walls",
        "test the software",
        "train the staff",
    ),
}

URGENCY = {
    "high": (
        "The matter is very urgent.",
        "Act at once.",
        "This cannot wait.",
        "The patient's life is in danger.",
        "It is an emergency.",
        "We need help right now.",
        "Immediate action is required.",
    ),
    "medium": (
        "Please answer this week.",
        "It should be done soon.",
        "An answer in a few days is fine.",
        "Please look at it in the next days.",
    ),
    "low": (
        "There is no hurry.",
        "Take your time.",
        "It can wait.",
        "This is only for information.",
        "Any time next month will do.",
    ),
}

GRADES = {
    "negative": (
        "I am very angry.",
        "The service was terrible.",
        "I am deeply disappointed.",
        "Nobody helped me.",
        "It was a bad experience.",
        "I will never come back.",
        "This is not acceptable.",
    ),
    "neutral": (
        "This is for your records.",
        "Nothing else has changed.",
        "The rest is as agreed.",
        "No further remarks.",
    ),
    "positive": (
        "Everyone was very kind.",
        "I am very happy with the help.",
        "The service was excellent.",
        "Thank you for the quick help.",
        "It was a good experience.",
        "I am grateful.",
    ),
}

_RUDE = (
    "{}! Now!",
    "{} right now!",
    "Just {}, you idiots!",
    "{} or else!",
    "I have had enough. {}!",
    "You must {} at once!",
    "Why don't you {}?!",
)
_KIND = "Could you please {}? Thank you very much."

SMALL_TALK = (
    ("Hello", "Hello. Give me a clinical note, a complaint or a contract, and ask me about it."),
    ("Hello!", "Hello. Give me a clinical note, a complaint or a contract, and ask me about it."),
    ("Hi", "Hello. Give me a clinical note, a complaint or a contract, and ask me about it."),
    (
        "Good morning",
        "Good morning. Give me a clinical note, a complaint or a contract, and ask me about it.",
    ),
    ("Who are you?", "I am a small language model that reads clinical notes, bank complaints and contracts."),
    (
        "What are you?",
        "I am a small language model that reads clinical notes, bank complaints and contracts.",
    ),
    (
        "What can you do?",
        "I can find facts in a short text, sum it up, list what is to be done and say how urgent it is.",
    ),
    (
        "How can you help me?",
        "I can find facts in a short text, sum it up, list what is to be done and say how urgent it is.",
    ),
    ("Thank you", "You are welcome."),
    ("Thanks!", "You are welcome."),
    ("Goodbye", "Goodbye."),
    ("Bye", "Goodbye."),
    ("How are you?", "I am fine, thank you. How can I help you?"),
)


def polite(rng: random.Random) -> tuple[str, str]:
    """(a rude demand, the same politely)."""
    action = rng.choice(ACTIONS[rng.choice(tuple(ACTIONS))])
    template = rng.choice(_RUDE)
    demand = template.format(action)
    return demand[0].upper() + demand[1:], _KIND.format(action)
