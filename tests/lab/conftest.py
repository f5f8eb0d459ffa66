from __future__ import annotations

from tests.unit.privacy.conftest import table

__all__ = ["table"]  # the fixture, for what the lab tests of the product's tables
