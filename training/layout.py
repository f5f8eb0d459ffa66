"""What tokenizer, data and exercises agree on: the special pieces, where digits stand, what a batch is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

VOCAB = 8192
SPECIALS = ("<|pad|>", "<|bos|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
PAD, BOS, SYSTEM, USER, ASSISTANT, END = range(6)
FIRST_PIECE = 6
DIGITS = np.arange(21, 31)
"""Ids of the digits 0-9: the byte alphabet follows the special pieces in code order ('!' first)."""

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('Roles are system, user and assistant.') }}{% endif %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] | trim + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Batch:
    """``ids`` int64 [rows, length]; ``mask`` bool [rows, length]: ids[r, t] is predicted and counted where true."""

    ids: np.ndarray
    mask: np.ndarray
