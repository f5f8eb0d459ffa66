"""One request on the wire: a fixed header, a little variable data, a payload. Knows nothing about sockets
or models.

Little-endian. Every count is checked against :class:`Limits` before anything of its size exists, a zstd
payload must state its exact size, and nothing may follow it.

::

    bytes  field
    4      magic "CMIF"
    1      version, 1
    1      kind: 0 embedding rows, 1 token ids (placement `plain`), 2 rows of several variants of one prompt
    1      codec: 0 bf16, 1 int8, 2 fp8; +128 when the payload is zstd
    1      s, length of the salt in bytes
    32     model: SHA-256 that the client bundle and the server body share
    4 4 4 4   n tokens, hidden size, u rows in the payload, r rows recalled from the session
    16 4   session id (zero: no session), sequence number in it
    4 1 1 1 1   max_tokens, logprobs, t stop ids, has seed, has schema
    8      seed
    8 8 8 8   temperature, top_p, frequency_penalty, presence_penalty (float64)
    4t     stop ids
    s      salt, UTF-8
    4 c    with a schema: its length c in bytes, a JSON Schema in UTF-8 that the answer must follow
    1 4v   of variants: their number v, and the tokens of each; n is their sum
    rest   payload: n indices (uint16, uint32 when r + u > 65536), r slots (uint32), u packed rows;
           or n ids (uint32)

An index counts the recalled rows first, then the payload's.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
import zstandard

from cmif.errors import FrameTooLargeError, RowsRefusedError, WireError
from cmif.types import Sampling
from cmif.wire import rows as codecs
from cmif.wire.rows import I32, Rows

CONTENT_TYPE = "application/vnd.cmif.frame"
CODECS = ("bf16", "int8", "fp8", "bf16+zstd", "int8+zstd", "fp8+zstd")

_MAGIC = b"CMIF"
_VERSION = 1
_ROWS, _IDS, _VARIANTS = 0, 1, 2
_ZSTD = 0x80
_BASE = ("bf16", "int8", "fp8")
_HEADER = struct.Struct("<4sBBBB32sIIII16sIIBBBBq4d")
_NO_SESSION = bytes(16)
_MAX_STOP_IDS, _MAX_LOGPROBS = 64, 20
_MAX_SCHEMA = 1 << 16
MAX_VARIANTS = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """What an engine accepts: its hidden size, its context in tokens, and the bytes of a frame, compressed
    or not."""

    hidden: int
    context: int
    max_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A prompt as rows. ``model`` is a SHA-256 in hex; ``salt`` is opaque and one a tenant, so that caches
    never mix. ``lengths``: of a prompt in several variants, all to be answered alike, the tokens of each; their
    indices follow each other in ``rows``."""

    model: str
    rows: Rows
    sampling: Sampling
    salt: str = ""
    lengths: tuple[int, ...] = ()

    @property
    def longest(self) -> int:
        """Tokens of the longest variant."""
        return max(self.lengths, default=len(self.rows.index))

    def variants(self) -> tuple[Frame, ...]:
        """One frame a variant; all share the same array of unique rows."""
        if not self.lengths:
            return (self,)
        ends = np.cumsum(self.lengths)
        return tuple(
            Frame(self.model, Rows(self.rows.unique, self.rows.index[end - n : end]), self.sampling, self.salt)
            for end, n in zip(ends.tolist(), self.lengths, strict=True)
        )


@dataclass(frozen=True, slots=True, eq=False)
class IdsFrame:
    """A prompt as token ids, int32 [n]: no protection at all, what the benchmark calls `plain`."""

    model: str
    ids: I32
    sampling: Sampling
    salt: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """The session fields of a frame: which dictionary, how many frames it has seen, which of its slots are
    used."""

    session: bytes
    sequence: int
    slots: I32


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """A frame as read: ``rows`` holds the payload's rows only, ``index`` may point at recalled rows before
    them."""

    frame: Frame | IdsFrame
    section: Section | None


