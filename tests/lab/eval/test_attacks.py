from __future__ import annotations

import itertools

import numpy as np
import pytest

from cmif_lab.eval import attacks, language, text
from cmif_lab.eval.measure import attack, decoded, release, unchanged
from cmif_lab.eval.mechanism import Buckets
from cmif_lab.eval.peers import WORD_PEERS
from tests.lab.eval import tiny

TRAIN = [f"the {thing} is {word} ." for thing in tiny.THINGS for word in tiny.GOOD + tiny.BAD]


def _corpus(documents: int = 60, seed: int = 0) -> text.Corpus:
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(tiny.WORDS, 5)) for _ in range(documents)]
    return text.read(texts, tiny.words())


def _uniform(k: int = 24) -> Buckets:
    buckets = [np.arange(i, i + k) for i in range(0, 24, k)]
    return Buckets(
        "rr",
        tiny.words(),
        buckets,
        lambda b: np.full((len(b), len(b)), 1 / len(b)),
        k=k,
        gamma=0.0,
        guarantee="",
    )


def _flat() -> language.Language:
    return language.build([" ".join(tiny.WORDS)], None)


def test_without_protection_everything_is_recovered() -> None:
    corpus, lexicon = _corpus(), tiny.words()
    mechanism = WORD_PEERS["none"](tiny.space(), 1.0)
    words = release(mechanism, corpus, len(lexicon), np.random.default_rng(0))
    shares = attack(mechanism, corpus, words, lexicon, _flat())
    assert (shares.unigram, shares.bigram, shares.inversion) == (1.0, 1.0, 1.0)


def test_a_uniform_mechanism_is_attacked_at_chance() -> None:
    corpus, lexicon = _corpus(400), tiny.words()
    mechanism = _uniform()
    words = release(mechanism, corpus, len(lexicon), np.random.default_rng(0))
    shares = attack(mechanism, corpus, words, lexicon, _flat())
    error = 4 * np.sqrt(1 / 24 / 2000)
    assert shares.unigram == pytest.approx(1 / 24, abs=error)
    assert shares.bigram is not None
    assert shares.bigram < 1 / 24 + error
    assert unchanged(corpus, words, lexicon) == pytest.approx(1 / 24, abs=error)


def test_words_let_through_count_as_recovered_and_unknown_words_are_not() -> None:
    lexicon = tiny.words()
    corpus = text.read(["thriller film"], lexicon)
    through = WORD_PEERS["custext+"](tiny.space(), 1.0)
    words = release(through, corpus, len(lexicon), np.random.default_rng(0))
    assert words[0] == -1
    assert attack(through, corpus, words, lexicon, _flat()).unigram >= 0.5
    ours = _uniform()
    words = release(ours, corpus, len(lexicon), np.random.default_rng(0))
    assert words[0] >= 0
    assert attack(ours, corpus, words, lexicon, _flat()).unigram <= 0.5


def test_one_draw_a_document_and_word() -> None:
    corpus = text.read(["film " * 50, "film " * 50], tiny.words())
    words = release(_uniform(), corpus, 27, np.random.default_rng(3))
    assert len(set(words[:50].tolist())) == len(set(words[50:].tolist())) == 1


def test_forward_backward_is_the_posterior_of_the_bigram_chain() -> None:
    model = language.build(TRAIN, None)
    rng = np.random.default_rng(0)
    ids = model.numbers(["the", "film", "is", "good", "bad", "plot"])
    states = [rng.choice(ids, size, replace=False) for size in (3, 1, 4, 2)]
    emissions = [rng.random(len(s)) for s in states]
    joint = np.zeros([len(s) for s in states])
    for path in itertools.product(*(range(len(s)) for s in states)):
        p = model.unigram[states[0][path[0]]]
        for i in range(len(states)):
            p *= emissions[i][path[i]]
            if i:
                p *= model.transitions(states[i - 1][[path[i - 1]]], states[i][[path[i]]])[0, 0]
        joint[path] = p
    joint /= joint.sum()
    for i, found in enumerate(attacks._chain(model, states, emissions)):
        others = tuple(j for j in range(len(states)) if j != i)
        np.testing.assert_allclose(found, joint.sum(axis=others), rtol=1e-6)


def test_context_helps_the_bigram_attacker() -> None:
    lexicon = tiny.words()
    texts = [f"the {thing} is good ." for thing in tiny.THINGS] * 10
    corpus = text.read(texts, lexicon)
    skewed = [*TRAIN, *["the film is good ."] * 200]
    mechanism = _uniform(12)
    words = release(mechanism, corpus, len(lexicon), np.random.default_rng(0))
    # "good" and "film" are in different buckets; unigrams alone cannot tell what follows "is"
    shares = attack(mechanism, corpus, words, lexicon, language.build(skewed, None))
    assert shares.bigram is not None
    assert shares.bigram >= shares.unigram


def test_decoding_is_post_processing_and_reads_the_fluent_member() -> None:
    lexicon = tiny.words()
    corpus = text.read(["the film is good ."] * 20, lexicon)
    mechanism = _uniform(12)
    model = language.build(["the film is good ."] * 200, None)
    words = release(mechanism, corpus, len(lexicon), np.random.default_rng(0))
    read = decoded(mechanism, corpus, words, lexicon, model)
    assert ((words >= 0) == (read >= 0)).all()
    assert corpus.render(read, lexicon) == ["the film is good ."] * 20


def test_transitions_and_pairs_agree_and_sum_to_one() -> None:
    model = language.build(TRAIN, None)
    everything = np.arange(len(model.unigram))
    block = model.transitions(everything[:5], everything)
    np.testing.assert_allclose(block.sum(1), 1, rtol=1e-5)
    first, second = np.repeat(everything[:5], len(everything)), np.tile(everything, 5)
    np.testing.assert_allclose(model.pairs(first, second).reshape(5, -1), block, rtol=1e-6)


def test_fresh_draws_add_up() -> None:
    matrix = np.full((24, 24), 1 / (np.e + 23)) + np.eye(24) * (np.e - 1) / (np.e + 23)
    mechanism = Buckets("rr", tiny.words(), [np.arange(24)], lambda b: matrix, k=24, gamma=0.0, guarantee="")
    prior, words = np.full(27, 1 / 27), np.arange(24).repeat(5)
    few = attacks.repeated(mechanism, words, prior, 1, np.random.default_rng(0))
    many = attacks.repeated(mechanism, words, prior, 200, np.random.default_rng(0))
    assert few < 0.3
    assert many > 0.9
