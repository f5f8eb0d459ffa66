"""Least privilege for a process that plays a TEE: no core dumps, no reading by its own user, secrets out of reach.

None of this keeps anything from the machine's owner.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource

_PR_SET_DUMPABLE, _PR_GET_DUMPABLE = 4, 3
_SYS_MEMFD_SECRET = 447


def forbid_dumps() -> None:
    """No core dump, no ptrace, no `/proc/PID/mem` for processes of the same user. Raises `OSError` if refused."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 or libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_DUMPABLE was refused")


def secret_memory(size: int) -> mmap.mmap | None:
    """Memory that the kernel itself does not map (`memfd_secret`), or None where it is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    descriptor = libc.syscall(_SYS_MEMFD_SECRET, os.O_CLOEXEC)
    if descriptor < 0:
        return None
    try:
        os.ftruncate(descriptor, size)
        return mmap.mmap(descriptor, size)
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)