def encode(frame: Frame | IdsFrame, codec: str = "bf16", section: Section | None = None) -> bytes:
    """Bytes of ``frame``. ``codec`` is one of :data:`CODECS`; bf16 is lossless. Raises :class:`WireError`
    for values that no frame can hold (rows that are not finite under int8 or fp8, too many stop ids, a
    malformed digest)."""
    base, _, packer = codec.partition("+")
    if codec not in CODECS:
        raise WireError(f"unknown codec {codec!r}", hint=f"Known: {', '.join(CODECS)}.")
    if isinstance(frame, IdsFrame):
        kind, n, hidden, u, r = _IDS, len(frame.ids), 0, 0, 0
        payload = frame.ids.astype("<u4").tobytes()
    else:
        kind = _VARIANTS if frame.lengths else _ROWS
        n, (u, hidden) = len(frame.rows.index), frame.rows.unique.shape
        slots = section.slots if section else np.empty(0, np.int32)
        r = len(slots)
        payload = b"".join((
            frame.rows.index.astype(_index_type(u + r)).tobytes(), slots.astype("<u4").tobytes(),
            codecs.pack(base, frame.rows.unique),
        ))  # fmt: skip
    if packer:
        payload = zstandard.ZstdCompressor(level=1).compress(payload)
    s, salt = _sampling(frame.sampling), frame.salt.encode()
    lengths = () if isinstance(frame, IdsFrame) else frame.lengths
    if lengths and (not 2 <= len(lengths) <= MAX_VARIANTS or min(lengths) < 1 or sum(lengths) != n):
        raise WireError("the lengths of the variants do not go together")
    schema = s.schema.encode()
    if len(salt) > 255 or len(s.stop_ids) > _MAX_STOP_IDS or len(schema) > _MAX_SCHEMA:
        raise WireError("the salt, the schema or the list of stop ids is too long for a frame")
    try:
        header = _HEADER.pack(
            _MAGIC, _VERSION, kind, _BASE.index(base) | (_ZSTD if packer else 0), len(salt),
            _digest(frame.model), n, hidden, u, r,
            section.session if section else _NO_SESSION, section.sequence if section else 0,
            s.max_tokens, s.logprobs, len(s.stop_ids), s.seed is not None, bool(schema), s.seed or 0,
            s.temperature, s.top_p, s.frequency_penalty, s.presence_penalty,
        )  # fmt: skip
        stops = struct.pack(f"<{len(s.stop_ids)}I", *s.stop_ids)
    except struct.error:
        raise WireError("a sampling parameter is out of range") from None
    stated = struct.pack("<I", len(schema)) + schema if schema else b""
    parted = struct.pack(f"<B{len(lengths)}I", len(lengths), *lengths) if lengths else b""
    return b"".join((header, stops, salt, stated, parted, payload))


def decode(data: bytes, limits: Limits) -> Frame:
    """The frame in ``data``, rows dequantised to bf16 patterns. Values are not judged here: see
    `engine.validate`.

    Raises :class:`WireError` when malformed (also for ids, and for a frame that needs a session),
    :class:`FrameTooLargeError` before anything above the limits is allocated, :class:`RowsRefusedError` for
    rows of another hidden size.
    """
    parsed = parse(data, limits)
    if parsed.section is not None or not isinstance(parsed.frame, Frame):
        raise WireError("expected a frame of rows without a session")
    return parsed.frame


def parse(data: bytes, limits: Limits) -> Parsed:
    """As :func:`decode`, for any kind of frame; a session's recalled rows are left to `wire.session`."""
    if len(data) > limits.max_bytes:
        raise FrameTooLargeError(f"a frame of {len(data)} bytes; the limit is {limits.max_bytes}")
    if len(data) < _HEADER.size:
        raise WireError("the frame is shorter than its header")
    (magic, version, kind, codec, salt_len, model, n, hidden, u, r, session, sequence, max_tokens, logprobs,
     t, seeded, held, seed, temperature, top_p, frequency, presence) = _HEADER.unpack_from(data)  # fmt: skip
    if magic != _MAGIC or version != _VERSION:
        raise WireError("not a CMIF frame of version 1")
    if kind not in (_ROWS, _IDS, _VARIANTS) or codec & 0x7F >= len(_BASE) or held > 1 or seeded > 1:
        raise WireError("unknown kind, codec or flag")
    if n > limits.context * (MAX_VARIANTS if kind == _VARIANTS else 1):
        raise FrameTooLargeError(f"a prompt of {n} tokens; this model takes {limits.context}")
    if n == 0:
        raise WireError("a frame without tokens")
    end = _HEADER.size + 4 * t + salt_len
    if t > _MAX_STOP_IDS or len(data) < end:
        raise WireError("the frame is cut short, or has too many stop ids")
    try:
        salt = data[end - salt_len : end].decode()
    except UnicodeDecodeError:
        raise WireError("the salt is not UTF-8") from None
    schema, end = _schema(data, end) if held else ("", end)
    sampling = _sampling(Sampling(
        max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed if seeded else None,
        stop_ids=struct.unpack_from(f"<{t}I", data, _HEADER.size),
        frequency_penalty=frequency, presence_penalty=presence, logprobs=logprobs, schema=schema,
    ))  # fmt: skip
    lengths, end = _lengths(data, end, n, limits) if kind == _VARIANTS else ((), end)
    base = _BASE[codec & 0x7F]
    if kind == _IDS:
        if hidden or u or r or session != _NO_SESSION or codec:
            raise WireError("a frame of ids holds no rows, session or codec")
        body = _payload(data, end, 4 * n, False, limits)
        ids = np.frombuffer(body, "<u4")
        if ids.max() > 0x7FFFFFFF:
            raise WireError("a token id out of range")
        return Parsed(IdsFrame(model.hex(), ids.astype(np.int32), sampling, salt), None)
    if hidden != limits.hidden:
        raise RowsRefusedError(f"rows of hidden size {hidden}; this model has {limits.hidden}")
    if u + r == 0 or u + r > n or (r and session == _NO_SESSION):
        raise WireError("more distinct rows than tokens, or recalled rows without a session")
    index_type = _index_type(u + r)
    index_bytes = n * index_type.itemsize
    body = _payload(
        data, end, index_bytes + 4 * r + codecs.packed_size(base, u, hidden), bool(codec & _ZSTD), limits
    )
    index = np.frombuffer(body[:index_bytes], index_type).astype(np.int64)
    slots = np.frombuffer(body[index_bytes : index_bytes + 4 * r], "<u4").astype(np.int64)
    if index.max() >= u + r or (r and slots.max() > 0x7FFFFFFF):
        raise WireError("an index points past the rows")
    unique = codecs.unpack(base, body[index_bytes + 4 * r :], u, hidden)
    frame = Frame(model.hex(), Rows(unique, index.astype(np.int32)), sampling, salt, lengths)
    return Parsed(
        frame, None if session == _NO_SESSION else Section(session, sequence, slots.astype(np.int32))
    )


