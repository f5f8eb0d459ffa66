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
