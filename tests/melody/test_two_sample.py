"""The two-sample test on made-up phrases: what it must tell apart, and what it must not."""

from dataclasses import replace

import numpy as np
import pytest

from align.meter import Meter
from melody import two_sample
from melody.metrics import SungNote
from melody.phrases import Phrase
from melody.theory import Key

pytest.importorskip("sklearn")
METER = Meter(4, 4)


def walk(seed: int, step: int) -> Phrase:
    """Make eight bars of quarters that wander by at most `step` scale steps."""
    rng = np.random.default_rng(seed)
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    place, notes = 3, []
    for i in range(32):
        place = int(np.clip(place + rng.integers(-step, step + 1), 0, 7))
        at = i * 480 % 1920
        notes.append(SungNote(i * 480, 480, METER.strength(at), scale[place], i, False, at))
    return Phrase(f"{seed % 20:x}", METER, Key(0, "major"), 0, 8, tuple(notes))


def test_steps_are_told_from_leaps_and_the_giveaways_say_so() -> None:
    verdict = two_sample.tell_apart([walk(i, 1) for i in range(40)], [walk(i + 100, 5) for i in range(40)])
    assert verdict.accuracy > 0.95
    assert (verdict.num_human, verdict.num_generated) == (40, 40)
    first = next(giveaway for giveaway in verdict.giveaways if giveaway.feature == "mean size of intervals")
    assert first.generated > first.human
    assert first.separation > 0.95


def test_the_controls_are_recognised_and_halves_are_not() -> None:
    human = [walk(i, 1) for i in range(40)]
    test = two_sample.two_sample_test(human, human, num_folds=2)
    assert test.generated.accuracy == pytest.approx(0.5)
    assert test.random_notes.accuracy > 0.95
    assert test.shuffled.accuracy > 0.95
    assert abs(test.halves.accuracy - 0.5) < 0.2


def test_two_samples_of_one_source_are_not_told_apart() -> None:
    verdict = two_sample.tell_apart(
        [walk(i, 2) for i in range(40)], [walk(i + 1000, 2) for i in range(40)], num_folds=2
    )
    assert abs(verdict.accuracy - 0.5) < 0.2


def test_a_group_is_never_judged_by_a_classifier_that_has_seen_it() -> None:
    # Whole groups are human or generated, and their phrases are all alike: only who has seen the group could tell.
    alike = [[replace(walk(i, 2), group=f"{i:x}")] * 3 for i in range(20)]
    human, generated = ([p for same in part for p in same] for part in (alike[:10], alike[10:]))
    assert two_sample.tell_apart(human, generated).accuracy < 0.7


def test_only_the_groups_asked_for_are_counted() -> None:
    human, generated = [walk(i, 1) for i in range(40)], [walk(i + 100, 5) for i in range(40)]
    verdict = two_sample.tell_apart(human, generated, judged=frozenset({"0", "1"}), num_folds=2)
    assert (verdict.num_human, verdict.num_generated) == (4, 4)
    with pytest.raises(ValueError, match="no phrases to judge"):
        two_sample.tell_apart(human, generated, judged=frozenset(), num_folds=2)


def test_one_group_is_not_enough() -> None:
    with pytest.raises(ValueError, match="two groups"):
        two_sample.tell_apart([walk(0, 1)], [walk(20, 1)])


def test_the_separation_is_the_share_of_pairs_in_which_the_generated_phrase_has_more() -> None:
    features = np.array([[1.0], [2.0], [2.0], [3.0]])
    (only,) = two_sample._giveaways(features, np.array([0, 0, 1, 1]), ["x"])
    assert only.separation == (1 + 0.5 + 1 + 1) / 4
    assert (only.human, only.generated) == (1.5, 2.5)
