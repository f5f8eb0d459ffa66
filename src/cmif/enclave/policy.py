"""What a deployment calls sensitive, and what it may spend. A policy is a name or a TOML file with the keys below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from math import isfinite
from typing import Any, Literal

from cmif.enclave.detect import Detector, default_detectors, plugin
from cmif.enclave.detect.lexicon import WordList
from cmif.enclave.surrogates import Relation
from cmif.enclave.urls import plain_host
from cmif.errors import InputError
from cmif.types import Kind


class Level(StrEnum):
    """Which text is replaced, from nothing to everything; each level includes the one before it."""

    OFF = "off"
    ENTITIES = "entities"  # personal data and secrets get surrogates
    SENSITIVE = "sensitive"  # and words of special categories go through the mechanism
    CONTENT = "content"  # and every word but stopwords: the paper's setting
    ALL = "all"  # and stopwords


@dataclass(frozen=True, slots=True)
class Cover:
    """Up to ``words`` sensitive words of a question hide among ``k`` variants of it (:mod:`cmif.enclave.cover`)."""

    k: int = 16
    words: int = 3

    @classmethod
    def parse(cls, raw: object) -> Cover:
        """Raises :class:`InputError`."""
        if isinstance(raw, dict) and set(raw) <= {"k", "words"}:
            made = cls(**raw)
            if all(type(v) is int for v in (made.k, made.words)) and 2 <= made.k <= 32 and 1 <= made.words <= 8:
                return made
        raise InputError(
            "Policy key 'cover' is not a table of k and words.",
            hint="Such as cover = {k = 16, words = 3}: k from 2 to 32, words from 1 to 8.",
        )


@dataclass(frozen=True, slots=True)
class PrivacyPolicy:
    """``level`` what is replaced; ``words`` extra words to treat as sensitive, ``private`` extra phrases that get a
    surrogate; ``public`` "keep" for names that everybody knows and nothing ties to a person, "protect" to replace them
    too; ``detectors`` names of installed plug-ins that run beside the default ones; ``tenant_budget``,
    ``user_budget`` (an end user of a tenant) and ``conversation_budget`` the epsilon each may spend in all, ``None``
    for no bound; ``hosts`` to whose URLs originals may be restored, none by default; ``relations`` what surrogates
    keep of how their originals relate (see :mod:`cmif.enclave.surrogates`), all by default; ``cover`` cover requests
    for few sensitive words, none by default; ``attested`` the level instead of ``level`` while the engine's attestation
    holds, at most as strict, ``None`` for the same.
    """

    level: Level = Level.SENSITIVE
    words: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    public: Literal["keep", "protect"] = "keep"
    detectors: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    relations: frozenset[Relation] = frozenset(Relation)
    tenant_budget: float | None = None
    user_budget: float | None = None
    conversation_budget: float | None = None
    cover: Cover | None = None
    attested: Level | None = None

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> PrivacyPolicy:
        """A policy from parsed TOML. Unknown keys and bad values raise :class:`InputError`."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(raw) - known)
        if unknown:
            raise InputError(
                f"Unknown policy key {unknown[0]!r}.", hint=f"Known keys: {', '.join(sorted(known))}."
            )
        level = _level("level", raw.get("level", Level.SENSITIVE))
        public = raw.get("public", "keep")
        if public not in ("keep", "protect"):
            raise InputError("Policy key 'public' has an unknown value.", hint='One of: "keep", "protect".')
        values: dict[str, Any] = {"level": level, "public": public}
        if raw.get("attested") is not None:
            values["attested"] = _level("attested", raw["attested"])
            if _STRICTNESS.index(values["attested"]) > _STRICTNESS.index(level):
                raise InputError(
                    "Policy key 'attested' is stricter than 'level': an attested engine would be told less than others."
                )
        for name in ("words", "private", "detectors", "hosts"):
            entries = raw.get(name, [])
            if not isinstance(entries, list) or not all(isinstance(e, str) and e.strip() for e in entries):
                raise InputError(f"Policy key {name!r} must be a list of non-empty strings.")
            values[name] = tuple(entries)
        for name, kind in (("words", Kind.WORD), ("private", Kind.PRIVATE)):
            for place, entry in enumerate(values[name], 1):
                if not WordList([entry], kind=kind).detect(entry):
                    raise InputError(
                        f"Policy key {name!r}: entry {place} would never be found in a text.",
                        hint="An entry is a word or a phrase of words and numbers.",
                    )
        for host in values["hosts"]:
            if plain_host(f"https://{host.casefold()}/") != host.casefold():
                raise InputError(
                    "Policy key 'hosts' takes names of hosts, such as wiki.local: no https://, port or path."
                )
        relations = raw.get("relations", list(Relation))
        if not isinstance(relations, list) or not set(map(str, relations)) <= set(Relation):
            raise InputError(
                "Policy key 'relations' must be a list of known relations.",
                hint=f"Known: {', '.join(Relation)}.",
            )
        values["relations"] = frozenset(map(Relation, relations))
        if raw.get("cover") is not None:
            if level is not Level.SENSITIVE:
                raise InputError("Policy key 'cover' goes with level \"sensitive\" only.")
            values["cover"] = Cover.parse(raw["cover"])
        for name in ("tenant_budget", "user_budget", "conversation_budget"):
            number = raw.get(name)
            if number is None:
                continue
            if (
                isinstance(number, bool)
                or not isinstance(number, int | float)
                or not isfinite(number)
                or number <= 0
            ):
                raise InputError(f"Policy key {name!r} must be a positive number.")
            values[name] = float(number)
        return cls(**values)

    @classmethod
    def named(cls, name: str) -> PrivacyPolicy:
        """The policy of a level's name with every other key at its default."""
        return cls.parse({"level": name})

    def towards_attested(self) -> PrivacyPolicy:
        """The policy for an engine whose attestation holds."""
        if self.attested is None:
            return self
        covers = self.attested is Level.SENSITIVE
        return replace(self, level=self.attested, attested=None, cover=self.cover if covers else None)

    @property
    def entities(self) -> bool:
        return self.level is not Level.OFF

    @property
    def special_words(self) -> bool:
        return self.level in (Level.SENSITIVE, Level.CONTENT, Level.ALL)

    @property
    def keeps_public(self) -> bool:
        return self.public == "keep"

    @property
    def every_word(self) -> bool:
        return self.level in (Level.CONTENT, Level.ALL)

    @property
    def stopwords(self) -> bool:
        return self.level is Level.ALL


_STRICTNESS = tuple(Level)


def _level(key: str, value: object) -> Level:
    try:
        return Level(str(value))
    except ValueError:
        raise InputError(f"Policy key {key!r} has an unknown value.", hint=f"One of: {', '.join(Level)}.") from None


def detectors_for(policy: PrivacyPolicy) -> tuple[Detector, ...]:
    """The default detectors, the policy's own lists and its plug-ins.

    Raises :class:`InputError` for a plug-in that is not installed, :class:`DetectorError` for one that cannot start.
    """
    own = [WordList(policy.words, name="policy-words")] if policy.words else []
    if policy.private:
        own.append(WordList(policy.private, name="policy-private", kind=Kind.PRIVATE))
    return (*default_detectors(), *own, *(plugin(name) for name in policy.detectors))
