"""The three trades."""

from __future__ import annotations

from training.field.bank import BANK
from training.field.clinic import CLINIC
from training.field.contract import CONTRACT

TRADES = (CLINIC, BANK, CONTRACT)
