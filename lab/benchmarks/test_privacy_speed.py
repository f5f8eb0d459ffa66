"""Speed of the mechanism at full size: 60,000 words, 2,048 dimensions, K = 32.

    OMP_NUM_THREADS=1 pytest lab/benchmarks/test_privacy_speed.py --benchmark-columns=min,median,max,rounds

Targets: at least 1,000,000 draws a second on one core; the partition in under 60 s and the process under 2 GiB. On a
loaded machine leave OMP_NUM_THREADS=1: two BLAS threads that wait for each other are slower than one.
"""

from __future__ import annotations

import os
import resource
import time

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from cmif.privacy.certify import certify
from cmif.privacy.table import Table
from cmif_lab.laws import LAWS
from cmif_server.tables.build import build_table
from cmif_server.tables.partition import partition

WORDS, WIDTH, K = 60_000, 2048, 32
DRAWS = 1_000_000


@pytest.fixture(scope="module")
def classes() -> np.ndarray:
    return np.repeat(np.array([0, 1, 2], np.uint8), [40_000, 15_000, 5_000])


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """float32 [60000, 2048] around 3,000 centres, made block by block; cosines inside a bucket are about 0.2."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((3000, WIDTH), dtype=np.float32)
    out = np.empty((WORDS, WIDTH), np.float32)
    for start in range(0, WORDS, 4000):
        block = 2 * rng.standard_normal((4000, WIDTH), dtype=np.float32)
        out[start : start + 4000] = block + centres[rng.integers(0, 3000, 4000)]
    return out


@pytest.fixture(scope="module", params=["medoid-rr", "rr"])
def table(request: pytest.FixtureRequest, classes: np.ndarray) -> Table:
    """A table of 60,000 words; its vectors are narrow, which sampling does not see."""
    narrow = np.random.default_rng(1).standard_normal((WORDS, 24), dtype=np.float32)
    order = np.concatenate([np.flatnonzero(classes == c) for c in range(3)])
    # words side by side in one direction: a partition for free
    order = np.concatenate([part[np.argsort(narrow[part, 0])] for part in np.split(order, [40_000, 55_000])])
    cuts = [
        c
        for start, end in ((0, 40_000), (40_000, 55_000), (55_000, 60_000))
        for c in range(start, end - K, K)
    ]
    buckets = list(np.split(order, cuts[1:]))
    return build_table(
        [str(i) for i in range(WORDS)], classes, narrow, bundle="00", k=K, law=request.param, laws=LAWS, buckets=buckets
    )


def _note(benchmark: BenchmarkFixture, **facts: object) -> None:
    benchmark.extra_info.update(facts, load=[round(v, 1) for v in os.getloadavg()], cores=os.cpu_count())


def test_sampling(benchmark: BenchmarkFixture, table: Table) -> None:
    x = np.random.default_rng(0).integers(0, WORDS, DRAWS)
    drawn = benchmark(table.sample, x)
    assert (table.classes[drawn] == table.classes[x]).all()
    started = time.process_time()  # what one core does, however many others want it
    table.sample(x)
    cpu = time.process_time() - started
    _note(
        benchmark,
        law=table.law,
        draws_per_second=round(DRAWS / benchmark.stats.stats.median),
        draws_per_cpu_second=round(DRAWS / cpu),
    )


def test_sampling_one_request(benchmark: BenchmarkFixture, table: Table) -> None:
    """20 new words, as a chat message has: the cost of a call."""
    x = np.random.default_rng(0).integers(0, WORDS, 20)
    assert len(benchmark(table.sample, x)) == 20
    _note(benchmark, law=table.law)


def test_certify(benchmark: BenchmarkFixture, table: Table) -> None:
    certificate = benchmark.pedantic(certify, args=(table,), rounds=3)
    assert certificate.certified
    _note(benchmark, law=table.law, buckets=certificate.buckets)


def test_load(benchmark: BenchmarkFixture, table: Table) -> None:
    data = table.to_bytes()
    assert benchmark.pedantic(Table.from_bytes, args=(data,), rounds=3).digest == table.digest
    _note(benchmark, law=table.law, megabytes=round(len(data) / 1e6, 2))


@pytest.mark.parametrize("name", [n for n in LAWS if not n.endswith("textbook")])
def test_law(benchmark: BenchmarkFixture, name: str) -> None:
    """One bucket of 32 at epsilon 1."""
    x = np.random.default_rng(0).standard_normal((K, 24))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    p = benchmark.pedantic(LAWS[name], args=(1 - x @ x.T, 1.0), rounds=5, warmup_rounds=1)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    _note(benchmark)


@pytest.mark.timeout(600)
def test_partition(benchmark: BenchmarkFixture, vectors: np.ndarray, classes: np.ndarray) -> None:
    started = time.process_time()
    buckets = benchmark.pedantic(partition, args=(vectors, classes, K), rounds=1)
    cpu = time.process_time() - started
    assert sorted(np.concatenate(buckets).tolist()) == list(range(WORDS))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert peak < 2048
    _note(benchmark, cpu_seconds=round(cpu, 1), peak_rss_mib=round(peak), buckets=len(buckets))
