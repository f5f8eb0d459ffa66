"""What `--state` names: a directory that one gateway holds, or a PostgreSQL database that several share."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from cmif.enclave.memo import MemoCipher
from cmif.enclave.policy import PrivacyPolicy
from cmif.errors import InputError
from cmif.gateway.ledger import Ledger
from cmif.gateway.store import SqliteStore
from cmif.privacy.accounting import Budget

_LEDGER, _KEY = "ledger.sqlite", "enclave.key"


def is_shared(state: str) -> bool:
    """Whether ``state`` is the URL of a database."""
    return state.startswith(("postgresql://", "postgres://"))


@contextmanager
def opened(
    state: str, policy: PrivacyPolicy, key_file: Path | None, *, in_tee: bool
) -> Generator[tuple[Ledger, bytes], None, None]:
    """The ledger of a gateway and the memo's key, for as long as the gateway runs. In a TEE it is not here: b"".

    ``key_file`` None: `enclave.key` beside the ledger, for a database in the user's own directory for state.
    Raises :class:`InputError` for a state that cannot be opened, or that is another gateway's.
    """
    budget = Budget(policy.tenant_budget, policy.user_budget, policy.conversation_budget)
    if is_shared(state):
        key = enclave_key(key_file or directory(Path(default_state())) / _KEY)
        with closing(_postgres(state, budget, terms(policy, key))) as ledger:
            yield ledger, key
        return
    folder = directory(Path(state))
    with held(folder), closing(SqliteStore(folder / _LEDGER, budget)) as ledger:
        yield ledger, b"" if in_tee else enclave_key(key_file or folder / _KEY)


def terms(policy: PrivacyPolicy, key: bytes) -> dict[str, bytes]:
    """What gateways on one database must have in common, as digests under the memo's key: who reads the database could
    try a deployment's private words against an open one.
    """
    names = MemoCipher(key)
    told = {n: sorted(v) if isinstance(v, tuple | frozenset) else v for n, v in asdict(policy).items()}
    return {
        "key": names.name(b"terms", "key"),
        "policy": names.name(b"terms", json.dumps(told, sort_keys=True)),
    }


def default_state() -> str:
    """The user's own directory for state."""
    return str(Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "cmif")


def look_at(state: str, *, make: bool = False) -> Ledger:
    """The ledger for a command beside the gateways. Raises :class:`InputError`, without ``make`` also where none is."""
    if is_shared(state):
        return _postgres(state, None, {})
    path = (directory(Path(state)) if make else Path(state)) / _LEDGER
    if not make and not path.is_file():
        raise InputError(
            "There is no ledger in that state directory.", hint="Give the gateway's own --state."
        )
    return SqliteStore(path)


def _postgres(url: str, budget: Budget | None, terms: Mapping[str, bytes]) -> Ledger:
    try:
        from cmif.gateway.postgres import PostgresStore
    except ImportError:
        raise InputError(
            "--state postgresql:// needs psycopg, which is not installed.",
            hint="In CMIF's repository: pip install '.[postgres]'",
        ) from None
    return PostgresStore(url, budget, terms)


def directory(path: Path) -> Path:
    """``path``, made for its user only if it is not there. Raises :class:`InputError`."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InputError(f"The state directory cannot be made ({error.strerror}).", hint=_WRITABLE) from None
    return path


@contextmanager
def held(folder: Path) -> Generator[None, None, None]:
    """Keep other gateways off ``folder`` until the block, or the process, ends. Raises :class:`InputError` if one is
    there.
    """
    try:
        file = os.open(folder / "gateway.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InputError(
            f"The state directory cannot be written ({error.strerror}).", hint=_WRITABLE
        ) from None
    try:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # flock is no system call that Gramine has
        except (BlockingIOError, PermissionError):
            raise InputError(
                "Another gateway uses this state directory.",
                hint="Stop it first; several gateways share a --state postgresql://...",
            ) from None
        yield
    finally:
        os.close(file)


def enclave_key(path: Path) -> bytes:
    """The memo's key outside a TEE, 32 bytes made at the first start, for its user only. Raises :class:`InputError`."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    except OSError as error:
        raise InputError(f"The enclave key cannot be made ({error.strerror}).", hint=_WRITABLE) from None
    try:
        key = path.read_bytes()
    except OSError as error:
        raise InputError(f"The enclave key cannot be read ({error.strerror}).") from None
    if len(key) != 32:
        raise InputError("The enclave key is damaged.", hint="Use its backup, or a fresh state and key.")
    return key


_WRITABLE = "Give a directory that this user may write."
