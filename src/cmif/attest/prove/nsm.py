"""The Nitro Secure Module's character device: one ioctl that carries a CBOR request and fills a CBOR response.

Source: Linux ``include/uapi/linux/nsm.h``: ``NSM_IOCTL_RAW = _IOWR(0x0A, 0, struct nsm_raw)``, two iovecs.
"""

from __future__ import annotations

import ctypes
import fcntl
import os

_MAX_REQUEST_BYTES, _MAX_RESPONSE_BYTES = 0x1000, 0x3000
_DEVICE = "/dev/nsm"


class _Iovec(ctypes.Structure):
    _fields_ = (("address", ctypes.c_uint64), ("length", ctypes.c_uint64))


class _Raw(ctypes.Structure):
    _fields_ = (("request", _Iovec), ("response", _Iovec))


_IOCTL_RAW = 3 << 30 | ctypes.sizeof(_Raw) << 16 | 0x0A << 8


def device_transport(request: bytes) -> bytes:
    """Ask the device. Raises `OSError` where there is none or it refuses, `ValueError` for an oversized request."""
    if len(request) > _MAX_REQUEST_BYTES:
        raise ValueError("request too large")
    sent = ctypes.create_string_buffer(request, len(request))
    room = ctypes.create_string_buffer(_MAX_RESPONSE_BYTES)
    raw = _Raw(
        _Iovec(ctypes.addressof(sent), len(request)), _Iovec(ctypes.addressof(room), _MAX_RESPONSE_BYTES)
    )
    descriptor = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _IOCTL_RAW, raw)
    finally:
        os.close(descriptor)
    return room.raw[: raw.response.length]
