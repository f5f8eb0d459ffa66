"""Which models CMIF can split, and why it refuses the others by name.

"The embedding layer runs in the TEE" is defined per architecture: for these the layer is one row look-up, so rows that
cross the wire are all the engine needs. Every other layer added to the rows must be handled before its model is let in.
"""

from __future__ import annotations

from typing import Any

from cmif.errors import ArchitectureError

ROW_LOOKUP = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
"""Architectures whose embedding layer is exactly ``rows[ids]``."""

_REFUSED = {
    "Gemma": "its embedding layer multiplies rows by sqrt(hidden)",
    "Gemma2": "its embedding layer multiplies rows by sqrt(hidden)",
    "Gemma3": "its embedding layer multiplies rows by sqrt(hidden)",
    "Gemma3n": "every layer takes its own per-layer input embedding of the token ids",
    "Gemma4": "it looks token ids up again from the embeddings for its per-layer inputs",
    "GPT2": "its embedding layer adds learned positions",
    "Bert": "its embedding layer adds positions and token types and normalises",
    "Roberta": "its embedding layer adds positions and token types and normalises",
    "DistilBert": "its embedding layer adds positions and normalises",
    "OPT": "its embedding layer adds learned positions",
    "Bloom": "its embedding layer normalises the rows",
    "Cohere": "its logits are scaled by a factor that the self-test does not cover",
    "Granite": "its embedding layer multiplies rows by a factor",
}


def require_row_lookup(config: dict[str, Any]) -> str:
    """The architecture's name, if its embedding layer is a plain row look-up.

    ``config`` is the parsed ``config.json`` of a Hugging Face model. Raises :class:`ArchitectureError` naming the
    architecture and the reason otherwise.
    """
    names = config.get("architectures") or []
    name = str(names[0]) if names else ""
    if name in ROW_LOOKUP:
        return name
    if not name:
        raise ArchitectureError(
            "config.json names no architecture.", hint="Give a causal language model's directory."
        )
    known = ", ".join(ROW_LOOKUP)
    stem = name.split("For")[0].removesuffix("Model").removesuffix("LMHead")
    reason = _REFUSED.get(stem)
    if reason:
        raise ArchitectureError(f"{name} cannot be split yet: {reason}.", hint=f"Handled now: {known}.")
    raise ArchitectureError(f"{name} is not an architecture CMIF knows.", hint=f"Handled now: {known}.")
