"""`cmif ledger`: who spent what, and what is left."""

from __future__ import annotations

import csv
import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from cmif.gateway.config import read_policy


class By(StrEnum):
    """Whose accounts. A conversation's steps and a tenant's end users have opaque names."""

    TENANT = "tenant"
    USER = "user"
    NODE = "node"


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def ledger(
    state: Annotated[str | None, typer.Option(help="The gateway's --state.")] = None,
    by: Annotated[
        By, typer.Option(help="Whose accounts: of tenants, their end users, or the steps (nodes) of conversations.")
    ] = By.TENANT,
    policy: Annotated[
        str | None, typer.Option(help="The gateway's policy, to show what its budgets leave.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Show what was spent: epsilon by basic composition over the draws that were charged, the largest first."""
    from cmif.gateway.ledger import Account
    from cmif.gateway.state import default_state, look_at
    from cmif.privacy.accounting import Budget

    chosen = None if policy is None else read_policy(policy)
    budget = Budget() if chosen is None else Budget(chosen.tenant_budget, chosen.user_budget)
    store = look_at(state or default_state())
    known = {tenant.name: tenant.limits(budget) for tenant in store.tenants()}

    def left(account: Account) -> float | None:
        limits = known.get(account.tenant, budget)
        limit = {By.TENANT: limits.tenant, By.USER: limits.user}.get(by)
        return None if limit is None else max(limit - account.epsilon, 0.0)

    rows = [
        {
            "tenant": a.tenant,
            "name": a.name,
            "draws": a.draws,
            "epsilon": a.epsilon,
            "left": left(a),
        }
        for a in store.accounts(by.value)
    ]
    store.close()
    if form is Format.JSON:
        sys.stdout.write(json.dumps(rows) + "\n")
    elif form is Format.CSV:
        writer = csv.DictWriter(sys.stdout, ("tenant", "name", "draws", "epsilon", "left"))
        writer.writeheader()
        writer.writerows(rows)
    else:
        from cmif.cli.render import accounts

        accounts(rows)
