"""What a gateway keeps beside the memo: who spent what, and whose keys count. `store.py` and `postgres.py` have it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Protocol

from cmif.enclave.memo import Store
from cmif.errors import InputError
from cmif.privacy.accounting import Budget

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Account:
    """What one account has spent: ``epsilon`` by basic composition over ``draws`` draws of the mechanism.

    ``kind`` is "tenant", "user" or "node" (one step of a conversation); ``name`` is opaque, "" for a tenant's own.
    """

    tenant: str
    kind: str
    name: str
    draws: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Tenant:
    """``keys`` are the SHA-256 of its keys, hex; ``budget`` and ``user_budget`` epsilons, None is the policy's own."""

    name: str
    keys: tuple[str, ...] = ()
    budget: float | None = None
    user_budget: float | None = None

    def __post_init__(self) -> None:
        """Raises :class:`InputError`: names become labels of metrics and words of logs."""
        if not _NAME.fullmatch(self.name):
            raise InputError("A tenant's name is 1 to 64 letters, digits, '_', '.' or '-'.")

    def limits(self, policy: Budget) -> Budget:
        """The policy's budgets with this tenant's own in their place."""
        return replace(
            policy,
            tenant=policy.tenant if self.budget is None else self.budget,
            user=policy.user if self.user_budget is None else self.user_budget,
        )


class Ledger(Store, Protocol):
    """The memo's store with its accounts and tenants. Every method raises :class:`LedgerError` if the storage fails."""

    budget: Budget
    """What a tenant without budgets of its own may spend."""

    def accounts(self, kind: str) -> list[Account]:
        """Every account of a kind, the largest first."""
        ...

    def tenants(self) -> list[Tenant]:
        """Those that were ever added, by name; one whose keys are all revoked has none."""
        ...

    def tenant_of(self, digest: str) -> str | None:
        """Whose key has this SHA-256 (hex), as of the last committed change by any process."""
        ...

    def add_key(self, tenant: Tenant) -> None:
        """Remember the tenant's keys beside those it has, and its budgets where they are given."""
        ...

    def revoke(self, name: str, key: str) -> int:
        """Forget the tenant's keys whose digest begins with ``key``; returns how many. What it spent stays spent."""
        ...

    def close(self) -> None: ...


def budgets_left(ledger: Ledger) -> dict[str, float]:
    """Epsilon that each tenant with a bound may still spend, by name; one that never spent or was added is left out."""
    known = {tenant.name: tenant for tenant in ledger.tenants()}
    spent = {account.tenant: account.epsilon for account in ledger.accounts("tenant")}
    left = {}
    for name in known.keys() | spent.keys():
        limit = known[name].limits(ledger.budget).tenant if name in known else ledger.budget.tenant
        if limit is not None:
            left[name] = max(limit - spent.get(name, 0.0), 0.0)
    return left