def _schema(data: bytes, start: int) -> tuple[str, int]:
    """The schema that begins at ``start``, and where it ends."""
    if len(data) < start + 4:
        raise WireError("the frame is cut short")
    (length,) = struct.unpack_from("<I", data, start)
    end = start + 4 + length
    if not 0 < length <= _MAX_SCHEMA or len(data) < end:
        raise WireError("the schema is cut short, empty or too long")
    try:
        return data[start + 4 : end].decode(), end
    except UnicodeDecodeError:
        raise WireError("the schema is not UTF-8") from None


def _lengths(data: bytes, start: int, n: int, limits: Limits) -> tuple[tuple[int, ...], int]:
    """The variants' lengths that begin at ``start``, and where they end."""
    count = data[start] if start < len(data) else 0
    end = start + 1 + 4 * count
    if not 2 <= count <= MAX_VARIANTS or len(data) < end:
        raise WireError("the variants are cut short, too few or too many")
    lengths = struct.unpack_from(f"<{count}I", data, start + 1)
    if min(lengths) < 1 or sum(lengths) != n:
        raise WireError("the lengths of the variants do not go together")
    if max(lengths) > limits.context:
        raise FrameTooLargeError(f"a prompt of {max(lengths)} tokens; this model takes {limits.context}")
    return lengths, end


def _payload(data: bytes, start: int, size: int, compressed: bool, limits: Limits) -> memoryview:
    """Exactly ``size`` bytes, or an error; ``size`` comes from counts already checked, never from the
    compressed stream."""
    if size > limits.max_bytes:
        raise FrameTooLargeError(f"a payload of {size} bytes; the limit is {limits.max_bytes}")
    body = memoryview(data)[start:]
    if compressed:
        # zstandard allocates what the stream's own header states, so that must be what ours states.
        try:
            if zstandard.frame_content_size(body[:18]) != size:
                raise WireError("the compressed payload states another size")
            body = memoryview(
                zstandard.ZstdDecompressor().decompress(body, max_output_size=size, allow_extra_data=False)
            )
        except zstandard.ZstdError:
            raise WireError("the compressed payload is damaged") from None
    if len(body) != size:
        raise WireError(f"a payload of {len(body)} bytes where the header says {size}")
    return body


def _sampling(s: Sampling) -> Sampling:
    numbers = (s.temperature, s.top_p, s.frequency_penalty, s.presence_penalty)
    within = (
        all(map(math.isfinite, numbers))
        and 1 <= s.max_tokens < 1 << 31
        and 0 <= s.logprobs <= _MAX_LOGPROBS
        and 0 <= s.temperature <= 2
        and 0 < s.top_p <= 1
        and abs(s.frequency_penalty) <= 2
        and abs(s.presence_penalty) <= 2
    )
    if not within:
        raise WireError("a sampling parameter is out of range")
    return s


def _index_type(rows: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype("<u2") if rows <= 0x10000 else np.dtype("<u4")


def _digest(model: str) -> bytes:
    try:
        digest = bytes.fromhex(model)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise WireError("the model is not named by a SHA-256 in hex")
    return digest
