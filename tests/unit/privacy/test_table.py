"""The table: its theorem by brute force, its file, its refusals."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmif.errors import InputError, MechanismError, TableError
from cmif.privacy.entries import Entries, dump, parse
from cmif.privacy.integers import exp_lower
from cmif.privacy.table import Table
from cmif.types import WordClass
from cmif_server.tables.build import build_table
from cmif_server.tables.partition import partition
from tests.unit.privacy.conftest import BUNDLE, LAWS, clustered, lexicon


def matrix(table: Table) -> list[list[Fraction]]:
    """M(y|x) for every x and y, exactly."""
    n = len(table)
    return [[table.probability(y, x) for y in range(n)] for x in range(n)]


def test_rows_of_the_mechanism_sum_to_one(table: Table) -> None:
    assert all(sum(row) == 1 for row in matrix(table))


def test_theorem_inside_a_bucket_and_across_the_class(table: Table) -> None:
    """(i) and (ii), every pair and every output, in fractions: not a sample of them."""
    inside, outside = exp_lower(Fraction(table.eps_in)), exp_lower(Fraction(table.eps_out))
    worst = Fraction(1)
    for cls in WordClass:
        members = np.flatnonzero(table.classes == cls).tolist()
        denominator = (1 << 48) * table.gamma.denominator * len(members)
        m = np.array([[int(table.probability(y, x) * denominator) for y in members] for x in members], object)
        assert (m.sum(axis=1) == denominator).all()  # whole numbers: nothing was cut off
        for i, x in enumerate(members):
            same = np.isin(members, table.candidates(x))
            for rows, bound in ((m[same], inside), (m, outside)):
                assert (m[i] * bound.denominator <= rows * bound.numerator).all()
            j, y = np.unravel_index(np.argmax(m[i].astype(float) / m.astype(float)), m.shape)
            worst = max(worst, Fraction(m[i, y], m[j, y]))
        worst = max(
            worst, Fraction(m.max() * len(members), denominator)
        )  # against a word outside the lexicon
        worst = max(worst, Fraction(denominator, m.min() * len(members)))
    assert table.eps_out < math.log(worst) + 1e-9  # and eps_out is not larger than it need be


def test_words_outside_the_lexicon_are_covered_by_eps_out(table: Table) -> None:
    """They are replaced uniformly over the class; no lexicon word is further from that than eps_out."""
    bound = exp_lower(Fraction(table.eps_out))
    for x in range(0, len(table), 7):
        members = np.flatnonzero(table.classes == table.classes[x])
        for y in members.tolist():
            p, uniform = table.probability(y, x), Fraction(1, len(members))
            assert p <= bound * uniform
            assert uniform <= bound * p


def test_eps_out_formula() -> None:
    """eps_out = ln(1 + (1 - g) q_max |C| / g) for classes of two buckets or more."""
    words, classes, vectors = lexicon()
    few = classes != WordClass.NUMBER
    table = build_table(
        [w for w, keep in zip(words, few, strict=True) if keep],
        classes[few],
        vectors[few],
        bundle=BUNDLE,
        k=12,
        gamma=Fraction(1, 40),
        law="rr",
        laws=LAWS,
    )
    q = max(
        float(table.entries.weights[table.classes == c].max()) * (table.classes == c).sum() for c in (0, 1)
    ) / (1 << 48)
    assert table.eps_out == pytest.approx(math.log(1 + (1 - 1 / 40) * q * 40), rel=1e-12)


def test_eps_out_of_a_single_bucket_counts_words_outside_the_lexicon() -> None:
    """A word that only the background reports has g / |C| from the lexicon's words and 1 / |C| from unknown ones."""
    table = build_table(
        list("abcdefgh"),
        np.zeros(8, np.uint8),
        clustered(8, 4),
        bundle=BUNDLE,
        k=8,
        gamma=Fraction(1, 20),
    )
    assert (table.entries.columns >= 0).sum() < 8
    assert table.eps_out == pytest.approx(math.log(20), rel=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_every_law_builds(law: str) -> None:
    table = build_table(
        [f"w{i}" for i in range(40)],
        np.zeros(40, np.uint8),
        clustered(40, 8),
        bundle=BUNDLE,
        k=8,
        law=law,
        laws=LAWS,
        weights=np.arange(40.0) + 1,
    )
    assert table.certificate.certified
    assert table.law == law
    epsilon = 0.0 if law == "constant" else 1.0
    assert (table.k, table.eps_in, table.gamma) == (8, epsilon, Fraction(1, 40))


def test_the_constant_law_tells_the_bucket_and_nothing_else() -> None:
    """Every pair of every bucket and every output, in fractions; nothing is charged, and the file keeps it so."""
    words, classes, vectors = lexicon()
    table = build_table(words, classes, vectors, bundle=BUNDLE, k=12, law="constant")
    for x in range(len(table)):
        bucket = table.candidates(x)
        row = [table.probability(y, x) for y in range(len(table))]
        assert sum(row) == 1
        assert sum(p > Fraction(1, 2) for p in row) == 1  # one representative; the rest is background
        assert all(row[y] == table.probability(y, int(other)) for other in bucket for y in range(len(table)))
        assert table.epsilon_of(x) == 0
    assert table.eps_in == 0
    assert table.certificate.constant == table.certificate.buckets
    again = Table.from_bytes(table.to_bytes(), bundle=BUNDLE)
    assert (again.eps_in, again.law, again.digest) == (0, "constant", table.digest)
    for epsilon in (1.0, -1.0, math.nan):
        with pytest.raises(MechanismError, match="constant"):
            build_table(words, classes, vectors, bundle=BUNDLE, k=12, law="constant", epsilon=epsilon)


def test_the_constant_law_is_sampled_as_it_is_proven() -> None:
    words, classes, vectors = lexicon()
    table = build_table(words, classes, vectors, bundle=BUNDLE, k=12, law="constant", gamma=Fraction(1, 20))
    drawn = table.sample(np.full(4000, 5))
    representative = max(range(len(table)), key=lambda y: table.probability(y, 5))
    expected = 4000 * float(table.probability(representative, 5))
    assert abs(int((drawn == representative).sum()) - expected) < 5 * math.sqrt(4000 * 0.95 * 0.05)


def test_a_word_is_charged_what_its_bucket_spends(table: Table) -> None:
    """`epsilon_of` is a bound for every pair of the bucket, in fractions, and for some pair it is met."""
    for x in range(0, len(table), 5):
        bucket = table.candidates(x)
        epsilon = table.epsilon_of(x)
        assert 0 <= epsilon <= table.eps_in
        assert {table.epsilon_of(int(other)) for other in bucket} == {epsilon}
        columns = table.entries.weights[bucket].astype(object)
        worst = max(Fraction(c.max(), c.min()) for c in columns.T if c.max())
        assert worst <= exp_lower(Fraction(epsilon))
        assert math.log(worst) == pytest.approx(epsilon, abs=1.001e-9)


def test_a_bucket_with_one_representative_is_not_charged_in_any_table() -> None:
    """Near-copies beside two clusters far apart: medoid-rr reports one word of the first and charges nothing."""
    close = np.ones((8, 3)) + 0.01 * np.eye(8, 3)
    apart = np.repeat([[0.0, 0, 1], [1, -1, 0]], 4, axis=0)
    table = build_table(
        [f"w{i}" for i in range(16)],
        np.zeros(16, np.uint8),
        np.concatenate([close, apart]),
        bundle=BUNDLE,
        k=8,
        epsilon=0.5,
        buckets=[np.arange(8), np.arange(8, 16)],
    )
    charged = [table.epsilon_of(i) for i in range(16)]
    assert charged[:8] == [0] * 8
    assert charged[8:] == [0.5] * 8
    assert max(charged) <= table.eps_in == 0.5
    assert (table.certificate.constant, table.certificate.buckets) == (1, 2)


@pytest.mark.parametrize("law", LAWS)
@given(seed=st.integers(0, 2**32 - 1), epsilon=st.floats(0.01, 6), k=st.integers(2, 6))
@settings(max_examples=15, deadline=None)
def test_any_table_comes_back_from_its_file(law: str, seed: int, epsilon: float, k: int) -> None:
    n = int(np.random.default_rng(seed).integers(k, 4 * k))
    table = build_table(
        [f"w{i}" for i in range(n)],
        np.zeros(n, np.uint8),
        clustered(n, 4, seed, clusters=3),
        bundle=BUNDLE,
        k=k,
        law=law,
        laws=LAWS,
        epsilon=0 if law == "constant" else epsilon,
    )
    again = Table.from_bytes(table.to_bytes(), bundle=BUNDLE)
    assert (again.digest, again.law, again.eps_in) == (table.digest, law, table.eps_in)
    assert table.eps_in in (0, epsilon)
    assert [again.epsilon_of(i) for i in range(n)] == [table.epsilon_of(i) for i in range(n)]


def test_a_partition_made_before_is_used() -> None:
    x, classes = clustered(60, 8), np.zeros(60, np.uint8)
    buckets = partition(x, classes, 10, seed=3)
    table = build_table([str(i) for i in range(60)], classes, x, bundle=BUNDLE, k=10, buckets=buckets)
    assert {tuple(table.candidates(i)) for i in range(60)} == {tuple(b) for b in buckets}


def test_look_up(table: Table) -> None:
    assert table.index("w3", WordClass.WORD) == 3
    assert table.index("w3", WordClass.NAME) is None
    assert table.index("absent", WordClass.WORD) is None
    assert 3 in table.candidates(3)
    assert len(table.candidates(3)) >= table.k
    assert len(table) == len(table.words) == 170


def test_a_table_is_frozen(table: Table) -> None:
    with pytest.raises(AttributeError):
        table.entries = None  # type: ignore[misc, assignment]
    with pytest.raises(ValueError, match="read-only"):
        table.entries.weights[0, 0] = 0


def test_file_round_trip(table: Table, tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    table.save(path)
    again = Table.load(path, bundle=BUNDLE)
    assert again.digest == table.digest
    assert again.words == table.words
    assert again.certificate.certified
    assert again.to_bytes() == path.read_bytes() == table.to_bytes()


def test_a_table_for_another_bundle_is_refused(table: Table) -> None:
    with pytest.raises(TableError, match="another bundle"):
        Table.from_bytes(table.to_bytes(), bundle="cd" * 32)
    assert Table.from_bytes(table.to_bytes(), bundle=None).bundle == BUNDLE


def test_a_missing_file_is_a_table_error(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read"):
        Table.load(tmp_path / "none.npz", bundle=None)


def flipped(entries: Entries) -> Entries:
    """One unit moved from one output of one word to another: the row still sums to 2^48."""
    weights = entries.weights.copy()
    weights[5, 0] += 1
    weights[5, 1] -= 1
    return replace(entries, weights=weights)


def test_one_flipped_weight_is_refused(table: Table) -> None:
    with pytest.raises(TableError, match="digest"):
        Table.from_bytes(dump(flipped(table.entries)), bundle=BUNDLE)


@given(position=st.integers(0, 10**9), bit=st.integers(0, 7))
@settings(max_examples=120, deadline=None)
def test_no_flipped_bit_of_a_file_changes_a_table(position: int, bit: int) -> None:
    data = bytearray(_FILE)
    data[position % len(data)] ^= 1 << bit
    try:
        read = Table.from_bytes(bytes(data), bundle=BUNDLE)
    except TableError:
        return
    assert read.digest == _TABLE.digest  # the bit was one of the ZIP's that mean nothing
    assert read.entries.compute_digest() == _TABLE.digest


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_bytes_that_are_no_table_are_refused(data: bytes) -> None:
    with pytest.raises(TableError):
        Table.from_bytes(data, bundle=None)


def _rewritten(change: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(_FILE)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


def _npy(array: np.ndarray, **options: bool) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def _claims(**changes: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        claims = json.loads(np.load(io.BytesIO(members["claims.npy"])).tobytes())
        claims.update(changes)
        members["claims.npy"] = _npy(np.frombuffer(json.dumps(claims).encode(), np.uint8))

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("weights.npy"),
        lambda m: m.update({"extra.npy": b""}),
        lambda m: m.update({"weights.npy": m["weights.npy"][:-8]}),
        lambda m: m.update({"weights.npy": m["weights.npy"] + bytes(8)}),
        lambda m: m.update({"weights.npy": _npy(np.zeros(4, np.uint64))}),
        lambda m: m.update({"weights.npy": _npy(np.zeros((4, 4), np.int64))}),
        lambda m: m.update({"weights.npy": _npy(np.array([{}], dtype=object), allow_pickle=True)}),
        lambda m: m.update({"classes.npy": b"\x93NUMPY\x01\x00"}),
        lambda m: m.update({"words.npy": _npy(np.full(9, 255, np.uint8))}),
        _claims(k="12"),
        _claims(k=True),
        _claims(eps_in="nan?"),
        _claims(gamma="1/0"),
        _claims(format=2),
        _claims(eps_in=None),
    ],
)
def test_malformed_files_are_refused(change: Callable[[dict[str, bytes]], None]) -> None:
    with pytest.raises(TableError):
        Table.from_bytes(_rewritten(change), bundle=None)


def test_a_header_that_asks_for_a_huge_array_allocates_nothing() -> None:
    header = (
        _npy(np.zeros((1, 1), np.uint64)).replace(b"(1, 1)", b"(9999999, 9999999)").replace(b" " * 12, b"", 1)
    )
    with pytest.raises(TableError):
        parse(_rewritten(lambda m: m.update({"weights.npy": header})))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmif.privacy.entries.MAX_BYTES", 1000)
    with pytest.raises(TableError, match="unpacks"):
        parse(_FILE)


BAD = {
    "empty lexicon": (
        {"words": [], "classes": np.zeros(0, np.uint8), "vectors": np.zeros((0, 3))},
        InputError,
        "empty",
    ),
    "duplicate words": (
        {"words": ["a"] * 2 + ["b"] * 8},
        InputError,
        "Word 1 of the lexicon repeats word 0",
    ),
    "line break": ({"words": ["a\nb", *"bcdefghij"]}, InputError, "line break"),
    "empty word": ({"words": ["", *"bcdefghij"]}, InputError, "empty"),
    "classes": ({"classes": np.zeros(9, np.uint8)}, InputError, "classes"),
    "float classes": ({"classes": np.zeros(10)}, InputError, "classes"),
    "vectors": ({"vectors": np.ones((9, 3))}, InputError, "vectors"),
    "weights": ({"weights": np.ones(9)}, InputError, "weights"),
    "epsilon 0": ({"epsilon": 0.0}, MechanismError, "epsilon"),
    "epsilon < 0": ({"epsilon": -1.0}, MechanismError, "epsilon"),
    "epsilon NaN": ({"epsilon": math.nan}, MechanismError, "epsilon"),
    "k too large": ({"k": 11}, MechanismError, "fewer than k = 11"),
    "k of one": ({"k": 1}, MechanismError, "at least 2"),
    "gamma 0": ({"gamma": Fraction(0)}, MechanismError, "gamma"),
    "gamma 1": ({"gamma": Fraction(1)}, MechanismError, "gamma"),
    "law": ({"law": "literal"}, MechanismError, "law"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_one_clear_error(name: str) -> None:
    changes, error, message = BAD[name]
    good = {
        "words": list("abcdefghij"),
        "classes": np.zeros(10, np.uint8),
        "vectors": clustered(10, 4),
        "k": 4,
    }
    with pytest.raises(error, match=message):
        build_table(bundle=BUNDLE, **{**good, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("indices", [[-1], [170], [0.5], [[1]]])
def test_bad_indices_are_refused(table: Table, indices: list[object]) -> None:
    with pytest.raises(InputError):
        table.sample(np.array(indices))


def test_a_class_without_words_cannot_be_sampled() -> None:
    table = build_table(list("abcdefgh"), np.zeros(8, np.uint8), clustered(8, 4), bundle=BUNDLE, k=4)
    with pytest.raises(InputError, match="NUMBER"):
        table.sample_class(WordClass.NUMBER, 1)


_TABLE = build_table(
    [f"w{i}" for i in range(20)], np.zeros(20, np.uint8), clustered(20, 6), bundle=BUNDLE, k=4, epsilon=2.0
)
_FILE = _TABLE.to_bytes()
