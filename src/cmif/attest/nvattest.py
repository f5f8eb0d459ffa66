"""NVIDIA's `nvattest`, or a program that answers as it does, as a process of its own: NVIDIA's code is not imported.

The interface is that of github.com/NVIDIA/attestation-sdk at 443b9e3, `nv-attestation-cli`: one JSON object on standard
output, with ``result_code``.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cmif.attest.evidence import GpuEvidence
from cmif.errors import AttestationError

TIMEOUT_S = 30.0
_MAX_OUTPUT_BYTES = 4 << 20
_EVIDENCE = "evidence.json"


def run(program: Path, command: str, nonce: bytes, gpus: Sequence[GpuEvidence] = ()) -> dict[str, Any]:
    """What ``program`` prints for ``command`` about GPUs over ``nonce`` (32 bytes), about ``gpus`` if there are any.

    It gets a directory of its own and nothing of our environment but the path; one that needs more (a proxy, a library)
    is wrapped in a script. Raises :class:`AttestationError`, check ``gpu_verifier``: not there, late, its result not 0.
    """
    line = [str(program), "--format", "json", "--log-level", "off", command, "--device", "gpu", "--nonce", nonce.hex()]
    if gpus:
        line += ["--gpu-evidence-source", "file", "--gpu-evidence-file", _EVIDENCE]
    with tempfile.TemporaryDirectory(prefix="cmif-gpu-") as folder:
        Path(folder, _EVIDENCE).write_text(json.dumps([gpu.told() for gpu in gpus]), "ascii")
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": folder}
        try:
            done = subprocess.run(
                line,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _failed(f"no answer in {TIMEOUT_S:g} s") from None
        except OSError:
            raise _failed("the program does not start") from None
    try:
        told = json.loads(done.stdout) if len(done.stdout) <= _MAX_OUTPUT_BYTES else None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or type(code := told.get("result_code")) is not int:
        raise _failed(f"exit status {done.returncode}, no result")
    if code != 0 or done.returncode != 0:
        raise _failed(f"result code {code}, exit status {done.returncode}")
    return told


def _failed(seen: str) -> AttestationError:
    message = "NVIDIA's program gives no good result."
    return AttestationError(message, check="gpu_verifier", expected="result code 0", seen=seen)
