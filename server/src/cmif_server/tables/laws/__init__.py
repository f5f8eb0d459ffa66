"""The laws: what a bucket's members are replaced by, and with which probability.

``LAWS[name](distances, epsilon, weights) -> P``. Every law here is epsilon-LDP inside one bucket and says
nothing across buckets; the table's background does that (see `cmif.privacy.table`). Those that these two were
measured against are `cmif_lab.laws`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cmif_server.tables.laws.base import Law, exact_epsilon
from cmif_server.tables.laws.response import constant, medoid_rr

LAWS: Mapping[str, Law] = MappingProxyType({"medoid-rr": medoid_rr, "constant": constant})

__all__ = ["LAWS", "Law", "exact_epsilon"]
