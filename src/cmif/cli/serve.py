"""`cmif split`, `cmif serve`, `cmif gateway`: make the halves and run them."""

from __future__ import annotations

import json
import logging
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from cmif.cli.options import embedded_split, policy_of, state_dir
from cmif.errors import InputError

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)]


def split(
    model: Annotated[str, typer.Argument(help="A Hugging Face model directory or hub id.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory for the halves, OUT/client and OUT/server.")],
) -> None:
    """Split a model into a client bundle (for the enclave) and a server body (for the engine)."""
    from cmif.provider.split import split as split_model

    done = split_model(model, out)
    typer.echo(json.dumps({"client": str(done.client), "server": str(done.server), "model": done.model, "self_test": done.self_test}))


def serve(
    body: Annotated[Path | None, typer.Argument(help="The server half of a split; default: the embedded model's.")] = None,
    host: Host = "127.0.0.1",
    port: Port = 8001,
) -> None:
    """Run the engine: every layer after the embedding, from rows to a stream of token ids."""
    from cmif.engine.app import create_app

    from cmif.cli.listen import listen

    logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    listen(create_app(body or embedded_split() / "server"), host, port, {"serves": "engine"})


def gateway(
    engine: Annotated[str, typer.Option(help="The engine's URL, http(s)://host:port.")],
    bundle: Annotated[Path | None, typer.Option(help="The client half of a split; default: the embedded model's.")] = None,
    policy: Annotated[str, typer.Option(help="off, entities, sensitive, content, all, or a TOML file.")] = "sensitive",
    host: Host = "127.0.0.1",
    port: Port = 8000,
    state: Annotated[Path | None, typer.Option(help="Directory of the ledger and the memo.")] = None,
    tenants: Annotated[Path | None, typer.Option(help="TOML file of tenants and their keys' SHA-256.")] = None,
    wire: Annotated[str, typer.Option(help="Codec of the rows: bf16, int8 or fp8, each optionally +zstd.")] = "bf16+zstd",
) -> None:
    """Run the gateway: an OpenAI-compatible API that lets only embeddings of sanitised text out."""
    from cmif.cli.listen import listen
    from cmif.enclave.detect import default_detectors
    from cmif.enclave.pipeline import Pipeline
    from cmif.gateway.app import Gateway
    from cmif.gateway.bundles import open_bundle
    from cmif.gateway.store import SqliteStore
    from cmif.gateway.tenants import Tenants
    from cmif.gateway.upstream import Upstream

    logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    chosen = policy_of(policy)
    opened = open_bundle(bundle or embedded_split() / "client")
    known = Tenants.open(tenants)
    upstream = Upstream(engine, opened.manifest.model, wire)
    folder = state_dir(state)
    key = _enclave_key(folder / "enclave.key")
    store = SqliteStore(
        folder / "ledger.sqlite", tenant_budget=chosen.tenant_budget, conversation_budget=chosen.conversation_budget
    )
    pipeline = Pipeline(opened, chosen, default_detectors(), store, key)
    app = Gateway(pipeline, upstream, known, key).app()
    listen(app, host, port, {"serves": "gateway", "policy": chosen.level.value, "model": opened.manifest.name})


def _enclave_key(path: Path) -> bytes:
    """Outside a TEE the memo's key lies beside the ledger, for its user only; inside one it is sealed (`start`)."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    key = path.read_bytes()
    if len(key) != 32:
        raise InputError("The enclave key beside the ledger is damaged.", hint="Use a fresh --state directory.")
    return key
