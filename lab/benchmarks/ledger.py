"""What a request waits for the ledger, in a directory and in a database, in one run: a charge of five draws, a
recall of what they left, and whose key it is.

    python lab/benchmarks/ledger.py postgresql://user@host/empty
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cmif.enclave.memo import Entry, Payer
from cmif.gateway.ledger import Ledger, Tenant
from cmif.gateway.state import look_at

ROUNDS, DRAWS, WORKERS = 300, 5, 8


def milliseconds(work: Callable[[int], object]) -> dict[str, float]:
    def one(i: int) -> float:
        start = time.perf_counter()
        work(i)
        return (time.perf_counter() - start) * 1e3

    taken = sorted(one(i) for i in range(ROUNDS))
    return {"p50": round(statistics.median(taken), 2), "p99": round(taken[int(ROUNDS * 0.99)], 2)}


def charge(ledger: Ledger, worker: int, tenants: int) -> Callable[[int], object]:
    def work(i: int) -> object:
        node = b"%d %d" % (worker, i)
        draws = {b"%d %d %d" % (worker, i, n): Entry(node, bytes(92), 1.0) for n in range(DRAWS)}
        return ledger.commit(Payer(f"t{worker % tenants}", "", (node,)), draws)

    return work


def measured(state: str) -> dict[str, object]:
    ledger = look_at(state, make=True)
    ledger.add_key(Tenant("ward", ("00" * 32,)))
    told: dict[str, object] = {
        "charge_ms": milliseconds(charge(ledger, 0, 1)),
        "recall_ms": milliseconds(lambda i: ledger.recall({b"0 %d" % i: 0})),
        "key_ms": milliseconds(lambda i: ledger.tenant_of("00" * 32)),
    }
    ledger.close()
    for name, tenants in (("of_one_tenant", 1), ("of_many", WORKERS)):
        gateways = [look_at(state) for _ in range(WORKERS)]
        start = time.perf_counter()
        with ThreadPoolExecutor(WORKERS) as pool:
            works = [charge(one, w + 1 + 100 * tenants, tenants) for w, one in enumerate(gateways)]
            list(pool.map(lambda work: [work(i) for i in range(ROUNDS)], works))
        told[f"charges_a_second_{name}"] = round(WORKERS * ROUNDS / (time.perf_counter() - start))
        for one in gateways:
            one.close()
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database")
    with tempfile.TemporaryDirectory() as folder:
        told = {"sqlite": measured(folder), "postgresql": measured(parser.parse_args().database)}
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
