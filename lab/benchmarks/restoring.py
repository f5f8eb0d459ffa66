"""What restoring costs: an answer's tokens with 200 originals, plain and full of markup; the finder on 8 KB with 500.

    python lab/benchmarks/restoring.py [--repeats 5] [--seed 0]

Tokens are counted as four characters each and fed one by one, as they stream. The median of the repeats is
printed, in seconds of CPU.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from statistics import median

from cmif.enclave.detect.lists import lists
from cmif.enclave.finder import Finder
from cmif.enclave.originals import Original
from cmif.enclave.restore import Restorer
from cmif.types import Kind

_TOKENS = 4000
_TOKEN = 4
_MARKUP = (
    "[x](https://x.example/a) ", "<b>y</b> ", "https://x.example/a?b=c ", "a <b ", "```py\nx = 1\n```\n", "\\url{x} ",
    "\n\n",
)  # fmt: skip


def _originals(count: int, source: random.Random) -> list[Original]:
    """Names, card numbers and dates, four names to one of each other."""

    def name() -> str:
        return "".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=7)).title()

    def number() -> str:
        return " ".join(f"{source.randrange(10000):04d}" for _ in range(4))

    def day() -> str:
        return f"{source.randrange(1, 29)} March {source.randrange(1950, 2030)}"

    kinds = [(Kind.PERSON, name)] * 4 + [(Kind.CARD, number), (Kind.DATE, day)]
    return [Original(kind, make(), make()) for i in range(count) for kind, make in [kinds[i % len(kinds)]]]


def _text(characters: int, others: list[str], source: random.Random) -> str:
    words = sorted(lists().ordinary)
    out = ""
    while len(out) < characters:
        out += source.choice(others) if others and source.random() < 0.1 else source.choice(words) + " "
    return out[:characters]


def _seconds(work: Callable[[], object], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    source = random.Random(args.seed)
    originals = _originals(200, source)
    surrogates = [f"{o.surrogate} " for o in originals]
    lists()

    def stream(answer: str) -> None:
        restorer = Restorer(originals)
        for at in range(0, len(answer), _TOKEN):
            restorer.feed(answer[at : at + _TOKEN])
        restorer.finish()

    built = _seconds(lambda: Restorer(originals), args.repeats)
    for name, others in (("plain", surrogates), ("markup", [*surrogates[:40], *_MARKUP * 6]), ("JSON", surrogates)):
        answer = _text(_TOKENS * _TOKEN, others, source)
        answer = f'{{"a": "{answer}"}}' if name == "JSON" else answer
        taken = _seconds(lambda answer=answer: stream(answer), args.repeats)  # type: ignore[misc]
        print(f"restoring, {name}: {(taken - built) / _TOKENS * 1e6:.1f} microseconds a token")
    print(f"building a restorer of 200 originals: {built * 1e3:.1f} ms")
    many = _originals(500, source)
    print(f"building a finder of 500 originals: {_seconds(lambda: Finder(many), args.repeats) * 1e3:.1f} ms")
    finder, text = Finder(many), _text(8192, [f"{o.original} " for o in many], source)
    print(f"finding in 8 KB: {_seconds(lambda: finder.find(text), args.repeats) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
