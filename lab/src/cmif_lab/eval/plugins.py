"""Mechanisms, attacks and tasks of other packages, by entry point. Each is loaded only when it is asked for by name.

============================ =============================================================================
group                        what the entry point names
============================ =============================================================================
`cmif_lab.mechanisms`        ``(space, epsilon) -> Mechanism``, as the peers are built (`peers.Space`)
`cmif_lab.attacks`           ``(observed, likelihoods) -> posteriors``, as `attacks.unigram`
`cmif_lab.tasks`             ``(data) -> Task``; ``data`` is the folder given with ``--data``, or None
============================ =============================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cmif.errors import InputError

if TYPE_CHECKING:
    from cmif_lab.eval.attacks import Attack
    from cmif_lab.eval.mechanism import Mechanism
    from cmif_lab.eval.peers import Space
    from cmif_lab.eval.tasks import Task

MECHANISMS, ATTACKS, TASKS = "cmif_lab.mechanisms", "cmif_lab.attacks", "cmif_lab.tasks"


def names(group: str) -> tuple[str, ...]:
    """What is installed under ``group``, sorted. Nothing is imported."""
    return tuple(sorted({point.name for point in entry_points(group=group)}))


def mechanism(name: str) -> Callable[[Space, float], Mechanism]:
    return cast("Callable[[Space, float], Mechanism]", _load(MECHANISMS, name))


def attack(name: str) -> Attack:
    return cast("Attack", _load(ATTACKS, name))


def task(name: str) -> Callable[[Path | None], Task]:
    return cast("Callable[[Path | None], Task]", _load(TASKS, name))


def _load(group: str, name: str) -> Any:
    """InputError when ``name`` is not installed or cannot be imported."""
    points = entry_points(group=group, name=name)
    what = group.removeprefix("cmif_lab.").removesuffix("s")
    if not points:
        raise InputError(f"Unknown {what} {name!r}.", hint=f"Installed: {', '.join(names(group)) or 'none'}.")
    try:
        return next(iter(points)).load()
    except Exception as error:
        raise InputError(f"The {what} {name!r} could not be loaded ({type(error).__name__}).") from error
