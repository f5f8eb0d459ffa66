"""The gateway's log: one line a request, as text or JSON. Counts, names of tenants and times; never content, no path.

A :class:`Note` is what a request leaves behind; whoever serves it fills in what they know.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass
class Note:
    """What is known of one request. ``route`` is a template of the route table; ``tenant`` "" before authentication;
    ``error`` the code of the error that it ended with, also in a stream whose status was 200.
    """

    request: str = field(default_factory=lambda: f"req_{uuid.uuid4().hex}")
    route: str = ""
    status: int = 0
    ms: float = 0.0
    tenant: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    epsilon: float = 0.0
    error: str = ""

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in vars(self).items() if value not in ("", 0))


_NOTE: ContextVar[Note] = ContextVar("note")


def current() -> Note:
    """The note of the request that runs here; outside of one, a note that nobody reads."""
    return _NOTE.get(None) or Note()


def begin() -> Note:
    """The note of a request that begins now, for whatever runs in its context (:func:`current`)."""
    note = Note()
    _NOTE.set(note)
    return note


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if record.args and isinstance(record.args, tuple) and isinstance(record.args[0], Note):
            line |= vars(record.args[0])
        else:
            line["message"] = _message(record)
        return json.dumps(line, separators=(",", ":"))


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{_utc(record.created)} {record.name} {record.levelname} {_message(record)}"


def configure(form: LogFormat = LogFormat.TEXT, level: LogLevel = LogLevel.INFO) -> None:
    """Send everything from ``level`` up to standard error in ``form``; of libraries never DEBUG, and no traceback:
    both may hold a user's text."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if form is LogFormat.JSON else _Text())
    least = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(least, logging.INFO), handlers=[handler], force=True)
    logging.getLogger("cmif").setLevel(least)


def _message(record: logging.LogRecord) -> str:
    kind = record.exc_info[0] if record.exc_info else None
    return record.getMessage() + (f" ({kind.__name__})" if kind else "")


def _utc(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"
