"""Where the layers of one model run: the placements that `cmif bench` compares, all of them real, over sockets.

| name | in the enclave | in the engine | round trips |
|---|---|---|---|
| `plain` | nothing | everything, from token ids | 1 a request |
| `cmif` | embedding layer, rows of the prompt | the rest; it embeds its own new tokens | 1 a request |
| `cmif-strict` | embedding layer, rows of every token | the rest, without an embedding table | 1 a token |
| `linear-offload` | embedding and nonlinear layers | every linear layer (TEE partition) | 7 a layer and 1, a token |
| `linear-offload-fused` | the same | q, k, v in one trip, gate and up in one | 4 a layer and 1, a token |
| `enclave-only` | everything | nothing | 0 |

`linear-offload` sends activations as they are; a protected one (Slalom, arXiv 1806.03287) also blinds them, so its
figures here are a lower bound of that approach's cost.
"""

from cmif_lab.placements.placement import Outcome, Placement

__all__ = ["NAMES", "Outcome", "Placement"]

NAMES = ("plain", "cmif", "cmif-strict", "linear-offload", "linear-offload-fused", "enclave-only")
