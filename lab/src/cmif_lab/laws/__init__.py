"""Every law that was measured: the product's and those it was chosen over.

Each is epsilon-LDP inside one bucket; ``LAWS[name](distances, epsilon, weights) -> P`` as in `cmif_server.tables.laws`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cmif_lab.laws.noisy_max import (
    rnm_exponential,
    rnm_exponential_textbook,
    rnm_gumbel,
    rnm_gumbel_textbook,
    rnm_laplace,
    rnm_laplace_textbook,
)
from cmif_lab.laws.optimal import optimal
from cmif_lab.laws.response import rr
from cmif_server.tables.laws import LAWS as SHIPPED
from cmif_server.tables.laws import Law

LAWS: Mapping[str, Law] = MappingProxyType(
    {
        "rnm-laplace": rnm_laplace,
        "rnm-laplace-textbook": rnm_laplace_textbook,
        "rnm-gumbel": rnm_gumbel,
        "rnm-gumbel-textbook": rnm_gumbel_textbook,
        "rnm-exponential": rnm_exponential,
        "rnm-exponential-textbook": rnm_exponential_textbook,
        "rr": rr,
        "optimal": optimal,
        **SHIPPED,
    }
)

__all__ = ["LAWS"]
