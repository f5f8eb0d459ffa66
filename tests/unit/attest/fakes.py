"""Fakes of the interfaces that evidence comes from, with the kernel's, Gramine's and the NSM's own rules."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field

import cbor2

Make = Callable[[bytes], bytes]


def _refuse(code: int) -> OSError:
    return OSError(code, errno.errorcode[code])


@dataclass
class _Entry:
    inblob: bytes = b""
    generation: int = 0


@dataclass
class FakeTsm:
    """configfs-tsm: entries by mkdir, ``inblob`` of at most 64 bytes, ``generation`` counting writes, reports cached.

    ``racer`` runs after each ``outblob`` is made, as another writer would; ``busy`` is how many reads say EBUSY first.
    """

    make: Make
    provider: bytes = b"tdx_guest\n"
    aux: bytes | None = None
    racer: Callable[[_Entry], None] | None = None
    busy: int = 0
    root: str = "/sys/kernel/config/tsm/report"
    entries: dict[str, _Entry] = field(default_factory=dict)
    made: int = 0

    def mkdir(self, path: str) -> None:
        name = self._name(path)[0]
        if name in self.entries:
            raise _refuse(errno.EEXIST)
        self.entries[name] = _Entry()
        self.made += 1

    def rmdir(self, path: str) -> None:
        if self.entries.pop(self._name(path)[0], None) is None:
            raise _refuse(errno.ENOENT)

    def write(self, path: str, data: bytes) -> None:
        entry, attribute = self._find(path)
        if attribute != "inblob":
            raise _refuse(errno.EACCES)
        if not 1 <= len(data) <= 64:
            raise _refuse(errno.EINVAL)
        entry.inblob = data
        entry.generation += 1

    def read(self, path: str, limit: int) -> bytes:
        entry, attribute = self._find(path)
        match attribute:
            case "provider":
                return self.provider
            case "generation":
                return b"%d\n" % entry.generation
            case "outblob":
                if self.busy:
                    self.busy -= 1
                    raise _refuse(errno.EBUSY)
                if not entry.inblob:
                    raise _refuse(errno.EINVAL)
                made = self.make(entry.inblob)
                if self.racer:
                    self.racer(entry)
                return made
            case "auxblob" if self.aux is not None:
                return self.aux
        raise _refuse(errno.ENOENT)

    def _name(self, path: str) -> list[str]:
        assert path.startswith(self.root + "/")
        return path[len(self.root) + 1 :].split("/")

    def _find(self, path: str) -> tuple[_Entry, str]:
        name, attribute = self._name(path)
        if name not in self.entries:
            raise _refuse(errno.ENOENT)
        return self.entries[name], attribute


@dataclass
class FakeGramine:
    """Gramine's ``/dev/attestation``: write 64 bytes of user report data, read a quote over them."""

    make: Make
    kind: bytes = b"dcap"
    sealing: bytes = bytes(range(16))
    root: str = "/dev/attestation"
    user: bytes = bytes(64)

    def mkdir(self, path: str) -> None:
        raise _refuse(errno.EACCES)

    rmdir = mkdir

    def write(self, path: str, data: bytes) -> None:
        if path != f"{self.root}/user_report_data":
            raise _refuse(errno.EACCES)
        if len(data) != 64:
            raise _refuse(errno.EINVAL)
        self.user = data

    def read(self, path: str, limit: int) -> bytes:
        match path.removeprefix(self.root):
            case "/attestation_type":
                return self.kind
            case "/quote":
                return self.make(self.user)
            case "/keys/_sgx_mrenclave":
                return self.sealing
        raise _refuse(errno.ENOENT)


@dataclass
class FakeNsm:
    """The Nitro Secure Module: one CBOR request, one CBOR response; limits as in AWS's API (user_data 512 bytes)."""

    make: Make

    def __call__(self, request: bytes) -> bytes:
        if len(request) > 0x1000:
            raise _refuse(errno.EMSGSIZE)
        match cbor2.loads(request):
            case {"Attestation": {"user_data": bytes(data) | (None as data), "nonce": _, "public_key": _}}:
                if data is not None and len(data) > 512:
                    return cbor2.dumps({"Error": "InputTooLarge"})
                return cbor2.dumps({"Attestation": {"document": self.make(data or b"")}})
            case "DescribeNSM":
                return cbor2.dumps({"DescribeNSM": {"max_pcrs": 32}})
        return cbor2.dumps({"Error": "InvalidOperation"})
