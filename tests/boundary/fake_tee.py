"""`cmif gateway` and `cmif release` over a forged vendor: the real commands, fakes where hardware would be.

``python -m tests.boundary.fake_tee gateway KIND FOLDER ARG...`` makes a vendor, leaves its roots and an appraisal
policy in FOLDER and runs the gateway with evidence from the fake interface. ``... release KIND FOLDER ARG...`` runs the
release service believing those roots. Nothing on a command line or in a policy can do either.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cmif.attest.evidence import TeeKind
from cmif.attest.prove.produce import ConfigfsTsm, Gramine, Nitro, Producer
from cmif.attest.verify import appraise
from cmif.attest.verify.dcap import IntelRoot
from cmif.attest.verify.suggest import policy_for
from cmif.cli.main import main
from cmif.gateway import serving
from tests.unit.attest.fakes import FakeGramine, FakeNsm, FakeTsm
from tests.unit.attest.forge_intel import Intel
from tests.unit.attest.forge_nitro import Aws
from tests.unit.attest.forge_snp import Amd


def vendor(kind: TeeKind) -> tuple[Producer, appraise.Roots, dict[str, Any]]:
    """A producer over a forged vendor's fake interface, the roots to believe it, and those roots as JSON."""
    match kind:
        case TeeKind.SGX:
            intel = Intel()
            gramine = FakeGramine(lambda data: intel.quote(kind, data))
            made: Producer = Gramine(intel.collateral(kind), files=gramine)
            return made, appraise.Roots(intel=intel.root), {"intel": (intel.root.der or b"").hex()}
        case TeeKind.TDX:
            intel = Intel()
            tsm = FakeTsm(lambda data: intel.quote(kind, data))
            return (
                ConfigfsTsm(kind, intel.collateral(kind), files=tsm),
                appraise.Roots(intel=intel.root),
                {"intel": (intel.root.der or b"").hex()},
            )
        case TeeKind.SNP:
            amd = Amd()
            tsm = FakeTsm(amd.report, provider=b"sev_guest\n")
            return (
                ConfigfsTsm(kind, chain=amd.chain, files=tsm),
                appraise.Roots(amd=amd.roots),
                {"amd": amd.roots},
            )
        case _:
            aws = Aws()
            return Nitro(FakeNsm(aws.document)), appraise.Roots(aws=aws.root_sha256), {"aws": aws.root_sha256}


def believed(told: dict[str, Any]) -> appraise.Roots:
    """The roots that :func:`vendor` left as JSON."""
    match told:
        case {"intel": der}:
            return appraise.Roots(intel=IntelRoot.of(bytes.fromhex(der)))
        case {"amd": roots}:
            return appraise.Roots(amd=roots)
    return appraise.Roots(aws=told["aws"])


def run() -> None:
    role, kind, folder = sys.argv[1], TeeKind(sys.argv[2]), Path(sys.argv[3])
    sys.argv = ["cmif", role, *sys.argv[4:]]
    if role == "gateway":
        made, roots, told = vendor(kind)
        claims = appraise.verify(made.produce(bytes(64)), datetime.now(UTC), roots)
        (folder / "evidence.toml").write_text(policy_for(claims), "utf-8")
        (folder / "roots.json").write_text(json.dumps(told), "utf-8")
        serving.producer = lambda *_args, **_kwargs: made
    else:
        roots = believed(json.loads((folder / "roots.json").read_text("utf-8")))
        appraise.Roots = lambda: roots  # type: ignore[assignment,misc]
    main()


if __name__ == "__main__":
    run()
