"""Can a machine tell human phrases from generated ones? A classifier two-sample test.

Source: Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests" (2017). A small classifier learns to tell two
samples of phrases apart and is asked about phrases of songs that it has not seen; 50 % right means that it cannot.
The figure means something only beside the same classifier's accuracy where the answer is known: on notes drawn at
random and on shuffled human phrases (near 100 %, or it is too weak), and on two halves of the human songs (near 50 %,
or the protocol leaks).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melody.phrases import Phrase, describe, random_phrases, shuffled

Floats = NDArray[np.float64]
NUM_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Giveaway:
    """A feature by which the samples differ."""

    feature: str
    human: float  # mean
    generated: float  # mean
    separation: float  # how often a generated phrase has more of it than a human one, ties half: 0.5 is no difference


@dataclass(frozen=True, slots=True)
class Verdict:
    """How well two samples of phrases are told apart."""

    accuracy: float  # mean of the shares of human and of generated phrases that were recognised
    standard_error: float
    num_human: int
    num_generated: int
    giveaways: tuple[Giveaway, ...]  # strongest first


@dataclass(frozen=True, slots=True)
class TwoSampleTest:
    """The verdict on generated phrases with the three verdicts that say what it is worth."""

    generated: Verdict
    random_notes: Verdict
    shuffled: Verdict
    halves: Verdict


def tell_apart(
    human: Sequence[Phrase],
    generated: Sequence[Phrase],
    seed: int = 0,
    judged: frozenset[str] | None = None,
    num_folds: int = NUM_FOLDS,
) -> Verdict:
    """Cross-validate the classifier by group; the accuracy counts phrases of the groups `judged` only (None: all).

    A group's phrases, human and generated, are always judged by a classifier that has seen none of that group. Human
    and generated phrases weigh the same in learning and in the accuracy, whatever their numbers. Raises ValueError
    if there are fewer than two groups.
    """
    if not human or not generated:
        raise ValueError("the two-sample test needs human and generated phrases of two groups or more")
    return _tell_apart(_sample(human), _sample(generated), seed, judged, num_folds)


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """Phrases as the classifier sees them."""

    features: Floats  # (N, F)
    groups: tuple[str, ...]
    names: tuple[str, ...]

    def part(self, rows: Sequence[bool]) -> "_Sample":
        kept = np.array(rows)
        return _Sample(self.features[kept], tuple(g for g, k in zip(self.groups, rows, strict=True) if k), self.names)


def _sample(phrases: Sequence[Phrase]) -> _Sample:
    rows = [describe(phrase) for phrase in phrases]
    names = tuple(rows[0])
    features = np.array([[row[name] for name in names] for row in rows])
    return _Sample(features, tuple(phrase.group for phrase in phrases), names)


def _tell_apart(
    human: _Sample, generated: _Sample, seed: int, judged: frozenset[str] | None, num_folds: int
) -> Verdict:
    from sklearn.model_selection import GroupKFold

    labels = np.array([0] * len(human.groups) + [1] * len(generated.groups))
    groups = np.array(human.groups + generated.groups)
    features = np.concatenate((human.features, generated.features))
    num_groups = len(set(groups.tolist()))
    if num_groups < 2:
        raise ValueError("the two-sample test needs human and generated phrases of two groups or more")
    guesses = np.zeros(len(labels))
    folds = GroupKFold(min(num_folds, num_groups), shuffle=True, random_state=seed)
    for known, asked in folds.split(features, labels, groups):
        if len(set(labels[known].tolist())) < 2:
            raise ValueError("the two-sample test needs human and generated phrases in every part of the songs")
        guesses[asked] = _learn_and_guess(features[known], labels[known], features[asked], seed)
    counted = np.array([judged is None or group in judged for group in groups.tolist()])
    right = (guesses > 0.5) == labels
    shares = [right[counted & (labels == side)] for side in (0, 1)]
    if not all(len(share) for share in shares):
        raise ValueError("no phrases to judge on one side of the two-sample test")
    accuracy = float(np.mean([share.mean() for share in shares]))
    error = float(np.sqrt(sum(share.mean() * (1 - share.mean()) / len(share) for share in shares)) / 2)
    giveaways = _giveaways(features[counted], labels[counted], human.names)
    return Verdict(accuracy, error, len(shares[0]), len(shares[1]), giveaways)


def _learn_and_guess(features: Floats, labels: NDArray[np.int64], asked: Floats, seed: int) -> Floats:
    """Return the probability of "generated" for the rows `asked`: the mean of three classifiers of different kinds.

    A linear one sees shifts of means, extremely random and boosted trees see how features go together; on a thousand
    phrases their mean is steadier than any of them.
    """
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    classifiers = (
        make_pipeline(StandardScaler(), LogisticRegression(C=0.02, class_weight="balanced", max_iter=2000)),
        ExtraTreesClassifier(
            200, min_samples_leaf=2, max_features=0.2, class_weight="balanced", random_state=seed, n_jobs=1
        ),
        HistGradientBoostingClassifier(
            max_iter=100, learning_rate=0.08, max_leaf_nodes=12, l2_regularization=1.0, class_weight="balanced",
            random_state=seed,
        ),
    )  # fmt: skip
    guesses: list[Floats] = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant features
        for classifier in classifiers:
            classifier.fit(features, labels)
            guesses.append(classifier.predict_proba(asked)[:, 1])
    mean: Floats = np.stack(guesses).mean(axis=0)
    return mean


def _giveaways(
    features: Floats, labels: NDArray[np.int64], names: Sequence[str], most: int = 25
) -> tuple[Giveaway, ...]:
    from scipy.stats import rankdata

    human, generated = features[labels == 0], features[labels == 1]
    ranks = rankdata(features, axis=0)[labels == 1].sum(axis=0)
    count = len(generated)
    separation = (ranks - count * (count + 1) / 2) / (count * len(human))
    order = np.argsort(-np.abs(separation - 0.5), kind="stable")[:most]
    return tuple(
        Giveaway(names[i], float(human[:, i].mean()), float(generated[:, i].mean()), float(separation[i]))
        for i in order
    )


def two_sample_test(
    human: Sequence[Phrase],
    generated: Sequence[Phrase],
    seed: int = 0,
    judged: frozenset[str] | None = None,
    num_folds: int = NUM_FOLDS,
) -> TwoSampleTest:
    """Tell human from generated phrases, and from random notes, from their own notes shuffled, and from each other."""
    rng = np.random.default_rng(seed)
    groups = sorted({phrase.group for phrase in human})
    half = set(rng.permutation(groups)[: len(groups) // 2].tolist())
    people = _sample(human)
    first = [phrase.group not in half for phrase in human]
    noise = _sample(random_phrases(human, rng))
    mixed = _sample([shuffled(phrase, rng) for phrase in human])
    return TwoSampleTest(
        generated=_tell_apart(people, _sample(generated), seed, judged, num_folds),
        random_notes=_tell_apart(people, noise, seed, judged, num_folds),
        shuffled=_tell_apart(people, mixed, seed, judged, num_folds),
        halves=_tell_apart(people.part(first), people.part([not one for one in first]), seed, None, num_folds),
    )
