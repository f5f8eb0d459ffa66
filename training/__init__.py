"""The recipe of the embedded default model: data, tokenizer, weights, metrics and card from one seed."""
