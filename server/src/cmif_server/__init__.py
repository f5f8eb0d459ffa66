"""The model's side of CMIF: making its two halves, releasing one to enclaves, running the other on GPUs.

``tables``    the privacy table of a lexicon: vectors -> partition -> laws -> build
``provider``  a checkpoint's two halves; sealing and releasing the enclave's
``engine``    frames in, token ids out: every layer after the embedding, over transformers or before vLLM
``cli``       the commands `split`, `seal`, `release`, `serve` and `demo`
"""
