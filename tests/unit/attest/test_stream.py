from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tink import cleartext_keyset_handle, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

from cmif.attest.stream import SEGMENT_BYTES, decrypt_into, encrypt, sealed_size
from cmif.errors import SealError

KEY = bytes(range(32))
AAD = b"bundle|1|rows.bf16"
FIRST = SEGMENT_BYTES - 16 - 40
SIZES = [
    0,
    1,
    FIRST - 1,
    FIRST,
    FIRST + 1,
    FIRST + SEGMENT_BYTES - 16,
    FIRST + SEGMENT_BYTES - 15,
    3 * SEGMENT_BYTES,
]


def sealed(plain: bytes, key: bytes = KEY, aad: bytes = AAD) -> bytes:
    sink = io.BytesIO()
    encrypt(key, aad, io.BytesIO(plain), sink, len(plain))
    return sink.getvalue()


def opened(ciphertext: bytes, size: int, key: bytes = KEY, aad: bytes = AAD) -> bytes:
    out = bytearray(b"\x55" * size)
    try:
        decrypt_into(key, aad, io.BytesIO(ciphertext), memoryview(out))
    except SealError:
        assert out == bytes(size)  # no plaintext, not even a prefix, survives a failure
        raise
    return bytes(out)


def pattern(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.fixture(scope="module")
def oracle() -> streaming_aead.StreamingAead:
    """Tink's own implementation over the same raw key."""
    streaming_aead.register()
    params = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=SEGMENT_BYTES, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    key = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(version=0, params=params, key_value=KEY)
    data = tink_pb2.KeyData(
        type_url="type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
        value=key.SerializeToString(),
        key_material_type=tink_pb2.KeyData.SYMMETRIC,
    )
    keyset = tink_pb2.Keyset(primary_key_id=1)
    keyset.key.append(
        tink_pb2.Keyset.Key(key_data=data, status=tink_pb2.ENABLED, key_id=1, output_prefix_type=tink_pb2.RAW)
    )
    handle = cleartext_keyset_handle.from_keyset(keyset)
    return handle.primitive(streaming_aead.StreamingAead)


@pytest.mark.parametrize("size", SIZES)
def test_tink_opens_what_we_seal(oracle: streaming_aead.StreamingAead, size: int) -> None:
    source = io.BytesIO(sealed(pattern(size)))
    with oracle.new_decrypting_stream(source, AAD) as stream:
        assert stream.read() == pattern(size)


@pytest.mark.parametrize("size", SIZES)
def test_we_open_what_tink_seals(oracle: streaming_aead.StreamingAead, size: int) -> None:
    class Kept(io.BytesIO):
        def close(self) -> None: ...

    sink = Kept()
    with oracle.new_encrypting_stream(sink, AAD) as stream:
        stream.write(pattern(size))
    assert len(sink.getvalue()) == sealed_size(size)
    assert opened(sink.getvalue(), size) == pattern(size)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=4096), st.binary(max_size=64))
def test_round_trip(plain: bytes, aad: bytes) -> None:
    ciphertext = sealed(plain, aad=aad)
    assert len(ciphertext) == sealed_size(len(plain))
    assert opened(ciphertext, len(plain), aad=aad) == plain


def test_two_sealings_of_the_same_bytes_differ() -> None:
    assert sealed(b"x" * 100) != sealed(b"x" * 100)


def test_every_flipped_byte_of_a_short_stream_is_refused() -> None:
    ciphertext = sealed(pattern(100))
    for at in range(len(ciphertext)):
        flipped = bytearray(ciphertext)
        flipped[at] ^= 1
        with pytest.raises(SealError):
            opened(bytes(flipped), 100)


@pytest.mark.parametrize(
    "where", [0, 1, 39, 40, 5000, SEGMENT_BYTES - 1, SEGMENT_BYTES, 2 * SEGMENT_BYTES, -1]
)
def test_flips_in_every_part_of_a_long_stream_are_refused(where: int) -> None:
    size = 2 * SEGMENT_BYTES + 1000
    flipped = bytearray(sealed(pattern(size)))
    flipped[where] ^= 0x80
    with pytest.raises(SealError):
        opened(bytes(flipped), size)


def test_segments_cannot_be_swapped_dropped_or_cut() -> None:
    size = 3 * SEGMENT_BYTES
    good = sealed(pattern(size))
    parts = [good[i : i + SEGMENT_BYTES] for i in range(0, len(good), SEGMENT_BYTES)]
    swapped = b"".join([parts[0], parts[2], parts[1], *parts[3:]])
    for bad in (
        swapped,
        b"".join(parts[:2] + parts[3:]),
        good[:-1],
        good[: 2 * SEGMENT_BYTES],
        b"",
        good + b"\0",
    ):
        with pytest.raises(SealError):
            opened(bad, size)


def test_a_prefix_does_not_open_as_a_shorter_file() -> None:
    good = sealed(pattern(3 * SEGMENT_BYTES))
    with pytest.raises(SealError):
        opened(good[:SEGMENT_BYTES], FIRST)


@pytest.mark.parametrize(("key", "aad"), [(bytes(32), AAD), (KEY, b"other"), (KEY, b"")])
def test_another_key_or_context_is_refused(key: bytes, aad: bytes) -> None:
    with pytest.raises(SealError, match="does not open"):
        opened(sealed(b"secret rows"), 11, key, aad)


def test_a_key_of_another_size_is_refused() -> None:
    with pytest.raises(SealError, match="32 bytes"):
        sealed(b"x", key=b"short")


def test_a_source_of_another_size_than_declared_is_refused() -> None:
    for declared in (9, 11):
        with pytest.raises(SealError):
            encrypt(KEY, AAD, io.BytesIO(bytes(10)), io.BytesIO(), declared)
