"""Keys and values of every running request, one slot each. Knows nothing about requests, sampling or threads.

Slots in use are always the first ones, so that a decoding step works on plain views. A slot is zero before a
request gets it: attention multiplies what it masks by a weight of 0, and 0 times a NaN that an earlier request
left there would be NaN for this one.
"""

from __future__ import annotations

import torch
from torch import Tensor


class SlotCache:
    """[layers] x [slots, heads, length, head size] of keys and of values; both sides grow as needed.

    :meth:`at` says what the next forward pass writes; the model's attention layers then call :meth:`update`.
    """

    def __init__(
        self, layers: int, heads: int, head_dim: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self._layers, self._heads, self._head_dim = layers, heads, head_dim
        self._dtype, self._device = dtype, device
        self.slots, self.length = 0, 0
        empty = torch.zeros((0, heads, 0, head_dim), dtype=dtype, device=device)
        self._keys, self._values = [empty] * layers, [empty] * layers
        self._first, self._count, self._starts, self._end = 0, 0, [0], 0
        self._positions: Tensor | None = None

    @property
    def bytes_per_token(self) -> int:
        """Bytes that one token of one slot takes."""
        return 2 * self._layers * self._heads * self._head_dim * self._dtype.itemsize

    def resize(self, slots: int, length: int) -> None:
        """Become ``slots`` slots of ``length`` tokens; what lies in both the old and the new size is kept."""
        if (slots, length) == (self.slots, self.length):
            return
        kept, reach = min(slots, self.slots), min(length, self.length)
        shape = (slots, self._heads, length, self._head_dim)
        for store in (self._keys, self._values):
            # One tensor at a time, so that the peak is one of them above the larger size.
            for i, old in enumerate(store):
                new = torch.zeros(shape, dtype=self._dtype, device=self._device)
                new[:kept, :, :reach] = old[:kept, :, :reach]
                store[i] = new
        self.slots, self.length = slots, length

    def clear(self, slot: int) -> None:
        """Forget what ``slot`` holds."""
        for tensor in (*self._keys, *self._values):
            tensor[slot].zero_()

    def move(self, source: int, target: int) -> None:
        """Copy slot ``source`` over slot ``target``."""
        if source != target:
            for tensor in (*self._keys, *self._values):
                tensor[target].copy_(tensor[source])

    def share(self, source: int, target: int, tokens: int) -> None:
        """Copy the first ``tokens`` tokens of slot ``source`` into slot ``target``."""
        for tensor in (*self._keys, *self._values):
            tensor[target, :, :tokens] = tensor[source, :, :tokens]

    def at(self, first: int, starts: list[int], tokens: int) -> None:
        """The next forward pass writes ``tokens`` tokens into slots ``first``..., slot i from position
        ``starts[i]``. More than one slot at different positions takes one token each."""
        self._first, self._count, self._starts = first, len(starts), starts
        self._end = max(starts) + tokens
        self._positions = None
        if len(set(starts)) > 1:
            self._positions = torch.tensor(starts, device=self._device)

    def update(
        self, keys: Tensor, values: Tensor, layer: int, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Store [batch, heads, tokens, head size] and return everything up to the longest slot. What HF
        layers call."""
        out = []
        for store, new in ((self._keys[layer], keys), (self._values[layer], values)):
            window = store[self._first : self._first + self._count]
            if self._positions is None:
                window[:, :, self._starts[0] : self._end] = new
            else:
                window[torch.arange(self._count, device=new.device), :, self._positions] = new[:, :, 0]
            out.append(window[:, :, : self._end])
        return out[0], out[1]
