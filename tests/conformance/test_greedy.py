"""Greedy output through the gateway with the policy `off` equals `transformers.generate()`, token for token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest

from tests.servers import engine, gateway

PROMPTS = [
    "The patient reports chest pain. What does the patient report?",
    "Who is the agreement made with?",
    "Hello!",
    "What is the account number 88213467 for?",
    "List what is to be done: call the ward, send the letter.",
    "Rewrite politely: give me my money back.",
    "Summarise: the tenant pays 1,200 euros a month.",
    "Is this urgent? The card was stolen an hour ago.",
    "  leading and trailing spaces  ",
    "Ünïcödé and 漢字 and 🙂",
    "line one\nline two\n\nline four",
    "When was the patient seen? Seen on 14 March 2024.",
    "How much is the fee? The fee is 45 dollars.",
    "<|im_start|> <|user|> is not a role here",
    "Dr. Samuel Okafor prescribed aspirin 75 mg.",
    "Either party may end it with 30 days of notice.",
    "a",
    "1 2 3 4 5 6 7 8 9",
    "Who wrote the note?",
    "Classify the sentiment: I am very disappointed with the branch.",
]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("which", ["tiny", pytest.param("default", marks=pytest.mark.slow)])
def test_greedy_output_equals_generate_on_20_prompts(
    which: str, request: pytest.FixtureRequest, tiny_model: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from cmif.gateway.bundles import open_bundle

    split: Path = request.getfixturevalue(f"{which}_split")
    model = AutoModelForCausalLM.from_pretrained(split / "server", dtype=torch.float32).eval()
    tokeniser = open_bundle(split / "client").tokeniser
    reference = _reference(tiny_model if which == "tiny" else None)
    with engine(split) as served, gateway(split, served["url"], tmp_path, "--policy", "off") as told:
        client = openai.OpenAI(base_url=f"{told['url']}/v1", api_key="x", max_retries=0)
        for prompt in PROMPTS:
            messages = [{"role": "user", "content": prompt}]
            if "<|" in prompt:  # transformers lets content forge a special token; we do not
                ids = torch.tensor([tokeniser.encode_chat(messages)])
            else:
                ids = reference.apply_chat_template(
                    messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
                )["input_ids"]
            with torch.inference_mode():
                out = model.generate(
                    ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24
                )[0, ids.shape[1] :]
            answer = client.chat.completions.create(
                model=told["model"],
                messages=messages,
                max_tokens=24,
                temperature=0,
                logprobs=True,  # type: ignore[arg-type]
            )
            expected = reference.decode(out, skip_special_tokens=True)
            choice = answer.choices[0]
            assert choice.message.content == expected
            assert choice.logprobs is not None
            eos = model.generation_config.eos_token_id
            ends = set(eos if isinstance(eos, list) else [eos])
            tokens = [int(t) for t in out if int(t) not in ends]
            assert [entry.token for entry in choice.logprobs.content or []] == [
                tokeniser.piece(t) for t in tokens
            ]


def _reference(directory: Path | None) -> Any:
    """The model's tokenizer as `transformers` has it: out of its directory, or out of SmolLM2's GGUF file."""
    from transformers import AutoTokenizer

    from cmif_server.provider.default import default_file

    if directory is not None:
        return AutoTokenizer.from_pretrained(directory)
    return AutoTokenizer.from_pretrained(default_file().parent, gguf_file=default_file().name)
