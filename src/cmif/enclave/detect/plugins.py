"""Detectors of other packages, by entry point. One runs only when it is asked for by name: it is code in
the TEE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from cmif.enclave.detect.detector import Detector
from cmif.errors import DetectorError, InputError

GROUP = "cmif.detectors"


def plugins() -> tuple[str, ...]:
    """Names of the installed plug-ins, sorted. Nothing is imported."""
    from importlib.metadata import entry_points

    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def plugin(name: str) -> Detector:
    """The plug-in ``name``, built. :class:`InputError` if it is not installed, :class:`DetectorError` if it
    fails.
    """
    from importlib.metadata import entry_points

    points = entry_points(group=GROUP, name=name)
    if not points:
        raise InputError(
            f"There is no detector {name!r}.", hint=f"Installed: {', '.join(plugins()) or 'none'}."
        )
    try:
        factory = cast(Callable[[], Detector], next(iter(points)).load())
        return factory()
    except InputError:
        raise  # it says what is missing
    except Exception as error:
        raise DetectorError(f"The detector {name!r} could not be loaded ({type(error).__name__}).") from None
