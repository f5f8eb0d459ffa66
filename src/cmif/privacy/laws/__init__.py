"""The laws: what a bucket's members are replaced by, and with which probability.

``LAWS[name](distances, epsilon, weights) -> P``. Every law here is epsilon-LDP inside one bucket and says
nothing across buckets; the table's background does that (see `cmif.privacy.table`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cmif.privacy.laws.base import Law, exact_epsilon, sensitivity
from cmif.privacy.laws.noisy_max import (
    rnm_exponential,
    rnm_exponential_textbook,
    rnm_gumbel,
    rnm_gumbel_textbook,
    rnm_laplace,
    rnm_laplace_textbook,
)
from cmif.privacy.laws.optimal import optimal
from cmif.privacy.laws.response import constant, medoid_rr, rr

LAWS: Mapping[str, Law] = MappingProxyType(
    {
        "rnm-laplace": rnm_laplace,
        "rnm-laplace-textbook": rnm_laplace_textbook,
        "rnm-gumbel": rnm_gumbel,
        "rnm-gumbel-textbook": rnm_gumbel_textbook,
        "rnm-exponential": rnm_exponential,
        "rnm-exponential-textbook": rnm_exponential_textbook,
        "rr": rr,
        "medoid-rr": medoid_rr,
        "constant": constant,
        "optimal": optimal,
    }
)

__all__ = ["LAWS", "Law", "exact_epsilon", "sensitivity"]
