"""Floors under what the default detectors find on presidio-research's synthetic sentences (docs/detection.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmif.enclave.detect import default_detectors
from cmif.enclave.policy import PrivacyPolicy
from cmif_lab.detection import Result, evaluate, read

FLOORS = {
    "PERSON": 0.95, "STREET_ADDRESS": 0.78, "GPE": 0.92, "ORGANIZATION": 0.84, "CREDIT_CARD": 1.0, "PHONE_NUMBER": 0.96,
    "EMAIL_ADDRESS": 1.0, "IBAN_CODE": 1.0, "US_SSN": 1.0, "IP_ADDRESS": 1.0, "DOMAIN_NAME": 1.0, "NRP": 0.95, "AGE": 0.95,
    "ZIP_CODE": 0.8, "US_DRIVER_LICENSE": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def result(shared_dir: Path) -> Result:
    data = shared_dir / "data" / "pii" / "synth_dataset_v2.json"
    if not data.is_file():
        pytest.skip("needs presidio-research's synthetic sentences")
    return evaluate(read(data), default_detectors(), PrivacyPolicy(public="protect"))


@pytest.mark.parametrize("kind", FLOORS)
def test_recall_stays_above_its_floor(result: Result, kind: str) -> None:
    assert result.labels[kind].recall >= FLOORS[kind]


def test_nine_of_ten_labelled_spans_are_covered(result: Result) -> None:
    assert result.recall >= 0.9


def test_what_stays_as_public_costs_a_hundredth_of_recall_at_most(shared_dir: Path, result: Result) -> None:
    samples = read(shared_dir / "data" / "pii" / "synth_dataset_v2.json")
    kept = evaluate(samples, default_detectors(), PrivacyPolicy(public="keep")).recall
    assert result.recall - 0.01 <= kept < result.recall


def test_a_place_is_mostly_called_one(result: Result) -> None:
    assert result.labels["GPE"].right >= 0.9 * result.labels["GPE"].mentions


def test_not_everything_is_found(result: Result) -> None:
    """Else the recall above means nothing: most of what is found touches a labelled span."""
    assert result.outside <= 0.12 * result.found
