"""The untrusted side of `cmif-strict` and of `linear-offload`, as a process: `python -m cmif_lab.placements.server`.

`strict` holds every layer but the embedding table and turns rows into ids; `offload` holds the linear layers and turns
activations into activations. One thread a connection.
"""

from __future__ import annotations

import argparse
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cmif.bf16 import to_float
from cmif.errors import CmifError, WireError
from cmif_lab.placements.channel import Channel, Message
from cmif_lab.placements.partial import EMBEDDING, linear_names, partial_model, tensors
from cmif_server.engine.decoder import Decoder

PROMPT, NEXT, LINEAR = 1, 2, 3
"""Operations: rows that open a request (``count``: how many tokens may follow), the next row, activations."""

Handler = Callable[[Message], np.ndarray]


def strict_server(body: Path, dtype: torch.dtype) -> Callable[[], Handler]:
    """Rows in, the next greedy id out; the embedding table is never loaded."""
    model = partial_model(body, lambda name: name != EMBEDDING, dtype)

    def connection() -> Handler:
        decoder = Decoder(model)
        length = 0

        def handle(message: Message) -> np.ndarray:
            nonlocal length
            rows = torch.from_numpy(to_float(message.array.astype(np.uint16)))
            if message.op == PROMPT:
                decoder.cache.resize(1, len(rows) + message.count)
                decoder.cache.clear(0)
                hidden = decoder.prefill(0, rows[None], 0, [len(rows)])
                length = len(rows)
            else:
                hidden = decoder.decode(rows, [length])
                length += 1
            return decoder.logits(hidden).argmax(-1, keepdim=True).numpy().astype("<i4")

        return handle

    return connection


def offload_server(body: Path, dtype: torch.dtype) -> Callable[[], Handler]:
    """Activations in, the linear layers' output out: ``count`` layers from ``index``, side by side."""
    config = json.loads((body / "config.json").read_text("utf-8"))
    names = linear_names(config["num_hidden_layers"])
    found = tensors(body, lambda name: name.rpartition(".")[0] in names, dtype)

    def handle(message: Message) -> np.ndarray:
        x = to_tensor(message.array, dtype)
        chosen = names[message.index : message.index + message.count]
        outs = [
            torch.nn.functional.linear(x, found[f"{name}.weight"], found.get(f"{name}.bias"))
            for name in chosen
        ]
        return to_array(torch.cat(outs, -1))

    return lambda: handle


def to_tensor(array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    """Activations as received: float32, or bf16 as bit patterns."""
    if array.dtype == np.uint16:
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16).to(dtype)
    return torch.from_numpy(np.ascontiguousarray(array)).to(dtype)


def to_array(x: torch.Tensor) -> np.ndarray:
    """Activations as sent: exact in both compute dtypes."""
    if x.dtype == torch.bfloat16:
        return x.contiguous().view(torch.int16).numpy().view(np.uint16)
    return x.contiguous().numpy()


def run(connection: socket.socket, handle: Handler) -> None:
    """Answer one client until it goes away."""
    channel = Channel(connection)
    try:
        with torch.inference_mode():
            while True:
                message = channel.receive()
                started = time.perf_counter()
                try:
                    out = handle(message)
                except (RuntimeError, IndexError, ValueError):
                    raise WireError("a message that this server cannot compute") from None
                channel.send(Message(message.op, out, ms=(time.perf_counter() - started) * 1e3))
    except CmifError:
        pass
    finally:
        channel.close()


def main(arguments: Any = None) -> None:
    parser = argparse.ArgumentParser(prog="cmif_lab.placements.server")
    parser.add_argument("role", choices=("strict", "offload"))
    parser.add_argument("body", type=Path)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    options = parser.parse_args(arguments)
    make = strict_server if options.role == "strict" else offload_server
    connect = make(options.body, getattr(torch, options.dtype))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(json.dumps({"ready": True, "port": listener.getsockname()[1]}), flush=True)
        while True:
            accepted, _ = listener.accept()
            threading.Thread(target=run, args=(accepted, connect()), daemon=True).start()


if __name__ == "__main__":
    main()
