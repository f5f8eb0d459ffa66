from __future__ import annotations

import pytest

from cmif.enclave.detect.streets import streets


@pytest.mark.parametrize(
    "text",
    [
        "Started aspirin 75 mg daily. Follow-up with Dr. Samuel Okafor.",
        "Take 40 mg twice a day. See Dr. Hill.",
        "Pay 45 dollars at the gate of the park",
        "Wait 3 weeks on the way",
    ],
)
def test_a_dose_a_sum_or_a_time_is_no_house_number(text: str) -> None:
    assert list(streets(text)) == []


@pytest.mark.parametrize("text", ["NHS number 943 476 5919, GP Dr. Patel.", "Ward 12, referred by Dr. Ng", "Bed 7 GP: Dr. Ng"])
def test_a_doctor_is_no_drive(text: str) -> None:
    assert list(streets(text)) == []


def test_a_drive_is_no_doctor() -> None:
    text = "I live at 12 Ocean Dr."
    assert {text[s.start : s.end].rstrip(".") for s in streets(text)} == {"12 Ocean Dr"}
