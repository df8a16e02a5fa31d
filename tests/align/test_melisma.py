"""Inside a syllable's time: breath, rests at punctuation, and melisma."""

import numpy as np

from align.features import AFTER_STRESS, BOUNDARY, CONTENT, FUNCTION_WEAK, INSIDE, PRIMARY, STOP, LineFeatures
from align.melisma import divide, note_lengths
from align.scorer import load_scorer

LINE = LineFeatures(
    (FUNCTION_WEAK, CONTENT, PRIMARY, AFTER_STRESS, CONTENT), (BOUNDARY, STOP, INSIDE, BOUNDARY, STOP), (0, 1, 1, 0, 1)
)
ONSETS = (-4, 0, 16, 24, 32)


def lengths(seed: int, members: list[LineFeatures] | None = None) -> tuple[int, ...]:
    rng = np.random.default_rng(seed)
    return note_lengths(members or [LINE], ONSETS, 44, compound=False, tables=load_scorer().tables, rng=rng)


def divided(seed: int, members: list[LineFeatures] | None = None) -> tuple[tuple[int, ...], ...]:
    rng = np.random.default_rng(seed)
    given = (4, 16, 8, 8, 8)
    return divide(members or [LINE], given, compound=False, tables=load_scorer().tables, rng=rng)


def test_syllables_are_held_up_to_the_next_one_save_at_punctuation() -> None:
    for seed in range(50):
        first, second, third, fourth, _ = lengths(seed)
        assert (first, third, fourth) == (4, 8, 8)
        assert second in (12, 16)


def test_the_last_note_leaves_a_breath() -> None:
    assert {lengths(seed)[-1] for seed in range(50)} <= {4, 6, 8}


def test_lines_that_share_a_rhythm_rest_only_where_all_have_punctuation() -> None:
    other = LineFeatures(LINE.classes, (BOUNDARY,) * 5, LINE.stresses)
    assert all(lengths(seed, [LINE, other])[1] == 16 for seed in range(50))


def test_divisions_fill_their_syllable_with_at_most_three_notes() -> None:
    seen: set[int] = set()
    for seed in range(300):
        pieces = divided(seed)
        assert [sum(piece) for piece in pieces] == [4, 16, 8, 8, 8]
        assert all(len(piece) <= 3 and min(piece) >= 2 for piece in pieces)
        seen.update(i for i, piece in enumerate(pieces) if len(piece) > 1)
    assert {1, 2} <= seen  # long content words and stressed syllables carry melismas
    assert not seen & {0, 3}  # articles and unstressed syllables do not
