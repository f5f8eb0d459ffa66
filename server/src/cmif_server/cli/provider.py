"""`cmif seal` and `cmif release`: encrypt a client bundle, and give its key to attested enclaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cmif.cli.options import CertificateFile, Host, KeyFile, Port
from cmif.errors import InputError
from cmif.gateway.logs import configure


def seal(
    client: Annotated[Path, typer.Argument(help="The client half of a split.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New directory for the sealed bundle.")],
    key: Annotated[Path, typer.Option(help="File for the content key; created, never overwritten.")],
    epoch: Annotated[int, typer.Option(help="Key epoch: one more at each rotation.", min=1)] = 1,
) -> None:
    """Encrypt a client bundle so that only attested enclaves read it. The key stays with you."""
    from cmif_server.provider.seal import seal as seal_bundle
    from cmif_server.provider.seal import write_new_key

    header = seal_bundle(client, out, write_new_key(key), epoch)
    typer.echo(
        json.dumps(
            {"sealed": str(out), "bundle": header.bundle, "epoch": header.epoch, "digest": header.digest}
        )
    )


def release(
    sealed: Annotated[Path, typer.Argument(help="The sealed bundle whose key is offered.")],
    key: Annotated[Path, typer.Option(help="Its content key, from `cmif seal`.")],
    signing_key: Annotated[
        Path, typer.Option(help="The provider's Ed25519 key; made if missing, with KEY.pub beside it.")
    ],
    policy: Annotated[Path, typer.Option(help="The appraisal policy (TOML): who may have the key.")],
    record: Annotated[Path, typer.Option(help="The append-only record of every decision.")],
    engine_spki: Annotated[
        list[str] | None,
        typer.Option(
            help="SHA-256 (hex) of an engine's TLS public key; repeatable. None: for gateways with an --engine-policy."
        ),
    ] = None,
    deny: Annotated[Path | None, typer.Option(help="Deny-list: one revoked identity a line.")] = None,
    lease_s: Annotated[int, typer.Option(help="Seconds until a gateway must attest again.", min=1)] = 3600,
    max_eps_in: Annotated[float, typer.Option(help="The weakest table a gateway may use.", min=0)] = 2.0,
    min_k: Annotated[int, typer.Option(help="The smallest bucket a table may have.", min=1)] = 1,
    requests_per_minute: Annotated[
        int, typer.Option(help="Bound for the whole gateway; 0: none.", min=0)
    ] = 0,
    allow_simulated: Annotated[
        bool,
        typer.Option(
            "--allow-simulated", help="Development: let a policy that names the simulated TEE accept it."
        ),
    ] = False,
    host: Host = "127.0.0.1",
    port: Port = 8002,
    tls_certificate: CertificateFile = None,
    tls_key: KeyFile = None,
) -> None:
    """Release the bundle's key to enclaves that prove, by fresh evidence, that the policy accepts them."""
    from cmif.attest.messages import Grant
    from cmif.attest.sealed import SealedHeader
    from cmif.attest.simulated import LABEL
    from cmif.attest.verify.policy import AppraisalPolicy
    from cmif.listen import bind, run, tls_from_files
    from cmif_server.provider.record import Record
    from cmif_server.provider.release import DenyList, Offer, Releaser, Rules
    from cmif_server.provider.release import signing_key as open_signing_key
    from cmif_server.provider.release_app import release_app
    from cmif_server.provider.seal import read_key

    configure()
    pins = tuple(pin.lower() for pin in engine_spki or ())
    if any(len(pin) != 64 or set(pin) - set("0123456789abcdef") for pin in pins):
        raise InputError(
            "--engine-spki is not 32 bytes in hexadecimal.", hint="`cmif attest spki CERT` prints it."
        )
    try:
        rules = Rules(AppraisalPolicy.parse(policy.read_text("utf-8")), allow_simulated)
    except (OSError, UnicodeDecodeError):
        raise InputError("The policy file is not readable.") from None
    header = SealedHeader.read(sealed)
    terms = Grant(header.bundle, header.epoch, 0, lease_s, pins, max_eps_in, min_k, requests_per_minute)
    releaser = Releaser(
        open_signing_key(signing_key),
        {header.bundle: Offer(read_key(key), terms)},
        rules,
        Record(record),
        DenyList(deny),
    )
    told = {"serves": "release", "bundle": header.bundle, "provider": releaser.public.hex()}
    if allow_simulated:
        told["warning"] = LABEL
    tls = tls_from_files(tls_certificate, tls_key)
    run(release_app(releaser), bind(host, port), told, tls=tls)
