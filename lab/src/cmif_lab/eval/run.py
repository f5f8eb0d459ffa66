"""`cmif eval`: every mechanism at every epsilon on one task and model, with the attacks and the audit beside
the accuracy.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from cmif_lab.audit import audit
from cmif_lab.eval import cache, language, lexicon, models, ours, plugins, tasks, text, vectors
from cmif_lab.eval.lm_attack import Attacker
from cmif_lab.eval.measure import Shares, attack, attack_rows, decoded, release, unchanged
from cmif_lab.eval.mechanism import Mechanism
from cmif_lab.eval.peers import WORD_PEERS, RowNoise, Space
from cmif_lab.eval.peers.custext import CusText, CusTextPlus, Literal, mapping, nearest
from cmif_lab.eval.settings import MECHANISMS, OURS, WITHOUT_EPSILON, Result, Row, Settings, check
from cmif_lab.laws import LAWS
from cmif_server.tables.build import DEFAULT_LAW
from cmif_server.tables.partition import partition

OPTIMAL_K = 32  # the linear program takes about 0.1 s a bucket here, 2 s at 64
AUDIT_PAIRS = 6
Log = Callable[[str], None]


class Bench:
    """Everything that does not depend on the mechanism: task, model, lexicon, partition, language model."""

    def __init__(self, settings: Settings) -> None:
        check(settings)
        self.settings = settings
        self.attacks = {name: plugins.attack(name) for name in settings.attacks}
        self.task = tasks.part(tasks.load(settings.task, settings.data), settings.part)
        self.model = models.load(settings.model)
        self.lexicon = lexicon.load(settings.lexicon, text.STOP_WORDS, settings.words)
        self.classifier = models.Classifier(self.model, self.task, head=settings.head)
        self.examples = self.task.test[: settings.limit or None]
        self.parts = len(self.examples[0].texts)
        self.corpus = text.read([part for e in self.examples for part in e.texts], self.lexicon)
        self.space = Space(self.lexicon, self.model.word_vectors(self.lexicon.words))
        train = [part for e in self.task.train for part in e.texts]
        self.language = language.build(train, settings.data)
        self.attacker = Attacker(settings.attacker) if settings.attacker else None
        if self.attacker:
            self.attacker.learn(train)
        self._partitions: dict[int, list[np.ndarray]] = {}

    @cached_property
    def words(self) -> vectors.WordSpace:
        s = self.settings
        return vectors.build(
            self.model,
            self.lexicon,
            self.space.rows,
            self.task,
            kind=s.vectors,
            weights=s.weights,
            axis=s.axis,
        )

    def partition(self, k: int) -> list[np.ndarray]:
        """The public partition into buckets of at least ``k``, made once and cached."""
        if k not in self._partitions:
            classes = self.lexicon.classes[: self.lexicon.sanitised]
            space = self.words

            def make() -> dict[str, np.ndarray]:
                buckets = partition(space.vectors, classes, k, weights=space.weights)
                return {"members": np.concatenate(buckets), "sizes": np.array([len(b) for b in buckets])}

            key = [
                str(k),
                *(hashlib.sha256(a.tobytes()).hexdigest() for a in (space.vectors, space.weights, classes)),
            ]
            stored = cache.arrays("partition", key, make)
            self._partitions[k] = np.split(stored["members"], np.cumsum(stored["sizes"])[:-1])
        return self._partitions[k]

    @cached_property
    def reader(self) -> language.Language:
        """The language model of the fluent decoding: of public text alone, or with the field's."""
        return self.language if self.settings.decode == "field" else language.build([], self.settings.data)

    @cached_property
    def _sets(self) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
        return mapping(self.space)

    @cached_property
    def _near(self) -> tuple[np.ndarray, np.ndarray]:
        return nearest(self.space)

    def mechanism(self, name: str, epsilon: float) -> Mechanism:
        """The word mechanism ``name`` at ``epsilon``. Raises MechanismError where its parameters allow no
        guarantee.
        """
        s = self.settings
        if name in ("default", "constant"):
            return ours.shipped(
                self.lexicon,
                self.words,
                self.partition(s.k),
                k=s.k,
                epsilon=epsilon,
                gamma=s.gamma,
                law=DEFAULT_LAW if name == "default" else name,
            )
        if name in LAWS:
            k = min(s.k, OPTIMAL_K) if name == "optimal" else s.k
            return ours.law_over(
                name, self.lexicon, self.words, self.partition(k), k=k, epsilon=epsilon, gamma=s.gamma
            )
        if name == Literal.name:
            return Literal(self.space, epsilon, self._near)
        if name in (CusText.name, CusTextPlus.name):
            made = CusText if name == CusText.name else CusTextPlus
            return made(self.space, epsilon, self._sets)
        return (WORD_PEERS.get(name) or plugins.mechanism(name))(self.space, epsilon)

    def grouped(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """Flat texts back to examples of one or two texts."""
        return [tuple(texts[i : i + self.parts]) for i in range(0, len(texts), self.parts)]

    def spans(self) -> list[list[tuple[int, int]]]:
        """Per text the code point ranges of its sensitive words, in the text as :meth:`Corpus.render` writes
        it.
        """
        found: list[list[tuple[int, int]]] = []
        for a, b in zip(self.corpus.offsets[:-1], self.corpus.offsets[1:], strict=True):
            at, ranges = 0, []
            for i in range(a, b):
                token = self.corpus.tokens[i]
                if self.corpus.content[i]:
                    ranges.append((at + len(token) - len(token.lstrip()), at + len(token)))
                at += len(token)
            found.append(ranges)
        return found

    def clean(self) -> float:
        """Accuracy on the unprotected texts."""
        kept = np.full(len(self.corpus.tokens), -1)
        texts = self.grouped(self.corpus.render(kept, self.lexicon))
        return float(self.classifier.correct(self.examples, texts).mean())

    def measure(self, name: str, epsilon: float) -> Row:
        """One row of the table: accuracy over all draws, attacks on the first draw, the audit of the
        sampler.
        """
        if name == "direct-dp":
            return self._noise(epsilon)
        s = self.settings
        mechanism = self.mechanism(name, epsilon)
        right, same = [], []
        shares: Shares | None = None
        for number in range(s.draws if name != "none" else 1):
            rng = np.random.default_rng([s.seed, number, int(epsilon * 1000), _number(name)])
            words = release(mechanism, self.corpus, len(self.lexicon), rng)
            sent = words
            if s.decode:
                sent = decoded(mechanism, self.corpus, words, self.lexicon, self.reader)
            texts = self.grouped(self.corpus.render(sent, self.lexicon))
            right.append(self.classifier.correct(self.examples, texts))
            same.append(unchanged(self.corpus, sent, self.lexicon))
            if shares is None:
                shares = attack(
                    mechanism,
                    self.corpus,
                    words,
                    self.lexicon,
                    self.language,
                    attacker=self.attacker,
                    lm_documents=s.attacker_documents,
                    further=self.attacks,
                )
        assert shares is not None
        audited = self.audit(name, mechanism)
        return _row(
            name, epsilon, mechanism.k, right, float(np.mean(same)), shares, mechanism.guarantee, audited
        )

    def _noise(self, epsilon: float) -> Row:
        noise = RowNoise(epsilon)
        texts = self.grouped(self.corpus.render(np.full(len(self.corpus.tokens), -1), self.lexicon))
        spans = self.spans()
        shares = attack_rows(noise, self.corpus, self.model, self.language)
        if self.classifier.head == "words":
            right = [np.full(len(self.examples), np.nan)]
        else:
            draws = range(self.settings.draws)
            right = [self.classifier.correct(self.examples, texts, noise.perturb, spans) for _ in draws]
        return _row("direct-dp", epsilon, 0, right, 0.0, shares, noise.guarantee, None)

    def audit(self, name: str, mechanism: Mechanism) -> float | None:
        """A lower bound (95 %) on the loss between the words that the claim speaks of.

        Ours: pairs inside one bucket. Peers: frequent words and their nearest neighbours, divided by the
        largest distance of the pairs where the claim is a metric one (so that the number compares with
        epsilon).
        """
        draws = self.settings.audit_draws
        if not draws:
            return None
        rng = np.random.default_rng(self.settings.seed)
        common = np.argsort(-self.lexicon.counts[: self.lexicon.sanitised], kind="stable")[:2000]
        common = common[self.lexicon.classes[common] == 0]
        first = rng.choice(common, min(AUDIT_PAIRS, len(common)), replace=False)
        if name in OURS:
            buckets = self.partition(mechanism.k)
            home = {int(x): bucket for bucket in buckets for x in bucket}
            second = [int(rng.choice([y for y in home[int(x)] if y != x])) for x in first]
        else:
            second = [self._neighbour(int(x)) for x in first]
        pairs = [(int(x), y) for x, y in zip(first, second, strict=True)]
        slow = name in ("rantext", "metric")
        bound = audit(lambda words: mechanism.sample(words, rng), pairs, draws // 10 if slow else draws)
        if name in ("santext", "santext+", "metric"):
            bound /= max(float(np.linalg.norm(self.space.rows[x] - self.space.rows[y])) for x, y in pairs)
        return float(bound)

    def _neighbour(self, word: int) -> int:
        n = self.lexicon.sanitised
        close = self.space.unit[:n] @ self.space.unit[word]
        close[word] = -np.inf
        return int(close.argmax())


def _number(name: str) -> int:
    """A mechanism's share of the seed: its place in the list, and a hash of its name for a plug-in."""
    return MECHANISMS.index(name) if name in MECHANISMS else zlib.crc32(name.encode())


def _row(
    name: str,
    epsilon: float,
    k: int,
    right: Sequence[np.ndarray],
    same: float,
    shares: Shares,
    guarantee: str,
    audited: float | None,
) -> Row:
    per_example = np.mean(right, axis=0)
    error = float(per_example.std(ddof=1) / np.sqrt(len(per_example))) if len(per_example) > 1 else 0.0
    return Row(
        name,
        epsilon,
        k,
        float(per_example.mean()),
        error,
        same,
        shares.unigram,
        shares.bigram,
        shares.lm,
        shares.inversion,
        guarantee,
        audited,
        tuple(float(draw.mean()) for draw in right),
        shares.further,
    )


def evaluate(
    settings: Settings, log: Log = lambda line: None, partial: Callable[[Result], None] = lambda result: None
) -> Result:
    """Run the experiment, epsilon by epsilon (`none` and `constant` once); ``partial`` gets what there is after each.

    Raises InputError for wrong settings, MechanismError where no guarantee would hold.
    """
    bench = Bench(settings)
    content = bench.corpus.content
    coverage = float((bench.corpus.index[content] >= 0).mean()) if content.any() else 0.0
    result = Result((), bench.clean(), len(bench.examples), int(content.sum()), coverage)
    for number, epsilon in enumerate(settings.epsilons):
        for name in settings.mechanisms:
            if name in WITHOUT_EPSILON and number:
                continue
            row = bench.measure(name, 0.0 if name == "constant" else epsilon)
            log(
                f"{name} at {epsilon:g}: accuracy {row.accuracy:.3f}, unigram attack {row.attack_unigram:.3f}"
            )
            result = replace(result, rows=(*result.rows, row))
        partial(result)
    return result
