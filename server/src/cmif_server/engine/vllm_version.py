"""Which builds of vLLM may serve."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

from cmif.errors import InputError

OLDEST = "0.33"
TEST_BUILD = "CMIF_VLLM_TEST_BUILD"
"""Set to 1, this environment variable lets an older build serve, if it is a CPU build: for tests on loopback."""


def require_vllm() -> str:
    """The installed vLLM's version, such as "0.33.1" or "0.32.0+cpu".

    Raises :class:`InputError` where there is none, and for one below :data:`OLDEST`, the first release without a known
    vulnerability on the path that embeddings take (`docs/vllm.md` lists the advisories).
    """
    from packaging.version import Version

    try:
        installed = Version(version("vllm"))
    except PackageNotFoundError:
        raise InputError(
            "vLLM is not installed in this environment.", hint=f"Install vllm>={OLDEST} beside cmif."
        ) from None
    for_tests = os.environ.get(TEST_BUILD) == "1" and is_cpu_build(str(installed))
    if installed < Version(OLDEST) and not for_tests:
        raise InputError(
            f"vLLM {installed} has known vulnerabilities, which its releases from {OLDEST} on fix.",
            hint=f"Install vllm>={OLDEST}.",
        )
    return str(installed)


def is_cpu_build(installed: str) -> bool:
    """Whether a version names a build for CPUs, as "0.32.0+cpu" does."""
    return "cpu" in installed.partition("+")[2]
