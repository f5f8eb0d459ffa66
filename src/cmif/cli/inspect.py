"""`cmif inspect`: see what the engine would see."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cmif.cli.options import BundleFolder, PrivacyLevel, default_split
from cmif.errors import InputError


def inspect(
    text: Annotated[
        str | None, typer.Argument(help="The text, or - for standard input; or use --jsonl or --chat.")
    ] = None,
    bundle: BundleFolder = None,
    policy: PrivacyLevel = "sensitive",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    jsonl: Annotated[
        Path | None, typer.Option(help='A file of lines {"text": ...}; prints one JSON line each.')
    ] = None,
    chat: Annotated[
        Path | None,
        typer.Option(
            help='A file {"messages": [...], "tools": [...]}: the whole conversation as it would be sent.'
        ),
    ] = None,
) -> None:
    """Show what the engine would see of a text, token by token, and what it would cost. Nothing is sent or charged."""
    from cmif.enclave.inspect import inspect as look
    from cmif.enclave.policy import detectors_for
    from cmif.gateway.bundles import open_bundle
    from cmif.gateway.config import read_policy

    if sum(given is not None for given in (text, jsonl, chat)) != 1:
        raise InputError("Give one of TEXT, --jsonl FILE and --chat FILE.")
    chosen = read_policy(policy)
    requests = _requests(text, jsonl, chat)
    table = open_bundle(bundle or default_split("client") / "client").table
    detectors = detectors_for(chosen)
    for request in requests:
        seen = look(request, chosen, detectors, table)
        if as_json or jsonl is not None:
            sys.stdout.write(json.dumps(seen.as_json(), ensure_ascii=False) + "\n")
        else:
            from cmif.cli.render import inspection

            inspection(seen, chosen, detectors, table)


def _requests(text: str | None, jsonl: Path | None, chat: Path | None) -> list[dict[str, Any]]:
    if jsonl is not None:
        return [{"prompt": line} for line in _lines(jsonl)]
    if chat is None:
        return [{"prompt": sys.stdin.read() if text == "-" else text}]
    try:
        body = json.loads(chat.read_text("utf-8"))
        return [
            {
                key: body[key]
                for key in ("messages", "tools")
                if body.get(key) is not None or key == "messages"
            }
        ]
    except OSError as error:
        raise InputError(f"{chat.name} cannot be read ({error.strerror}).") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f'{chat.name} must hold one JSON object {{"messages": [...]}}, in UTF-8.') from None


def _lines(path: Path) -> Iterator[str]:
    """Every line is checked before the first is printed, so that bad input prints nothing."""
    try:
        raw = path.read_text("utf-8").splitlines()
        texts: list[Any] = [json.loads(line)["text"] for line in raw if line.strip()]
    except OSError as error:
        raise InputError(f"{path.name} cannot be read ({error.strerror}).") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f'{path.name} must hold one JSON object {{"text": ...}} a line, in UTF-8.') from None
    if not all(isinstance(entry, str) for entry in texts):
        raise InputError(f'{path.name} has a line whose "text" is not a string.')
    yield from texts
