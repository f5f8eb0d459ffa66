"""CMIF: confidential LLM inference with dual protection (arXiv 2509.09091).

The client's TEE detects, sanitises, tokenises and embeds; GPUs that nobody has to trust run every later layer.
The sanitised TEXT is the privacy boundary: embeddings hide nothing and this package never claims they do.
"""

__version__ = "0.1.0"
