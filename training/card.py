"""The model card, from the figures: nothing in it is typed by hand but what the figures mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import Any

from training.model import Shape
from training.sources import LICENCES
from training.train import Phase

POLICIES = ("entities", "off", "content")

TASKS = {
    "extract": "one fact",
    "refuse": "a fact that the text does not hold",
    "summary": "one-sentence summary",
    "todo": "list of what is to be done",
    "urgency": "urgency",
    "sentiment": "sentiment",
    "polite": "polite rewriting",
    "all": "all prompts",
}

HEAD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
---

# The embedded default model of CMIF

A Llama of {parameters:.1f} million parameters, trained from scratch on two CPU cores, that answers questions about
short clinical notes, bank complaints and contract clauses. It exists so that the demonstration, the tests and the
experiments have a real Llama that ships with the package. It is no assistant, knows no facts, and must not be used
for decisions about people.

| | |
|---|---|
| layers, hidden, heads, ffn | {shape.layers}, {shape.hidden}, {shape.heads}, {shape.ffn} |
| context | {shape.context} positions; trained on conversations of up to about 250 |
| vocabulary | {shape.vocab:,}, byte-level BPE, digits split, tied embeddings |
| weights | bf16 safetensors |
| training | about {tokens:.1f} million tokens |

## Data and licences

Generated documents and conversations (`training/field`) with names from public lists and `Faker`; random sequences;
and general text:

{licences}

The weights are licensed Apache-2.0. The CC BY 4.0 sources are MedQuAD (Ben Abacha and Demner-Fushman 2019), MTS-Dialog
(Ben Abacha et al. 2023) and the nursing textbooks of OpenStax, Rice University.

## Recipe

`make model`. The first two layers start with previous-token and induction heads written in by hand
(`training/wiring.py`), so that the model can copy before it can read; Muon for the matrices, AdamW for embeddings and
norms; loss on answers only in the conversations, on every piece in general text. The rate falls linearly over a phase.
A seed gives the same weights bit for bit on one kind of processor: a second full run, from a clean clone, gave the same
`model.safetensors` to the byte. So every figure repeats but for the gateway's own draws (`entities`, `content`).
"""

EXACT = """
## Exact answers on 500 held-out prompts

Greedy, the whole restored answer compared, originals never seen in training, all through a real gateway and engine.
Policy `entities`: the model sees surrogates for what the detectors find. `off`: it sees the originals. `content`: every
word but stop words is redrawn as well (K = 16, epsilon 1 a word), so few prompts still ask what was asked.
"""

WORDS = """
## Language and words

Perplexity on held-out general text: {perplexity} a piece ({bits_per_character} bits a character, {pieces} pieces).
SimLex-999, Spearman: {spearman}. A word's vector is the mean of the embedding rows of its pieces.
"""

FREE = """
## Thirty free prompts, greedy, unedited

Written by hand, not drawn from the grammar; failures included. ⏎ stands for a line break.
"""

LIMITS = """
## Limits

- It reads short English texts written like its grammar; free wording, long texts and other fields fail often.
- Lists of tasks are wrong about half the time; where the text does not hold the fact asked for, it often gives another.
- Where a text holds several dates or several numbers it takes the wrong one in about one answer of five.
- Long strings of digits lose or swap a digit more often than names do.
- It has no world knowledge and no safety training. Names it gives may be wrong even where the sentence is fluent.
- Word vectors come from a small corpus: neighbours of rare words are noise.
"""


def card(figures: dict[str, Any], shape: Shape, phases: Sequence[Phase]) -> str:
    """Markdown with the front matter of a model hub."""
    per_layer = 4 * shape.hidden**2 + 3 * shape.hidden * shape.ffn + 2 * shape.hidden
    parameters = shape.vocab * shape.hidden + shape.layers * per_layer + shape.hidden
    tokens = sum(p.steps * sum(astuple(p.mix)) for p in phases)
    licences = "\n".join(f"- {name}: {licence}" for name, licence in LICENCES.items())
    scores = [figures[policy] for policy in POLICIES]
    return "\n".join(
        [
            HEAD.format(parameters=parameters / 1e6, tokens=tokens / 1e6, shape=shape, licences=licences),
            _table(
                ("phase", "steps", "tokens a step: long, short, text, repeat", "rate"),
                ((p.name, p.steps, ", ".join(map(str, astuple(p.mix))), _rate(p)) for p in phases),
            ),
            EXACT,
            _table(
                ("task", "prompts", *POLICIES),
                ((text, *_cells(scores, task)) for task, text in TASKS.items() if task in scores[0]),
            ),
            "\nExtraction by fact:\n",
            _table(
                ("fact", "prompts", *POLICIES),
                ((key.split(".")[1], *_cells(scores, key)) for key in scores[0] if "." in key),
            ),
            WORDS.format(**figures["perplexity"], **figures["simlex"]),
            _table(
                ("word", "nearest by cosine"),
                ((word, ", ".join(near)) for word, near in figures["neighbours"].items()),
            ),
            FREE,
            *(
                f"{i}. {_quote(case['prompt'])}\n\n   > {_quote(case['answer']) or '(empty)'}\n"
                for i, case in enumerate(figures["free"], 1)
            ),
            LIMITS,
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _cells(scores: Sequence[dict[str, Any]], key: str) -> list[object]:
    return [scores[0][key]["n"], *(f"{100 * score[key]['exact']:.1f} %" for score in scores)]


def _rate(phase: Phase) -> str:
    return f"{phase.rate:g} to {phase.rate * phase.last:.3g}"


def _quote(text: str) -> str:
    return text.replace("\n", " ⏎ ").replace("|", "\\|")
