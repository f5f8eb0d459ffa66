"""The simulated TEE itself: a measurement of the installed code and a signature by a device key in a file."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cmif_simulated_tee.harden import forbid_dumps, secret_memory

LABEL = "SIMULATED (not a TEE: protects nothing)"
KEY_VARIABLE = "CMIF_SIMULATED_TEE_KEY"
_SIGNED = b"cmif-simulated-tee/1\0"
_GATEWAY = ("attest", "enclave", "gateway", "privacy", "wire", "errors.py", "types.py", "__init__.py")
_ENGINE = "cmif_server.engine"
_KEY_BYTES = 32


@functools.cache
def measure(engine: bool) -> str:
    """SHA-384 (hex), once a process, over path and content of every installed file that runs in a gateway's enclave, or
    of those and the ``engine``'s own. Raises `ModuleNotFoundError` for an engine that is not installed."""
    digest = hashlib.sha384()
    for root, parts in [(_folder("cmif"), _GATEWAY), *([(_folder(_ENGINE), (".",))] if engine else [])]:
        files = [file for part in parts for file in (root / part, *(root / part).rglob("*"))]
        for file in sorted(file for file in files if file.is_file() and "__pycache__" not in file.parts):
            name = file.relative_to(root).as_posix()
            digest.update(cbor2.dumps([name, hashlib.sha256(file.read_bytes()).digest()]))
    return digest.hexdigest()


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(spec.origin).parent


class DeviceKey:
    """The key that stands for hardware. Kept in secret memory between signatures, where the kernel allows that."""

    def __init__(self, path: Path) -> None:
        seed = _seed(path)
        self.public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        memory = secret_memory(_KEY_BYTES)
        self.in_secret_memory = memory is not None
        self._memory = memory if memory is not None else bytearray(_KEY_BYTES)
        self._memory[:_KEY_BYTES] = seed

    def sign(self, data: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(bytes(self._memory[:_KEY_BYTES])).sign(data)


class SimulatedTee:
    """What `cmif` finds under the entry point group ``cmif.tee``."""

    def __init__(self) -> None:
        self._key: DeviceKey | None = None

    def produce(self, report_data: bytes) -> bytes:
        """Evidence over 64 bytes of report data. Hardens this process first; `OSError` if that is refused."""
        if len(report_data) != 64:
            raise ValueError("report data is 64 bytes")
        forbid_dumps()
        key = self.device()
        told = {"label": LABEL, "measurement": measure(_ENGINE in sys.modules), "device": key.public}
        body = cbor2.dumps({**told, "report_data": report_data}, canonical=True)
        return cbor2.dumps([body, key.sign(_SIGNED + body)], canonical=True)

    def verify(self, data: bytes) -> tuple[str, str, bytes]:
        """Measurement (hex), device key (hex), report data. Raises `ValueError` for anything that key did not sign."""
        try:
            body, signature = cbor2.loads(data)
            told = cbor2.loads(body)
            Ed25519PublicKey.from_public_bytes(told["device"]).verify(signature, _SIGNED + body)
            canonical = cbor2.dumps([cbor2.dumps(told, canonical=True), signature], canonical=True) == data
            measurement, device, report_data = told["measurement"], told["device"].hex(), told["report_data"]
        except (InvalidSignature, Exception):  # cbor2 raises many kinds on hostile input
            raise ValueError("not signed simulated evidence") from None
        if (
            not canonical
            or told["label"] != LABEL
            or not isinstance(measurement, str)
            or len(report_data) != 64
        ):
            raise ValueError("not signed simulated evidence")
        return measurement, device, report_data

    def device(self) -> DeviceKey:
        """This machine's device key, made on first use."""
        if self._key is None:
            self._key = DeviceKey(_key_path())
        return self._key


def _key_path() -> Path:
    named = os.environ.get(KEY_VARIABLE)
    if named:
        return Path(named)
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "cmif" / "simulated-tee.key"


def _seed(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb"
        ) as file:
            file.write(os.urandom(_KEY_BYTES))
    except FileExistsError:
        pass
    seed = path.read_bytes()
    if len(seed) != _KEY_BYTES:
        raise ValueError("the simulated device key is damaged")
    return seed


TEE = SimulatedTee()
