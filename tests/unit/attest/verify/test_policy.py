from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmif.attest.evidence import TeeKind
from cmif.attest.verify.claims import Need
from cmif.attest.verify.policy import AppraisalPolicy
from cmif.errors import InputError

SGX = f"""
[[sgx]]
mr_enclave = "{"11" * 32}"
mr_signer = ["{"22" * 32}", "{"AB" * 32}"]
isv_prod_id = 1
min_isv_svn = 2
platforms = ["ppid:00"]
"""


def test_a_rule_is_read_with_its_pins_floors_and_platforms() -> None:
    (rule,) = AppraisalPolicy.parse(SGX).rules
    assert rule.kind is TeeKind.SGX
    assert rule.pins["mr_signer"] == {"22" * 32, "ab" * 32}
    assert rule.pins["isv_prod_id"] == {"1"}
    assert (rule.floors, rule.platforms) == ({"isv_svn": 2}, {"ppid:00"})


def test_an_empty_policy_is_readable_and_has_no_rules() -> None:
    assert AppraisalPolicy.parse("").rules == ()
    assert AppraisalPolicy.parse("version = 1").rules == ()


def test_a_widening_carries_its_reason() -> None:
    (rule,) = AppraisalPolicy.parse(SGX + '[[sgx.widen]]\nadvisory = "INTEL-SA-00615"\nreason = "mitigated"').rules
    assert rule.widenings == {Need("advisory", "INTEL-SA-00615"): "mitigated"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("mr_enclave = 1", "mr_enclave"),
        ("[sgx]\n", "sgx"),
        ("sgx = 1", "sgx"),
        ("[[sev]]\n", "sev"),
        ("version = 2", "version"),
        ("max_collateral_age_s = 0", "max_collateral_age_s"),
        ("max_collateral_age_s = true", "max_collateral_age_s"),
        ('config_digests = ["aa"]', "config_digests"),
        ("[[sgx]]\n", "mr_enclave"),
        (SGX.replace("platforms", "platform"), "platform"),
        (SGX.replace("min_isv_svn = 2", "min_isv_svn = -1"), "min_isv_svn"),
        (SGX.replace("min_isv_svn = 2", "min_isv_svn = true"), "min_isv_svn"),
        (SGX.replace("11" * 32, "11" * 31), "mr_enclave"),
        (SGX.replace("11" * 32, "zz" * 32), "mr_enclave"),
        (SGX.replace('["ppid:00"]', '"ppid:00"'), "platforms"),
        (SGX.replace("isv_prod_id = 1", 'isv_prod_id = "1"'), "isv_prod_id"),
        (SGX.replace("isv_prod_id = 1", "isv_prod_id = []"), "isv_prod_id"),
        (SGX + "min_bootloader = 1", "min_bootloader"),
        (SGX + "widen = 1", "widen"),
        (SGX + '[[sgx.widen]]\nadvisory = "INTEL-SA-1"', "without a reason"),
        (SGX + '[[sgx.widen]]\nadvisory = "INTEL-SA-1"\nreason = " "', "without a reason"),
        (SGX + '[[sgx.widen]]\nreason = "x"', "none"),
        (SGX + '[[sgx.widen]]\nproduct = "Milan"\nreason = "x"', "product"),
        (SGX + '[[sgx.widen]]\nadvisory = "A-1"\nflag = "smt"\nreason = "x"', "advisory, flag"),
        (SGX + '[[sgx.widen]]\ntcb_status = "Revoked"\nreason = "x"', "Revoked"),
        (SGX + '[[sgx.widen]]\nadvisory = "any"\nreason = "x"', "any"),
        ("[[simulated]]\nplatforms = []", "platforms"),
        ("not toml", "TOML"),
    ],
)
def test_what_is_unknown_or_malformed_is_named(text: str, named: str) -> None:
    with pytest.raises(InputError, match=named):
        AppraisalPolicy.parse(text)


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_an_input_error(text: str) -> None:
    with suppress(InputError):
        AppraisalPolicy.parse(text)
