"""The published mechanisms that ours is compared with, each written from its paper; see the classes'
docstrings.
"""

from collections.abc import Callable

from cmif_lab.eval.mechanism import Mechanism
from cmif_lab.eval.peers.custext import CusText, CusTextPlus, Literal
from cmif_lab.eval.peers.plain import Identity, RowNoise
from cmif_lab.eval.peers.santext import Metric, Rantext, SanText, SanTextPlus
from cmif_lab.eval.peers.space import Space

WORD_PEERS: dict[str, Callable[[Space, float], Mechanism]] = {
    "santext": SanText,
    "santext+": SanTextPlus,
    "custext": CusText,
    "custext+": CusTextPlus,
    "cmif-literal": Literal,
    "rantext": Rantext,
    "metric": Metric,
    "none": Identity,
}

__all__ = ["WORD_PEERS", "RowNoise", "Space"]
