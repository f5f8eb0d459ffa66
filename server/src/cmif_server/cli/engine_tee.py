"""What `cmif serve --tee` adds: a TLS key that is made in the TEE, and a statement that binds it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cmif.attest.evidence import TeeKind
from cmif.attest.spki import spki_sha256
from cmif.attest.subject import engine_config
from cmif.errors import InputError
from cmif.gateway.selfsigned import enclave_tls, self_signed
from cmif_server.engine.attested import EngineTee


@dataclass(frozen=True, slots=True)
class InTee:
    """An engine's place, None outside a TEE, and its TLS: a context for our own server, or files of certificate and key
    for vLLM's."""

    tee: EngineTee | None = None
    tls: ssl.SSLContext | None = None
    certificate: Path | None = None
    key: Path | None = None


def in_tee(
    kind: TeeKind,
    host: str,
    backend: str,
    arguments: Sequence[str],
    collateral: Path | None,
    chain: Sequence[Path],
    given: Sequence[Path | None],
    nvattest: Path | None = None,
) -> InTee:
    """A fresh key and what the engine says of itself. ``given``: TLS files of the command line, which must be none.

    vLLM's server reads its key from a file: here from one that exists in this process's memory alone and lives on in
    the vLLM that it becomes (memfd_create(2)). Raises :class:`InputError`, and :class:`AttestationError` on a machine
    that is no TEE of this kind.
    """
    if any(given):
        raise InputError(
            "With --tee the TLS key is made in the TEE.", hint="Leave out --tls-certificate and --tls-key."
        )
    if nvattest is not None and not os.access(nvattest := nvattest.absolute(), os.X_OK):
        raise InputError("--nvattest is not a program.")
    config, files = engine_config(backend, arguments), tuple(chain)
    if backend != "vllm":
        tls, spki = enclave_tls((host,))
        tee = EngineTee(kind, config, spki, collateral, files, nvattest)
        tee.require()
        return InTee(tee, tls)
    certificate, key = self_signed((host,))
    spki = spki_sha256(ssl.PEM_cert_to_DER_cert(certificate.decode("ascii")))
    tee = EngineTee(kind, config, spki, collateral, files, nvattest)
    tee.require()
    return InTee(tee, None, _in_memory(certificate), _in_memory(key))


def _in_memory(data: bytes) -> Path:
    descriptor = os.memfd_create("tls", 0)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(data)
    os.set_inheritable(descriptor, True)
    return Path(f"/proc/self/fd/{descriptor}")
