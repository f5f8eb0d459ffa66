"""A file system served by this process over /dev/fuse, so that the producers' real system calls meet the fakes.

The kernel's own protocol (Linux ``include/uapi/linux/fuse.h``), no library: just what a directory of small attribute
files needs. Needs root and /dev/fuse; tests that use it are skipped elsewhere.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_LOOKUP, _FORGET, _GETATTR, _SETATTR, _MKDIR, _RMDIR, _OPEN, _READ, _WRITE = 1, 2, 3, 4, 9, 11, 14, 15, 16
_STATFS, _RELEASE, _FLUSH, _INIT, _OPENDIR, _RELEASEDIR, _ACCESS, _DESTROY, _BATCH_FORGET = (
    17,
    18,
    25,
    26,
    27,
    29,
    34,
    38,
    42,
)
_DIRECT_IO = 1
_MNT_DETACH = 2


class Backend(Protocol):
    """What the fakes are: files by path below ``root``; `OSError` for a call that the real interface refuses."""

    root: str

    def read(self, path: str, limit: int) -> bytes: ...
    def write(self, path: str, data: bytes) -> None: ...
    def mkdir(self, path: str) -> None: ...
    def rmdir(self, path: str) -> None: ...


def available() -> bool:
    return os.path.exists("/dev/fuse") and os.geteuid() == 0


@contextmanager
def mounted(backend: Backend, folder: str, directories: tuple[str, ...] = ()) -> Iterator[None]:
    """Serve ``backend`` at ``folder``. ``directories`` exist from the start; names that end in a digit may be made."""
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    if libc.mount(b"fuse", folder.encode(), b"fuse", 6, options) != 0:
        os.close(device)
        raise OSError(ctypes.get_errno(), "mount")
    server = _Server(backend, device, directories)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        libc.umount2(folder.encode(), _MNT_DETACH)
        thread.join(5)
        os.close(device)


class _Server:
    def __init__(self, backend: Backend, device: int, directories: tuple[str, ...]) -> None:
        self._backend, self._device = backend, device
        self._paths = {1: ""}
        self._folders = {"", *directories}
        self._open: dict[int, bytes] = {}

    def run(self) -> None:
        while True:
            try:
                data = os.read(self._device, 1 << 18)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT):
                    continue
                return  # ENODEV: unmounted
            _, opcode, unique, node = struct.unpack_from("<IIQQ", data)
            if opcode in (_FORGET, _BATCH_FORGET):
                continue
            try:
                code, out = 0, self._answer(opcode, node, data[40:])
            except OSError as error:
                code, out = -(error.errno or errno.EIO), b""
            os.write(self._device, struct.pack("<IiQ", 16 + len(out), code, unique) + out)

    def _answer(self, opcode: int, node: int, body: bytes) -> bytes:
        path = self._paths.get(node, "")
        match opcode:
            case 26:  # INIT
                return struct.pack("<IIIIHHIIHHI", 7, 31, 0, 0, 8, 8, 1 << 16, 1, 16, 0, 0).ljust(64, b"\0")
            case 1:  # LOOKUP
                return self._entry(self._child(path, body))
            case 3 | 4:  # GETATTR, SETATTR (truncation is accepted and does nothing, as in configfs)
                return struct.pack("<QII", 0, 0, 0) + self._attributes(node, path)
            case 9:  # MKDIR
                made = self._child(path, body[8:])
                self._backend.mkdir(self._backend.root + made)
                self._folders.add(made)
                return self._entry(made)
            case 11:  # RMDIR
                gone = self._child(path, body)
                self._backend.rmdir(self._backend.root + gone)
                self._folders.discard(gone)
                return b""
            case 14 | 27:  # OPEN, OPENDIR
                return struct.pack("<QII", node, _DIRECT_IO, 0)
            case 15:  # READ: the attribute is made when it is read from its beginning
                handle, offset, size = struct.unpack_from("<QQI", body)
                if offset == 0:
                    self._open[handle] = self._backend.read(self._backend.root + path, 1 << 20)
                return self._open.get(handle, b"")[offset : offset + size]
            case 16:  # WRITE
                _, offset, size = struct.unpack_from("<QQI", body)
                if offset:
                    raise OSError(errno.EINVAL, "attributes are written whole")
                self._backend.write(self._backend.root + path, body[40 : 40 + size])
                return struct.pack("<II", size, 0)
            case 18 | 25 | 29 | 34 | 38:  # RELEASE, FLUSH, RELEASEDIR, ACCESS, DESTROY
                return b""
            case 17:  # STATFS
                return bytes(80)
        raise OSError(errno.ENOSYS, "not needed")

    def _child(self, path: str, name: bytes) -> str:
        return f"{path}/{name.split(bytes(1))[0].decode()}"

    def _entry(self, path: str) -> bytes:
        parent = path.rsplit("/", 1)[0]
        if parent not in self._folders or (
            parent == "" and path not in self._folders and path.startswith("/cmif-")
        ):
            raise OSError(errno.ENOENT, "no such entry")
        node = next((n for n, known in self._paths.items() if known == path), len(self._paths) + 1)
        self._paths[node] = path
        return struct.pack("<QQQQII", node, 0, 0, 0, 0, 0) + self._attributes(node, path)

    def _attributes(self, node: int, path: str) -> bytes:
        mode = stat.S_IFDIR | 0o755 if path in self._folders else stat.S_IFREG | 0o600
        return struct.pack("<6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)
