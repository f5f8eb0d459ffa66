"""What one run of `cmif eval` measures, and the rows that come out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from cmif.errors import InputError
from cmif_lab.eval import plugins
from cmif_server.tables.build import DEFAULT_GAMMA, DEFAULT_K

OURS = ("default", "rnm-laplace", "rnm-gumbel", "rnm-exponential", "rr", "medoid-rr", "optimal", "constant")
MECHANISMS = (  # in this order for good: a place seeds its draws
    *OURS[:-1],
    "cmif-literal",
    "santext",
    "santext+",
    "custext",
    "custext+",
    "rantext",
    "metric",
    "direct-dp",
    "none",
    "constant",
)
WITHOUT_EPSILON = ("none", "constant")


@dataclass(frozen=True)
class Settings:
    """What one run measures. ``limit``: test examples (0: all). ``attacker``: a causal or masked model, or
    none.

    ``attacker_documents``: how many documents the language-model attacker reads. ``words``: how many of the
    public list's most frequent entries are used (0: all, as `cmif split` does). ``attacks``: installed plug-ins
    that run beside the built-in attackers. ``mechanisms`` and ``task`` may name plug-ins too (`plugins`).
    """

    task: str
    data: Path | None
    model: str = "minilm"
    mechanisms: tuple[str, ...] = MECHANISMS
    epsilons: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0, 4.0)
    draws: int = 3
    limit: int = 0
    k: int = DEFAULT_K
    gamma: Fraction = DEFAULT_GAMMA
    vectors: str = "counterfit"
    weights: str = "public"
    axis: float = 0.0
    decode: str = ""
    head: str = ""
    attacker: str = ""
    attacker_documents: int = 100
    attacks: tuple[str, ...] = ()
    audit_draws: int = 6000
    lexicon: Path | None = None
    words: int = 0
    part: str = "all"
    seed: int = 0


@dataclass(frozen=True)
class Row:
    """One mechanism at one epsilon. Accuracy and ``unchanged`` are means over draws; ``accuracy_se`` is the
    standard error over examples of their mean over draws; ``accuracy_draws`` the single draws. Attack shares
    are of all sensitive words, None where an attack does not apply; ``further`` are those of plug-ins, by name.
    ``audited_epsilon`` is a lower bound at 95 %, per unit of distance for metric mechanisms.
    """

    mechanism: str
    epsilon: float
    k: int
    accuracy: float
    accuracy_se: float
    unchanged: float
    attack_unigram: float
    attack_bigram: float | None
    attack_lm: float | None
    attack_inversion: float
    guarantee: str
    audited_epsilon: float | None
    accuracy_draws: tuple[float, ...] = field(default=(), compare=False)
    further: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Result:
    """``coverage``: the share of sensitive words that the lexicon holds; ``sensitive``: how many there
    are.
    """

    rows: tuple[Row, ...]
    clean_accuracy: float
    examples: int
    sensitive: int
    coverage: float


def check(settings: Settings) -> None:
    """Raises InputError for unknown mechanisms, draws < 1 and epsilons that are not finite numbers above
    0.
    """
    known = (*MECHANISMS, *plugins.names(plugins.MECHANISMS))
    unknown = [name for name in settings.mechanisms if name not in known]
    if unknown:
        raise InputError(f"Unknown mechanism {unknown[0]!r}.", hint=f"One of: {', '.join(known)}.")
    if not settings.mechanisms or not settings.epsilons:
        raise InputError("At least one mechanism and one epsilon are needed.")
    if any(not np.isfinite(e) or e <= 0 for e in settings.epsilons):
        raise InputError("Epsilon must be a finite number above 0.")
    if settings.decode not in ("", "public", "field"):
        raise InputError("--decode is public or field.")
    if settings.draws < 1:
        raise InputError("Draws must be at least 1.")
