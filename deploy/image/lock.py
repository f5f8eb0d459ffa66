"""Write requirements.txt: every wheel of the image with its version and hash.

`python deploy/image/lock.py [REQUIREMENT...]`, then review it. A requirement is what an image needs beyond the
gateway's own, as `dcap-qvl` for an engine in an Intel TEE.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parents[1]
PLATFORMS = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def main() -> None:
    wanted = tomllib.loads((SOURCE / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
                "--only-binary", ":all:",
                "--python-version", "3.13", *(word for name in PLATFORMS for word in ("--platform", name)),
                "--target", folder, "--report", str(report), "-c", str(SOURCE / "constraints.txt"),
                *wanted, *sys.argv[1:],
            ],
            check=True,
        )  # fmt: skip
        found = json.loads(report.read_text("utf-8"))["install"]
    lines = sorted(
        f"{one['metadata']['name'].lower()}=={one['metadata']['version']} "
        f"--hash=sha256:{one['download_info']['archive_info']['hashes']['sha256']}"
        for one in found
    )
    (HERE / "requirements.txt").write_text(
        "# The image's wheels for CPython 3.13, written by lock.py.\n" + "\n".join(lines) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main()
