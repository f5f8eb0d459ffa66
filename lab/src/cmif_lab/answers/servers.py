"""The endpoints that are asked: running ones by their URLs, or an engine and a gateway a policy, started here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cmif.errors import InputError
from cmif_lab.answers.collect import AGAIN, MASKED, NOTHING, OFF
from cmif_server.cli.processes import server


def parse(given: Sequence[str]) -> dict[str, str]:
    """Name -> URL from NAME=URL, without a closing slash or `/v1`. Raises InputError."""
    urls: dict[str, str] = {}
    for entry in given:
        name, equals, url = entry.partition("=")
        if not equals or not name or not url.startswith(("http://", "https://")):
            raise InputError("--base-url takes NAME=URL, such as off=http://127.0.0.1:8000.")
        if name in urls or name in (MASKED, NOTHING, AGAIN):
            raise InputError(f"--base-url names {name!r} twice, or a column that is always there.")
        urls[name] = url.rstrip("/").removesuffix("/v1")
    return _with_off(urls)


def _with_off(named: dict[str, str]) -> dict[str, str]:
    if OFF not in named:
        raise InputError(f"One endpoint must be the unprotected one, named {OFF!r}.")
    return {OFF: named[OFF], **named}


@contextmanager
def started(split: Path, policies: Sequence[str], log: Path) -> Iterator[dict[str, str]]:
    """One engine on ``split`` and one gateway for each policy (a name or a TOML file), until the block ends.

    What they say goes to ``log``. Raises InputError, and CmifError if one does not start.
    """
    with tempfile.TemporaryDirectory(prefix="cmif-answers-") as state, ExitStack() as running:
        _with_off(dict.fromkeys(policies, ""))
        log.parent.mkdir(parents=True, exist_ok=True)
        file = running.enter_context(log.open("wb"))
        engine = running.enter_context(server("serve", str(split / "server"), "--port", "0", log=file))
        urls = {}
        for number, policy in enumerate(policies):
            fixed = ("--bundle", str(split / "client"), "--engine", engine["url"], "--port", "0")
            ledger = ("--state", f"{state}/{number}")
            told = running.enter_context(server("gateway", *fixed, "--policy", policy, *ledger, log=file))
            urls[Path(policy).stem if policy.endswith(".toml") else policy] = told["url"]
        yield _with_off(urls)
