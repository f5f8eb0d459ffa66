"""Streaming AEAD in bounded memory: Tink's `AES256_GCM_HKDF_1MB` wire format on `cryptography`'s AES-GCM.

A ciphertext is ``header | segment 0 | segment 1 | ...``. The header is one length byte (40), a 32-byte salt and a
7-byte nonce prefix. A segment is AES-256-GCM under HKDF-SHA256(key, salt, associated data) (RFC 5869) with the nonce
``prefix | counter (4 bytes) | last (1 byte)``; 1 MiB with its tag, the first one shorter by the header. Security: the
online AEAD OAE2 (Hoang, Reyhanitabar, Rogaway, Vizár 2015): no segment can be altered, moved, dropped or appended.
"""

from __future__ import annotations

import os
import struct
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cmif.errors import SealError

KEY_BYTES = 32
SEGMENT_BYTES = 1 << 20
_TAG = 16
_SALT, _PREFIX = 32, 7
_HEADER = 1 + _SALT + _PREFIX


class Source(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class Sink(Protocol):
    def write(self, data: bytes, /) -> int | None: ...


def sealed_size(size: int) -> int:
    """Bytes of ciphertext for ``size`` bytes of plaintext."""
    first = SEGMENT_BYTES - _TAG - _HEADER
    segments = 1 if size <= first else 1 + -(-(size - first) // (SEGMENT_BYTES - _TAG))
    return _HEADER + size + segments * _TAG


def encrypt(key: bytes, associated: bytes, source: Source, sink: Sink, size: int) -> None:
    """Encrypt exactly ``size`` bytes of ``source``. Raises :class:`SealError` if it holds fewer or more."""
    salt, prefix = os.urandom(_SALT), os.urandom(_PREFIX)
    cipher = _cipher(key, salt, associated)
    sink.write(bytes((_HEADER,)) + salt + prefix)
    buffer = memoryview(bytearray(SEGMENT_BYTES))
    for index, (start, stop) in enumerate(_segments(size)):
        plain = buffer[: stop - start]
        _fill(source, plain)
        sink.write(cipher.encrypt(_nonce(prefix, index, stop == size), plain, None))
    _require_end(source)


def decrypt_into(key: bytes, associated: bytes, source: Source, out: memoryview) -> None:
    """Decrypt into ``out``, a writable buffer of exactly the plaintext's size; nothing else holds plaintext.

    Raises :class:`SealError` for a wrong key, other associated data, and anything altered, truncated or appended;
    ``out`` is then zero again.
    """
    header, buffer = memoryview(bytearray(_HEADER)), memoryview(bytearray(SEGMENT_BYTES))
    try:
        _fill(source, header)
        if header[0] != _HEADER:
            raise SealError("The sealed file has an unknown header.")
        cipher, prefix = _cipher(key, bytes(header[1 : 1 + _SALT]), associated), bytes(header[1 + _SALT :])
        for index, (start, stop) in enumerate(_segments(len(out))):
            segment = buffer[: stop - start + _TAG]
            _fill(source, segment)
            cipher.decrypt_into(_nonce(prefix, index, stop == len(out)), segment, None, out[start:stop])
        _require_end(source)
    except InvalidTag:
        _wipe(out)
        raise SealError("The sealed file does not open: wrong key, other bundle or altered.") from None
    except SealError:
        _wipe(out)
        raise


def _segments(size: int) -> list[tuple[int, int]]:
    bounds = [(0, min(size, SEGMENT_BYTES - _TAG - _HEADER))]
    while bounds[-1][1] < size:
        start = bounds[-1][1]
        bounds.append((start, min(size, start + SEGMENT_BYTES - _TAG)))
    return bounds


def _cipher(key: bytes, salt: bytes, associated: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise SealError(f"A content key has {KEY_BYTES} bytes.")
    return AESGCM(HKDF(hashes.SHA256(), 32, salt, associated).derive(key))


def _nonce(prefix: bytes, index: int, last: bool) -> bytes:
    return prefix + struct.pack(">IB", index, last)


def _fill(source: Source, buffer: memoryview) -> None:
    done = 0
    while done < len(buffer):
        got = source.readinto(buffer[done:])
        if not got:
            raise SealError("The file is shorter than it should be.")
        done += got


def _require_end(source: Source) -> None:
    if source.readinto(memoryview(bytearray(1))):
        raise SealError("The file is longer than it should be.")


def _wipe(out: memoryview) -> None:
    zeros = bytes(min(len(out), SEGMENT_BYTES))
    for start in range(0, len(out), SEGMENT_BYTES):
        stop = min(len(out), start + SEGMENT_BYTES)
        out[start:stop] = zeros[: stop - start]
