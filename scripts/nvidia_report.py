"""The part of `nvattest attest` that needs no server, done by NVIDIA's Python verifier: is this a genuine GPU's report?

Parsed, the firmware's id that of the certificate, the chain up to NVIDIA's root, the versions, our nonce, the
signature: each by the verifier's own functions. What it would ask NVIDIA for, reference measurements (RIM) and
revocation (OCSP), is missing from the claims, so a policy that wants them refuses. It runs where
`scripts/install-nvidia-verifier` puts it.
"""

import argparse
import base64
import contextlib
import json
import logging
import sys
import warnings

logging.disable(logging.CRITICAL)  # the verifier writes to standard output, which is ours
warnings.simplefilter("ignore")

# ruff: noqa: E402
from verifier.attestation import AttestationReport
from verifier.cc_admin_utils import CcAdminUtils
from verifier.config import BaseSettings, BlackwellSettings, HopperSettings
from verifier.nvml.gpu_cert_chains import GpuCertificateChains
from verifier.nvml.test_handle import TestHandle
from verifier.utils.claims_utils import ClaimsUtils

SETTINGS = {"HOPPER": HopperSettings, "BLACKWELL": BlackwellSettings}


def claims_of(evidence: dict[str, str], nonce: str) -> dict[str, object]:
    """Claims of version 3.0. Raises where NVIDIA's functions do, or say no."""
    settings = SETTINGS[evidence["arch"]]()
    settings.mark_gpu_arch_is_correct()
    report = AttestationReport(base64.b64decode(evidence["evidence"]), settings)
    settings.mark_attestation_report_parsed()
    opaque = report.get_response_message().get_opaque_data()
    # This class puts NVIDIA's root, which comes with the verifier, in the place of the chain's last certificate.
    chain = GpuCertificateChains(TestHandle(base64.b64decode(evidence["certificate"]))).GpuAttestationCertificateChain
    fwid = opaque.get_data("OPAQUE_FIELD_ID_FWID").hex()
    genuine, _, expires = CcAdminUtils.verify_gpu_certificate_chain(chain, settings, fwid)
    if genuine is not True:
        raise ValueError("certificate chain")
    settings.mark_gpu_attestation_report_cert_expiration_date(expires)
    settings.mark_gpu_attestation_report_cert_status(BaseSettings.Status.VALID.value)
    driver, vbios = evidence["driver_version"], evidence["vbios_version"].lower()
    if not CcAdminUtils.verify_attestation_report(report, chain[0], bytes.fromhex(nonce), driver, vbios, settings):
        raise ValueError("signature")
    settings.mark_gpu_driver_version(driver)
    settings.mark_gpu_vbios_version(vbios)
    told = {"eat_nonce": nonce, "x-nvidia-device-type": "gpu", "hwmodel": chain[1].get_subject().CN}
    return {**ClaimsUtils.get_current_gpu_claims(settings), **told}


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("command", choices=["attest"])
    for name, allowed in {"format": "json", "log-level": "off", "device": "gpu", "gpu-evidence-source": "file"}.items():
        asked.add_argument(f"--{name}", choices=[allowed], required=True)
    asked.add_argument("--gpu-evidence-file", required=True)
    asked.add_argument("--nonce", required=True)
    options = asked.parse_args()
    BaseSettings.CLAIMS_VERSION = "3.0"
    result, message, claims = 0, "Ok", []
    try:
        with open(options.gpu_evidence_file, encoding="ascii") as file, contextlib.redirect_stdout(sys.stderr):
            claims = [claims_of(evidence, options.nonce) for evidence in json.load(file)]
    except Exception as error:  # its functions raise many kinds on evidence that is not genuine
        result, message, claims = 1, type(error).__name__, []
    print(json.dumps({"result_code": result, "result_message": message, "claims": claims}))
    return result


if __name__ == "__main__":
    sys.exit(main())
