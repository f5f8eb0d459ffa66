"""What is sensitive in a text: detectors behind one protocol, merged so that nothing found is lost.

:func:`default_detectors` needs no download and no model. Others come in as plug-ins: a package that
registers a class or function without arguments under the entry point group ``cmif.detectors``, loaded by
name (:func:`plugin`).
"""

from __future__ import annotations

from cmif.enclave.detect.detector import Detection, Detector, detect, detect_all, merge
from cmif.enclave.detect.plugins import GROUP, plugin, plugins
from cmif.enclave.detect.public import KeptPublic

__all__ = [
    "GROUP", "Detection", "Detector", "KeptPublic", "default_detectors", "detect", "detect_all", "merge", "plugin",
    "plugins",
]  # fmt: skip


def default_detectors() -> tuple[Detector, ...]:
    """Patterns with checksums, secrets, names, forms of address, columns, special categories."""
    from cmif.enclave.detect.address_forms import AddressForms
    from cmif.enclave.detect.columns import Columns
    from cmif.enclave.detect.lexicon import special_categories
    from cmif.enclave.detect.names import Names
    from cmif.enclave.detect.patterns import Patterns
    from cmif.enclave.detect.secrets import Secrets

    return (Secrets(), Patterns(), Names(), AddressForms(), Columns(), special_categories())
