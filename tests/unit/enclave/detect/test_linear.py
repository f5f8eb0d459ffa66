"""No text makes detection slow: patterns cannot backtrack without bound, and loops look a bounded way around."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

import cmif.enclave.detect
from cmif.enclave.detect import default_detectors, detect_all

LIMIT = 20_000
REPEATS = {sre.MAX_REPEAT, sre.MIN_REPEAT}


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for info in iter_modules(cmif.enclave.detect.__path__, "cmif.enclave.detect."):
        for name, value in vars(import_module(info.name)).items():
            entries = value if isinstance(value, tuple) else (value,)
            for i, entry in enumerate(entries):
                rule = entry[0] if isinstance(entry, tuple) and entry else entry
                if isinstance(rule, re.Pattern):
                    yield f"{info.name.rsplit('.', 1)[1]}.{name}[{i}]", rule


PATTERNS = dict(patterns())


def steps(tree: Any) -> float:
    """An upper bound of the ways to match: the product of nested repeats. Unbounded inside unbounded is infinite."""
    most = 1.0
    for op, value in tree:
        if op in REPEATS:
            _, high, inner = value
            times = float("inf") if high == sre.MAXREPEAT and steps(inner) > 1 else min(high, 10_000)
            most = max(most, times * steps(inner))
        elif op is sre.POSSESSIVE_REPEAT:  # gives nothing back
            most = max(most, steps(value[2]))
        elif op is sre.SUBPATTERN:
            most = max(most, steps(value[3]))
        elif op is sre.BRANCH:
            most = max([most, *(steps(branch) for branch in value[1])])
        elif op in (sre.ASSERT, sre.ASSERT_NOT):
            most = max(most, steps(value[1]))
    return most


def test_the_check_sees_what_it_must() -> None:
    assert steps(parser.parse(r"(a+)+b")) == float("inf")
    assert steps(parser.parse(r"(?:a{1,9}){1,9}")) == 81
    assert steps(parser.parse(r"(?:[a-z]+-?)*x")) == float("inf")
    assert len(PATTERNS) > 50


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_no_pattern_repeats_what_repeats_without_bound(name: str) -> None:
    assert steps(parser.parse(PATTERNS[name].pattern, PATTERNS[name].flags & ~re.UNICODE)) <= LIMIT


UNITS = [
    "a", "A", "1", " ", "\n", "Ab ", "1 ", "1-", "(", "a.", "A. ", "a@", "a-", "a_", ":", "http://", "www.", "Bank of ",
    "Aa and ", "Aa van ", "Mary's ", "a'", "/", "=", "password: ", 'password="', "-----BEGIN PRIVATE KEY-----",
    "eyJaaaaa.", "bearer ", "GB02A", "12 Aa Street ", "rue de ", "lives at A ", "account number ", "@a", "Jan ", "1/1/",
    "a:", "1.1.", "my name is ", "(AB) ", "--pass ", "<private>", "A1-", "pin is ", "password for a ", "a://b:", "é", "字",
    "+1", "1 (", "ab12 ", "${", "\U0001f600", "́",
    "dr a ", "ask bb in cc ", "%40", "&amp;", "a\u200b", "name,phone\n", "x ltd ", "a and b, ", "pin 1", "password  x\n", "PIN: ",
    "july the ", "two thousand ", "token {", "secret {a", "1.1 -", "machine a ", "DNI 1", "Name: a, ", "| a | b |\n", "mysql ",
    "NAME     PHONE\n", "lives in aa ", "password=a'", "password='a\\'",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_any_repetition_is_read_in_time_that_grows_with_it(unit: str) -> None:
    """A quadratic step would take minutes here and run into the suite's time limit."""
    text = (unit * (12_000 // len(unit)))[:12_000]
    spans = detect_all(text, default_detectors())
    assert all(a.end <= b.start for a, b in zip(spans, spans[1:], strict=False))


def test_a_megabyte_is_read() -> None:
    text = "x" * (1 << 19) + "\n" + "1" * (1 << 19) + " Anna Weber"
    assert text[detect_all(text, default_detectors())[-1].start :] == "Anna Weber"
