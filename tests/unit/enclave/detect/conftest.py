from __future__ import annotations

from collections.abc import Callable

import pytest

from cmif.enclave.detect import default_detectors, detect_all

Found = Callable[[str], list[tuple[str, str]]]


@pytest.fixture(scope="session")
def found() -> Found:
    """What the default detectors find in a text: ``(text, kind)`` in order."""
    detectors = default_detectors()
    return lambda text: [(text[s.start : s.end], s.kind.value) for s in detect_all(text, detectors)]
