"""`cmif attest`: appraise evidence, write a policy from it, check a running gateway."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cmif.attest.evidence import Evidence, TeeKind
from cmif.cli.asking import get, statement
from cmif.errors import AttestationError, InputError

if TYPE_CHECKING:
    from cmif.attest.verify.policy import AppraisalPolicy

app = typer.Typer(
    help="Verify TEE evidence against a policy, and check a running gateway.",
    no_args_is_help=True,
    add_completion=False,
)

Kind = Annotated[TeeKind, typer.Option(help="What the evidence is.")]
EvidenceFile = Annotated[
    Path, typer.Option("--evidence", help="Quote, report or document; .hex files are read as hex.")
]
Collateral = Annotated[Path | None, typer.Option(help="Intel's signed collateral (JSON), for sgx and tdx.")]
Chain = Annotated[
    list[Path] | None, typer.Option(help="Certificates, PEM or DER: ARK, ASK, VCEK or VLEK for snp.")
]
MoreChain = Annotated[
    list[Path] | None, typer.Argument(metavar="[CHAIN]...", help="Further certificates after --chain.")
]
PolicyFile = Annotated[Path, typer.Option("--policy", help="The policy (TOML).")]
At = Annotated[str | None, typer.Option(help="Time of the verdict, ISO 8601; default: now.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AllowSimulated = Annotated[
    bool,
    typer.Option(
        "--allow-simulated", help="Development: let a policy that names the simulated TEE accept it."
    ),
]


@app.command()
def appraise(
    kind: Kind,
    evidence: EvidenceFile,
    policy: PolicyFile,
    collateral: Collateral = None,
    chain: Chain = None,
    more: MoreChain = None,
    at: At = None,
    as_json: Json = False,
    allow_simulated: AllowSimulated = False,
) -> None:
    """Accept or refuse evidence under a policy; exit status 1 when refused."""
    from cmif.attest.verify.appraise import Appraisal
    from cmif.attest.verify.appraise import appraise as appraise_evidence

    given = _evidence(kind, evidence, collateral, chain, more)
    try:
        verdict = appraise_evidence(given, _policy(policy), _time(at), allow_simulated=allow_simulated)
    except AttestationError as refusal:  # a policy that cannot be read refuses everything
        verdict = Appraisal(False, refusal.record(), None)
    record = verdict.as_json()
    if as_json:
        typer.echo(json.dumps(record))
    else:
        _print(record)
    raise typer.Exit(0 if verdict.accepted else 1)


@app.command("policy-for")
def policy_for(
    kind: Kind,
    evidence: EvidenceFile,
    collateral: Collateral = None,
    chain: Chain = None,
    more: MoreChain = None,
    at: At = None,
) -> None:
    """Print the policy that pins exactly what this evidence shows; fill in the reason of every widening."""
    from cmif.attest.verify.appraise import verify as verify_evidence
    from cmif.attest.verify.suggest import policy_for as suggest

    claims = verify_evidence(_evidence(kind, evidence, collateral, chain, more), _time(at))
    typer.echo(suggest(claims), nl=False)


@app.command()
def verify(
    url: Annotated[str, typer.Argument(help="The gateway, http(s)://host:port.")],
    policy: PolicyFile,
    as_json: Json = False,
    allow_simulated: AllowSimulated = False,
    save_certificate: Annotated[
        Path | None,
        typer.Option(
            help="Where the checked gateway's TLS certificate (PEM) is written, for clients to trust."
        ),
    ] = None,
) -> None:
    """Check a running gateway: a fresh nonce, its evidence, your policy. Exit status 1 when refused."""
    import ssl

    record, der = _checked(url, policy, allow_simulated)
    if save_certificate and der and record["accepted"]:
        save_certificate.write_text(ssl.DER_cert_to_PEM_cert(der), "ascii")
    if as_json:
        typer.echo(json.dumps(record))
    else:
        _print(record)
    raise typer.Exit(0 if record["accepted"] else 1)


@app.command()
def page(
    url: Annotated[str, typer.Argument(help="The gateway, http(s)://host:port.")],
    policy: PolicyFile,
    port: Annotated[
        int, typer.Option(help="Port on this machine; 0 picks a free one.", min=0, max=65535)
    ] = 0,
    allow_simulated: AllowSimulated = False,
) -> None:
    """Show what `verify` says of a running gateway on a page of this machine, checked anew at each visit."""
    from cmif.cli.attest_page import Seen, attest_page
    from cmif.listen import bind, run

    def look() -> Seen:
        try:
            record, der = _checked(url, policy, allow_simulated)
            if not record["accepted"]:
                return Seen(record, None)
            _, told, other = get(url, "/readyz")
        except AttestationError as refusal:
            return Seen({"accepted": False, "reason": refusal.record()}, None)
        reasons = told.get("reasons") if isinstance(told, dict) and other == der else None
        return Seen(record, tuple(map(str, reasons)) if isinstance(reasons, list) else None)

    _policy(policy)
    run(attest_page(url, policy.name, look), bind("127.0.0.1", port), {"serves": "attestation page", "of": url})


def _checked(url: str, policy: Path, allow_simulated: bool) -> tuple[dict[str, Any], bytes | None]:
    """The verdict of a check with a fresh nonce, and the certificate that the connection ended at. No answer and no
    statement are refusals too.
    """
    from cmif.attest.messages import NONCE_BYTES
    from cmif.attest.spki import spki_sha256
    from cmif.attest.verify.statement import require_statement

    nonce, der = os.urandom(NONCE_BYTES), None
    try:
        told, der = statement(url, nonce)
        spki = spki_sha256(der) if der else None
        claims, subject = require_statement(
            told, nonce, _policy(policy), datetime.now(UTC), tls_spki=spki, allow_simulated=allow_simulated
        )
    except AttestationError as refusal:
        record: dict[str, Any] = {"accepted": False, "reason": refusal.record()}
    else:
        record = {
            "accepted": True,
            "reason": None,
            "tee": str(claims.kind),
            "measurement": claims.measurement,
            "platform": claims.platform,
            "tcb_status": claims.tcb_status,
            "advisories": list(claims.advisories),
            "config_digest": subject.config,
            "bundle": subject.bundle,
            "tls_spki": subject.tls_spki,
            "channel": "bound to the TEE"
            if der
            else "NOT BOUND: no TLS, anyone on the way can read and change",
        }
    return record, der


@app.command("config-digest")
def config_digest(
    provider_key: Annotated[
        Path, typer.Option(help="The provider's public key that the gateway runs with, KEY.pub.")
    ],
    policy: Annotated[
        str, typer.Option(help="The gateway's privacy policy: a level or a TOML file.")
    ] = "sensitive",
    wire: Annotated[str, typer.Option(help="The gateway's codec of the rows.")] = "bf16+zstd",
    oblivious: Annotated[
        bool, typer.Option("--oblivious", help="The gateway runs with --oblivious.")
    ] = False,
    tenants: Annotated[bool, typer.Option("--tenants", help="The gateway runs with --tenants.")] = False,
    engine_policy: Annotated[
        Path | None, typer.Option(help="The gateway's --engine-policy: every byte of the file counts.")
    ] = None,
    allow_simulated: Annotated[
        bool, typer.Option("--allow-simulated", help="The gateway runs with --allow-simulated.")
    ] = False,
) -> None:
    """Print the digest of a gateway's settings, for `config_digests` in appraisal policies."""
    from cmif.gateway.config import Protection, read_engine_policy, read_policy, read_provider_key

    if allow_simulated and engine_policy is None:
        raise InputError("--allow-simulated is for --engine-policy.")
    engine = None if engine_policy is None else read_engine_policy(engine_policy)
    key = read_provider_key(provider_key)
    asked = Protection(read_policy(policy), key, wire, oblivious, tenants, engine, allow_simulated)
    typer.echo(asked.digest().hex())


