"""Attackers who see the sanitised words and know the law: unigram MAP and bigram forward-backward.

Both return a posterior over each sensitive position's candidates. Unigram MAP is Bayes-optimal for one word
in isolation; the bigram attacker also uses the kept words and the neighbours' posteriors. Every number is a
lower bound on what can be recovered. The language-model attacker that builds on them is in `lm_attack`, rows
on the wire in `rows_attack`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cmif_lab.eval.language import Language
from cmif_lab.eval.lexicon import Lexicon
from cmif_lab.eval.mechanism import Likelihood, Mechanism
from cmif_lab.eval.text import Corpus

CHEAP_PAIRS = 256


@dataclass(frozen=True)
class Observed:
    """What the attacker holds. ``words`` (int64 [tokens]) are released lexicon indices, -1 where the text was
    kept; ``numbers`` the language model's number of each lexicon entry, ``prior`` float64 [lexicon] its
    unigram probability.
    """

    corpus: Corpus
    words: np.ndarray
    lexicon: Lexicon
    language: Language
    numbers: np.ndarray
    prior: np.ndarray

    @classmethod
    def of(cls, corpus: Corpus, words: np.ndarray, lexicon: Lexicon, language: Language) -> Observed:
        numbers = language.numbers(word.lower() for word in lexicon.words)
        return cls(corpus, words, lexicon, language, numbers, language.unigram[numbers])

    def candidates(self, mechanism: Mechanism) -> dict[int, Likelihood]:
        """The likelihood of every distinct released word."""
        outputs = np.unique(self.words[self.words >= 0])
        return dict(zip(outputs.tolist(), mechanism.likelihood(outputs, self.prior), strict=True))

    def hits(self, guesses: Sequence[int]) -> np.ndarray:
        """bool [sensitive]: which sensitive words ``guesses`` (lexicon indices, in order of position)
        recover.

        Words outside the lexicon are never recovered by these attackers and count as such.
        """
        at = np.flatnonzero(self.words >= 0)
        lower = self.corpus.lower
        return np.array(
            [self.lexicon.words[g].lower() == lower[i] for i, g in zip(at, guesses, strict=True)], bool
        )


Attack = Callable[[Observed, dict[int, Likelihood]], Sequence[np.ndarray]]
"""Per sensitive position, in order, a score for each candidate of its released word; the highest is the guess."""


def unigram(observed: Observed, likelihoods: dict[int, Likelihood]) -> list[np.ndarray]:
    """Per sensitive position the posterior prior(x) P(y|x), normalised: the Bayes-optimal attack on one word
    alone.
    """
    cache: dict[int, np.ndarray] = {}
    for y, (candidates, p) in likelihoods.items():
        score = observed.prior[candidates] * p
        cache[y] = score / max(float(score.sum()), 1e-300)
    return [cache[y] for y in observed.words[observed.words >= 0].tolist()]


def bigram(observed: Observed, likelihoods: dict[int, Likelihood]) -> list[np.ndarray]:
    """Per sensitive position the posterior under a bigram chain through the document (forward-backward)."""
    offsets = observed.corpus.offsets
    kept = observed.language.numbers(observed.corpus.lower)
    found: list[np.ndarray] = []
    for a, b in pairwise(offsets.tolist()):
        states, emissions = [], []
        for i in range(a, b):
            y = int(observed.words[i])
            if y < 0:
                states.append(kept[i : i + 1])
                emissions.append(np.ones(1))
            else:
                candidates, p = likelihoods[y]
                states.append(observed.numbers[candidates])
                emissions.append(p)
        posterior = _chain(observed.language, states, emissions)
        found += [posterior[i - a] for i in range(a, b) if observed.words[i] >= 0]
    return found


def _chain(language: Language, states: list[np.ndarray], emissions: list[np.ndarray]) -> list[np.ndarray]:
    """Forward-backward over one document: a posterior (sums to 1) per position."""
    if not states:
        return []
    steps = _steps(language, states)
    forward = [language.unigram[states[0]] * emissions[0]]
    forward[0] = forward[0] / forward[0].sum()
    for step, emission in zip(steps, emissions[1:], strict=True):
        alpha = (forward[-1] @ step) * emission
        forward.append(alpha / max(float(alpha.sum()), 1e-300))
    backward = [np.ones(len(states[-1]))]
    for step, emission in zip(reversed(steps), reversed(emissions[1:]), strict=True):
        beta = step @ (emission * backward[-1])
        backward.append(beta / max(float(beta.sum()), 1e-300))
    posteriors = [alpha * beta for alpha, beta in zip(forward, reversed(backward), strict=True)]
    return [p / max(float(p.sum()), 1e-300) for p in posteriors]


def _steps(language: Language, states: list[np.ndarray]) -> list[np.ndarray]:
    """p(next | previous) for each pair of neighbouring positions; the cheap ones are looked up together."""
    shapes = [(len(a), len(b)) for a, b in pairwise(states)]
    cheap = [i for i, (m, n) in enumerate(shapes) if m * n <= CHEAP_PAIRS]
    steps: dict[int, np.ndarray] = {}
    if cheap:
        first = np.concatenate([np.repeat(states[i], shapes[i][1]) for i in cheap])
        second = np.concatenate([np.tile(states[i + 1], shapes[i][0]) for i in cheap])
        flat, start = language.pairs(first, second), 0
        for i in cheap:
            size = shapes[i][0] * shapes[i][1]
            steps[i] = flat[start : start + size].reshape(shapes[i])
            start += size
    return [
        steps[i] if i in steps else language.transitions(states[i], states[i + 1]) for i in range(len(shapes))
    ]


def guesses(
    observed: Observed, likelihoods: dict[int, Likelihood], posteriors: Sequence[np.ndarray]
) -> list[int]:
    """The likeliest candidate (a lexicon index) of each sensitive position."""
    words = observed.words[observed.words >= 0].tolist()
    return [int(likelihoods[y][0][p.argmax()]) for y, p in zip(words, posteriors, strict=True)]


def repeated(
    mechanism: Mechanism, words: np.ndarray, prior: np.ndarray, draws: int, rng: np.random.Generator
) -> float:
    """Share of ``words`` recovered from ``draws`` fresh draws of each: what a memory of draws prevents.

    Bayes-optimal for words alone: log prior(x) + sum of log P(y_i|x) over the words that could have given
    every output.
    """
    outputs = np.stack([mechanism.sample(words, rng) for _ in range(draws)], 1)
    distinct = np.unique(outputs)
    table = dict(zip(distinct.tolist(), mechanism.likelihood(distinct, prior), strict=True))
    right = 0
    for word, row in zip(words, outputs, strict=True):
        score: dict[int, float] = {}
        for number, y in enumerate(row.tolist()):
            candidates, p = table[y]
            logs = np.log(np.maximum(p, 1e-300))
            floor = float(logs.min()) - 5.0
            fresh = dict(zip(candidates.tolist(), logs.tolist(), strict=True))
            if number == 0:
                score = {x: value + float(np.log(prior[x])) for x, value in fresh.items()}
                continue
            score = {x: value + fresh.get(x, floor) for x, value in score.items()}
        right += max(score, key=score.__getitem__) == word
    return right / len(words)
