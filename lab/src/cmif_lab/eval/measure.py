"""One release measured: what the model still answers right, and what each attacker gets back.

A release is a mechanism's output on every test text, with one draw per document and word where the mechanism
keeps draws. Shares are over ALL sensitive words: words a mechanism lets through count as recovered, words
outside every candidate set as not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from cmif_lab.eval.attacks import Attack, Observed, bigram, guesses, unigram
from cmif_lab.eval.language import Language
from cmif_lab.eval.lexicon import Lexicon
from cmif_lab.eval.lm_attack import Attacker, rerank
from cmif_lab.eval.mechanism import Mechanism
from cmif_lab.eval.models import Model
from cmif_lab.eval.peers import RowNoise
from cmif_lab.eval.rows_attack import nearest
from cmif_lab.eval.text import Corpus


@dataclass(frozen=True)
class Shares:
    """Shares of sensitive words recovered; None where the attack does not apply or was not asked for."""

    unigram: float
    bigram: float | None
    lm: float | None
    inversion: float
    further: tuple[tuple[str, float], ...] = ()


def release(mechanism: Mechanism, corpus: Corpus, size: int, rng: np.random.Generator) -> np.ndarray:
    """int64 [tokens]: the released lexicon index at each position, -1 where the text is kept. ``size``: of
    the lexicon.
    """
    words = (corpus.classes != 255) & (corpus.index >= 0)
    replaced = words if mechanism.everything else words & corpus.content
    out = np.full(len(corpus.tokens), -1, np.int64)
    if mechanism.memo:
        keys = corpus.documents[replaced] * size + corpus.index[replaced]
        distinct, inverse = np.unique(keys, return_inverse=True)
        out[replaced] = mechanism.sample(distinct % size, rng)[inverse]
    else:
        out[replaced] = mechanism.sample(corpus.index[replaced], rng)
    strange = corpus.content & (corpus.index < 0)
    out[strange] = mechanism.unknown(corpus.classes[strange], rng)
    return out


def decoded(
    mechanism: Mechanism, corpus: Corpus, words: np.ndarray, lexicon: Lexicon, language: Language
) -> np.ndarray:
    """The release with every drawn word replaced by its likeliest reading under ``language`` (int64 [tokens]).

    Post-processing of what the engine would see anyway: no epsilon, and the attackers lose nothing by it. It is
    the bigram attacker's own guess, so ``unchanged`` says nothing about privacy any more.
    """
    observed = Observed.of(corpus, words, lexicon, language)
    likelihoods = observed.candidates(mechanism)
    out = words.copy()
    out[words >= 0] = guesses(observed, likelihoods, bigram(observed, likelihoods))
    return out


def unchanged(corpus: Corpus, words: np.ndarray, lexicon: Lexicon) -> float:
    """Share of sensitive words that the engine sees as they were."""
    at = np.flatnonzero(corpus.content)
    same = [words[i] < 0 or lexicon.words[words[i]].lower() == corpus.lower[i] for i in at]
    return float(np.mean(same)) if same else 0.0


def attack(
    mechanism: Mechanism,
    corpus: Corpus,
    words: np.ndarray,
    lexicon: Lexicon,
    language: Language,
    *,
    attacker: Attacker | None = None,
    lm_documents: int = 0,
    further: Mapping[str, Attack] = MappingProxyType({}),
) -> Shares:
    """Every attacker on one release. Rows on the wire are the released words' own rows, so nearest-neighbour
    inversion gives exactly the released text: what it recovers of the input is what stayed unchanged. ``further``:
    attacks of plug-ins, by name.
    """
    observed = Observed.of(corpus, words, lexicon, language)
    likelihoods = observed.candidates(mechanism)
    touched = np.flatnonzero(words >= 0)
    sensitive = corpus.content[touched]
    kept = int((corpus.content & (words < 0)).sum())
    total = max(int(corpus.content.sum()), 1)

    def share(posteriors: Sequence[np.ndarray]) -> float:
        hits = observed.hits(guesses(observed, likelihoods, posteriors))
        return float((hits[sensitive].sum() + kept) / total)

    chained = bigram(observed, likelihoods)
    lm = None
    if attacker is not None and lm_documents:
        right = rerank(observed, likelihoods, chained, attacker, lm_documents)
        end = corpus.offsets[min(lm_documents, len(corpus.offsets) - 1)]
        clear = int((corpus.content[:end] & (words[:end] < 0)).sum())
        lm = float((right[sensitive[: len(right)]].sum() + clear) / max(int(corpus.content[:end].sum()), 1))
    return Shares(
        share(unigram(observed, likelihoods)),
        share(chained),
        lm,
        unchanged(corpus, words, lexicon),
        tuple((name, share(run(observed, likelihoods))) for name, run in further.items()),
    )


def attack_rows(
    noise: RowNoise, corpus: Corpus, model: Model, language: Language, limit: int = 1500
) -> Shares:
    """The attackers on noisy rows: a word counts when every piece of it comes back. At most ``limit``
    sensitive words.
    """
    at = np.flatnonzero(corpus.content)[:limit]
    ids = model.pieces([corpus.lower[i] for i in at])
    flat = np.array([i for word in ids for i in word], np.int64)
    word = np.repeat(np.arange(len(ids)), [len(w) for w in ids])
    noisy = noise.perturb(model.rows[flat])
    inverted = nearest(noisy, model.rows) == flat
    pieces = [
        str(piece).lstrip("Ġ▁ ") for piece in model.tokenizer.convert_ids_to_tokens(range(len(model.rows)))
    ]
    prior = np.log(language.unigram[language.numbers(piece.lower() for piece in pieces)])
    squares = (model.rows**2).sum(1)
    guess = np.empty(len(flat), np.int64)
    for start in range(0, len(flat), 1024):
        part = noisy[start : start + 1024]
        far = np.sqrt(np.maximum(squares + (part**2).sum(1)[:, None] - 2 * part @ model.rows.T, 0))
        guess[start : start + 1024] = (prior - noise.epsilon * far).argmax(1)

    def words(hits: np.ndarray) -> float:
        return float(1 - np.isin(np.arange(len(ids)), word[~hits]).mean()) if ids else 0.0

    return Shares(words(guess == flat), None, None, words(inverted))
