"""A program that answers as NVIDIA's `nvattest` does (nv-attestation-cli: options, output, claims 3.0), about no real GPU.

"Genuine" is here a report whose nonce is the one asked for and which ends in `SIGNED`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cmif.attest.evidence import GpuEvidence

SIGNED = b"signed"
_PROGRAM = """
import base64, copy, json, sys

assert sys.argv[1:5] == ["--format", "json", "--log-level", "off"]  # of nvattest itself, before the command
command, options = sys.argv[5], dict(zip(sys.argv[6::2], sys.argv[7::2]))
assert options["--device"] == "gpu"
nonce = options["--nonce"]
given = json.loads(GIVEN)


def cert():
    return {"x-nvidia-cert-expiration-date": "9999-12-31T23:59:59Z", "x-nvidia-cert-status": "valid",
            "x-nvidia-cert-ocsp-status": "good", "x-nvidia-cert-ocsp-nonce-matches": True,
            "x-nvidia-cert-ocsp-response-valid": True, "x-nvidia-cert-revocation-reason": None}


def claims(evidence):
    told = {"eat_nonce": nonce, "measres": "success", "secboot": True, "dbgstat": "disabled", "hwmodel": "GH100 A01 GSP BROM",
            "ueid": "1", "oemid": "5703", "x-nvidia-device-type": "gpu", "x-nvidia-mismatch-measurement-records": None,
            "x-nvidia-gpu-driver-version": evidence["driver_version"], "x-nvidia-gpu-vbios-version": evidence["vbios_version"],
            "x-nvidia-gpu-arch-check": True, "x-nvidia-gpu-vbios-index-no-conflict": True, "x-nvidia-gpu-claims-version": "3.0"}
    for what in ("parsed", "nonce-match", "signature-verified", "cert-chain-fwid-match"):
        told["x-nvidia-gpu-attestation-report-" + what] = True
    for rim in ("driver", "vbios"):
        for what in ("fetched", "version-match", "signature-verified", "measurements-available"):
            told[f"x-nvidia-gpu-{rim}-rim-{what}"] = True
        told[f"x-nvidia-gpu-{rim}-rim-cert-chain"] = cert()
    told["x-nvidia-gpu-attestation-report-cert-chain"] = cert()
    for path, value in given.get("claims", {}).items():
        *parents, last = path.split("/")
        place = told
        for key in parents:
            place = place[key]
        if value == "absent":
            del place[last]
        else:
            place[last] = value
    return told


if "print" in given:
    print(given["print"])
    sys.exit(given.get("exit", 0))
if command == "collect-evidence":
    report = bytes.fromhex("11e00100" + given.get("nonce", nonce) + "00") + given.get("ends", "signed").encode()
    entry = {"version": "1.0", "arch": "HOPPER", "nonce": report[4:36].hex(), "driver_version": "590.12",
             "vbios_version": "96.00.A5.00.01", "evidence": base64.b64encode(report).decode(),
             "certificate": base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()}
    print(json.dumps({"result_code": 0, "result_message": "Ok", "evidences": [entry] * given.get("gpus", 1)}, indent=4))
else:
    assert command == "attest" and options["--gpu-evidence-source"] == "file"
    with open(options["--gpu-evidence-file"]) as file:
        evidences = json.load(file)
    good = all(
        each["version"] == "1.0" and each["nonce"] == nonce
        and base64.b64decode(each["evidence"])[4:36].hex() == nonce and base64.b64decode(each["evidence"]).endswith(b"signed")
        for each in evidences
    )
    told = [claims(each) for each in evidences][: given.get("told")]
    print(json.dumps({"result_code": 0 if good else 13, "result_message": "", "claims": told if good else {}}, indent=4))
    sys.exit(0 if good else 13)
"""


def program(folder: Path, **given: Any) -> Path:
    """It, in ``folder``. ``claims``: of them, by path, what it says instead; ``print`` and ``exit``: all it does; of what it
    collects: ``nonce``, ``ends``, ``gpus``; ``told``: of how many GPUs it speaks."""
    path = folder / "nvattest"
    path.write_text(f"#!{sys.executable} -I\n" + _PROGRAM.replace("GIVEN", repr(json.dumps(given))), "utf-8")
    path.chmod(0o755)
    return path


def gpu(nonce: bytes) -> GpuEvidence:
    report = b"\x11\xe0\x01\x00" + nonce + b"\x00" + SIGNED
    return GpuEvidence("HOPPER", "590.12", "96.00.A5.00.01", report, b"-----BEGIN CERTIFICATE-----")


def table(verifier: Path) -> str:
    """Of a policy that accepts these GPUs."""
    return (
        f'[gpu]\nverifier = "{verifier}"\nmodel = ["GH100 A01 GSP BROM"]\ndriver = ["590.12"]\nvbios = ["96.00.A5.00.01"]\n'
    )
