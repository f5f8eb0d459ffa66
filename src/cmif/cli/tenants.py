"""`cmif tenants`: whose keys a gateway with `--tenants state` takes, and what each may spend."""

from __future__ import annotations

import json
import secrets
import sys
from typing import Annotated

import typer

from cmif.errors import InputError

app = typer.Typer(help="Add, list and revoke the tenants of a gateway's state.", no_args_is_help=True)

State = Annotated[str | None, typer.Option(help="The gateway's --state.")]
Name = Annotated[str, typer.Argument(help="Letters, digits, '_', '.' and '-'.")]
Epsilon = Annotated[float | None, typer.Option(min=0.0, help="Epsilon in all; default: the policy's.")]
OfUser = Annotated[
    float | None, typer.Option(min=0.0, help="Epsilon of each of its end users; default: the policy's.")
]

_SHOWN = 12
"""Hexadecimal digits of a key's SHA-256 that `list` shows and `revoke` takes."""


@app.command()
def add(name: Name, budget: Epsilon = None, user_budget: OfUser = None, state: State = None) -> None:
    """Make a key for a tenant, new or known, and print it: only its SHA-256 is kept. Budgets given replace its own."""
    from cmif.gateway.ledger import Tenant
    from cmif.gateway.state import default_state, look_at
    from cmif.gateway.tenants import sha256

    key = f"cmif-{secrets.token_urlsafe(32)}"
    tenant = Tenant(name, (sha256(key),), budget, user_budget)
    ledger = look_at(state or default_state(), make=True)
    ledger.add_key(tenant)
    ledger.close()
    typer.echo("This key is shown once:", err=True)
    typer.echo(key)


@app.command(name="list")
def list_(
    state: State = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Every tenant that was ever added: its keys, by the first digits of their SHA-256, its budgets, what it spent."""
    from cmif.gateway.state import default_state, look_at

    ledger = look_at(state or default_state())
    spent = {account.tenant: account.epsilon for account in ledger.accounts("tenant")}
    rows = [
        {
            "tenant": tenant.name,
            "keys": [digest[:_SHOWN] for digest in tenant.keys],
            "budget": tenant.budget,
            "user_budget": tenant.user_budget,
            "spent": spent.get(tenant.name, 0.0),
        }
        for tenant in ledger.tenants()
    ]
    ledger.close()
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    from cmif.cli.render import tenants

    tenants(rows)


@app.command()
def revoke(
    name: Name,
    key: Annotated[str, typer.Option(help="Only the key whose SHA-256 begins so (see list).")] = "",
    state: State = None,
) -> None:
    """Refuse a tenant's keys from the next request on, in every gateway on this state. What it spent stays spent."""
    from cmif.gateway.state import default_state, look_at

    ledger = look_at(state or default_state())
    gone = ledger.revoke(name, key.lower())
    ledger.close()
    if not gone:
        raise InputError("That tenant has no such key.", hint="See `cmif tenants list`.")
    typer.echo(f"{gone} revoked")
