"""What hiding page accesses costs: `python lab/benchmarks/oblivious.py [VOCAB HIDDEN]`.

Prints one JSON line a table (default: Llama-2-7B's and Llama-3-8B's sizes): CPU milliseconds on one thread for
the plain look-up, for touching one word of every page (which hides less), and for `cmif.enclave.oblivious`, by number
of ids; the best of several runs. The tables are random.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np

from cmif.enclave.oblivious import PAGE_BYTES, ObliviousRows

IDS = (1, 16, 64, 256, 1024)


def best_ms(act: Callable[[], object], runs: int = 5) -> float:
    """CPU milliseconds of the fastest of ``runs`` calls."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        act()
        times.append(time.process_time() - start)
    return round(min(times) * 1e3, 3)


def measure(vocab: int, hidden: int) -> dict[str, object]:
    """Costs for one table size."""
    generator = np.random.default_rng(0)
    table = generator.integers(0, 1 << 16, size=(vocab, hidden), dtype=np.uint16)
    start = time.process_time()
    rows = ObliviousRows(table)
    tiling = time.process_time() - start
    by_ids = {}
    for count in IDS:
        ids = generator.integers(0, vocab, count)
        by_ids[count] = {
            "plain_ms": best_ms(lambda ids=ids: table[ids]),
            "oblivious_ms": best_ms(lambda ids=ids: rows.gather(ids)),
        }
    touch = best_ms(lambda: table.reshape(-1)[:: PAGE_BYTES // 2].sum())
    return {
        "vocab": vocab,
        "hidden": hidden,
        "tiling_s": round(tiling, 2),
        "touch_every_page_ms": touch,
        "ids": by_ids,
    }


def main() -> None:
    given = [int(argument) for argument in sys.argv[1:]]
    for vocab, hidden in [(given[0], given[1])] if given else [(32000, 4096), (128256, 4096)]:
        print(json.dumps(measure(vocab, hidden)))


if __name__ == "__main__":
    main()