@app.command("engine-digest")
def engine_digest(
    vllm_arguments: Annotated[
        list[str] | None, typer.Argument(help="With vLLM, after `--`: the arguments that it is given.")
    ] = None,
    backend: Annotated[str, typer.Option(help="The engine's backend.")] = "transformers",
) -> None:
    """Print the digest of an engine's settings (`cmif serve --tee`), for `config_digests` in `--engine-policy`."""
    from cmif.attest.subject import engine_config

    typer.echo(engine_config(backend, vllm_arguments or ()).hex())


@app.command()
def spki(certificate: Annotated[Path, typer.Argument(help="A certificate, PEM or DER.")]) -> None:
    """Print the SHA-256 of a certificate's public key, as grants and statements pin it."""
    from cryptography.hazmat.primitives.serialization import Encoding

    from cmif.attest.spki import spki_sha256
    from cmif.attest.verify.chain import load_certificates

    typer.echo(spki_sha256(load_certificates([_read(certificate)])[0].public_bytes(Encoding.DER)))


def _evidence(
    kind: TeeKind, path: Path, collateral: Path | None, chain: list[Path] | None, more: list[Path] | None
) -> Evidence:
    data = _read(path)
    if path.suffix == ".hex":
        try:
            data = bytes.fromhex(data.decode("ascii"))
        except ValueError:
            raise InputError("The evidence file ends in .hex but is not hexadecimal.") from None
    files = tuple(_read(entry) for entry in [*(chain or []), *(more or [])])
    return Evidence(kind, data, _read(collateral) if collateral else b"", files)


def _policy(path: Path) -> AppraisalPolicy:
    from cmif.attest.verify.policy import AppraisalPolicy

    data = _read(path)
    try:
        return AppraisalPolicy.parse(data.decode("utf-8"))
    except (UnicodeDecodeError, InputError) as error:
        seen = error.message if isinstance(error, InputError) else "not UTF-8 text"
        raise AttestationError(
            f"The policy cannot be used: {seen}", check="policy", expected="a usable policy", seen=seen
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise InputError(f"{path.name} is not readable.") from None


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError("--at is not an ISO 8601 time, such as 2026-01-31T12:00:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print(record: dict[str, Any]) -> None:
    from cmif.attest.simulated import LABEL

    typer.echo("accepted" if record["accepted"] else "REFUSED")
    if LABEL in (record.get("platform"), record.get("tcb_status")):
        typer.echo(f"  {LABEL}")
    reason = record["reason"]
    if reason:
        typer.echo(f"  {reason['message']}")
        for key in ("check", "expected", "seen"):
            typer.echo(f"  {key}: {json.dumps(reason[key])}")
    for key, value in record.items():
        if key not in ("accepted", "reason") and value not in (None, [], ""):
            typer.echo(f"  {key}: {value if isinstance(value, str) else json.dumps(value)}")
