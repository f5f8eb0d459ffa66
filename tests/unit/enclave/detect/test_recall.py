"""Floors under what the default detectors find on presidio-research's synthetic sentences (docs/detection.md)."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cmif.enclave.detect import default_detectors

FLOORS = {
    "PERSON": 0.95, "STREET_ADDRESS": 0.78, "GPE": 0.92, "ORGANIZATION": 0.84, "CREDIT_CARD": 1.0, "PHONE_NUMBER": 0.96,
    "EMAIL_ADDRESS": 1.0, "IBAN_CODE": 1.0, "US_SSN": 1.0, "IP_ADDRESS": 1.0, "DOMAIN_NAME": 1.0, "NRP": 0.95, "AGE": 0.95,
    "ZIP_CODE": 0.8, "US_DRIVER_LICENSE": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def result(shared_dir: Path) -> Any:
    data = shared_dir / "data" / "pii" / "synth_dataset_v2.json"
    if not data.is_file():
        pytest.skip("needs presidio-research's synthetic sentences")
    script = Path(__file__).parents[4] / "benchmarks" / "detection.py"
    spec = importlib.util.spec_from_file_location("detection_benchmark", script)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.evaluate(json.loads(data.read_text("utf-8")), default_detectors())


@pytest.mark.parametrize("kind", FLOORS)
def test_recall_stays_above_its_floor(result: Any, kind: str) -> None:
    assert result.types[kind].recall >= FLOORS[kind]


def test_not_everything_is_found(result: Any) -> None:
    """Else the recall above means nothing: most of what is found touches a labelled span."""
    assert result.outside <= 0.12 * result.found
