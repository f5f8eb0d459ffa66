"""Coverage-guided fuzzing of everything that reads bytes of the other side: frames, sessions, events.

Run by `make fuzz` (needs `atheris`; Linux). A finding is any exception but CMIF's own, any input that takes over two
seconds, and any frame whose reading allocates more than :data:`BOUND`.
"""

from __future__ import annotations

import struct
import sys
import tempfile
import tracemalloc
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cmif"]):
    from cmif.errors import CmifError
    from cmif.wire.events import EventReader
    from cmif.wire.frame import CODECS, Frame, IdsFrame, Limits, encode
    from cmif.wire.rows import Rows
    from cmif.wire.session import SessionEncoder, SessionStore
    from cmif_server.engine.engine import EngineInfo
    from cmif_server.engine.validate import validate

import numpy as np
import zstandard

from cmif.types import Sampling

MODEL = "ab" * 32
LIMITS = Limits(hidden=8, context=512, max_bytes=1 << 14)
INFO = EngineInfo(MODEL, 8, 512, 1000, 20.0, schemas=True)
HEADER = struct.Struct("<4sBBBB32sIIII16sIIBBBBq4d")
BOUND = 24 * LIMITS.max_bytes
"""Bytes that reading and validating one frame may hold at its peak: int8 rows become float32 and then bf16, and a session
joins two halves; measured over the codecs it stays under 16 times the frame, and 24 is the promise."""


def frame(n: int = 30, distinct: int = 9, schema: str = "") -> Frame:
    rng = np.random.default_rng(n)
    table = (rng.standard_normal((distinct, 8)).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    sampling = Sampling(stop_ids=(2,), seed=4, schema=schema)
    return Frame(MODEL, Rows.gather(table, rng.integers(0, distinct, n)), sampling, "salt")


def seeds() -> list[bytes]:
    """Valid inputs of every kind; the first byte chooses what is fuzzed (see :func:`one_input`)."""
    encoder = SessionEncoder("int8+zstd")
    first = encoder.encode(frame())
    encoder.commit(first)
    out = [b"\0" + encode(frame(), codec) for codec in CODECS]
    out.append(b"\0" + encode(IdsFrame(MODEL, np.arange(20, dtype=np.int32), Sampling())))
    out += [b"\0" + encode(frame(schema=schema), "bf16+zstd") for schema in ('{"type":"object"}', "\u00e9\n")]
    out += [b"\0" + first.data, b"\0" + encoder.encode(frame(40, 15)).data]
    for codec in range(3):  # counts, then the payload that they describe
        payload = encode(frame(), CODECS[codec])[124 + len("salt") + 4 :]
        out += [
            b"\1" + bytes([29, 9, 0, 0, codec | z, session, 0, 0]) + payload
            for z in (0, 0x80)
            for session in (0, 1)
        ]
    out += [b'\2data: {"ids":[1,2]}\n\ndata: {"done":"stop","prompt_tokens":1,"completion_tokens":2}\n\n',
            b'\2data: {"error":{"code":"x","message":"y"}}\n\n: note\n\n',
            b'\2data: {"ids":[1],"logprobs":[{"logprob":-0.5,"top":[[1,-0.5]]}]}\n\n']  # fmt: skip
    return out


def one_input(data: bytes) -> None:
    if not data:
        return
    kind, rest = data[0] % 3, data[1:]
    try:
        if kind == 2:
            reader = EventReader()
            half = len(rest) // 2
            reader.feed(rest[:half])
            reader.feed(rest[half:])
        else:
            read_frame(rest if kind == 0 else dressed(rest))
    except CmifError:
        pass


def dressed(data: bytes) -> bytes:
    """``data`` as counts, schema, session and payload under a header that is otherwise right: past the first doors."""
    counts, payload = data[:8].ljust(8, b"\0"), data[8:]
    n, u, r, sequence = counts[0] + 1, counts[1] % 64, counts[2] % 64, counts[3] % 3
    codec = counts[4] % 3 | (counts[4] & 0x80)
    session = bytes([counts[5] % 3]) + bytes(15)
    if codec & 0x80:
        payload = zstandard.ZstdCompressor(level=1).compress(payload)
    held = counts[7] & 1
    stated = struct.pack("<I", counts[7] >> 1) if held else b""  # the schema's bytes are the first of the payload
    return HEADER.pack(
        b"CMIF", 1, counts[6] % 2, codec, 0, bytes.fromhex(MODEL), n, 8, u, r, session, sequence,
        4, 0, 0, 0, held, 0, 0.0, 1.0, 0.0, 0.0,
    ) + stated + payload  # fmt: skip


def read_frame(data: bytes) -> None:
    store = SessionStore(max_bytes=1 << 16)
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        for _ in range(2):
            received = store.receive(data, LIMITS)
            validate(received.frame, INFO)
            store.accept(received)
            assert store.held_bytes <= 1 << 16
    finally:
        peak = tracemalloc.get_traced_memory()[1] - before
        assert peak <= BOUND, f"reading {len(data)} bytes took {peak}"


def main() -> None:
    tracemalloc.start()
    with tempfile.TemporaryDirectory(prefix="cmif-fuzz-") as folder:
        for i, seed in enumerate(seeds()):
            (Path(folder) / f"seed{i}").write_bytes(seed)
        atheris.Setup([*sys.argv, "-timeout=2", "-max_len=16384", "-rss_limit_mb=1024", folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
