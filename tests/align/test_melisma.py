"""Inside a syllable's time: breath, rests at punctuation, and melisma."""

import numpy as np

from align.features import AFTER_STRESS, BOUNDARY, CONTENT, FUNCTION_WEAK, INSIDE, PRIMARY, STOP, LineFeatures
from align.melisma import Ending, divide, divide_last, draw_ending, last_length, note_lengths
from align.scorer import load_scorer

LINE = LineFeatures(
    (FUNCTION_WEAK, CONTENT, PRIMARY, AFTER_STRESS, CONTENT), (BOUNDARY, STOP, INSIDE, BOUNDARY, STOP), (0, 1, 1, 0, 1)
)
ONSETS = (-4, 0, 16, 24, 32)


def lengths(seed: int, members: list[LineFeatures] | None = None, habit: float = 0.0) -> tuple[int, ...]:
    rng = np.random.default_rng(seed)
    return note_lengths(members or [LINE], ONSETS, compound=False, tables=load_scorer().tables, habit=habit, rng=rng)


def divided(seed: int, members: list[LineFeatures] | None = None) -> tuple[tuple[int, ...], ...]:
    rng = np.random.default_rng(seed)
    given = (4, 16, 8, 8)
    return divide(members or [LINE], given, compound=False, tables=load_scorer().tables, rng=rng, lift=2.0, shortest=2)


def test_syllables_are_held_up_to_the_next_one_save_at_punctuation() -> None:
    for seed in range(50):
        first, second, third, fourth = lengths(seed)
        assert (first, third, fourth) == (4, 8, 8)
        assert second in (12, 16)


def test_songs_with_a_habit_of_rests_rest_at_punctuation_too() -> None:
    shares = [np.mean([lengths(seed, habit=habit)[1] == 12 for seed in range(200)]) for habit in (-4.0, 0.0, 4.0)]
    assert shares[0] < 0.1
    assert shares[0] < shares[1] < shares[2]


def last(gap: int, rest: float, habit: float = 0.0) -> int:
    ending = Ending(rest, length=0.5, held=1.0, division=0.5)
    return last_length(gap, ending, habit, compound=False, tables=load_scorer().tables)


def test_most_last_notes_are_held_until_the_next_line_and_some_leave_a_rest() -> None:
    assert last(8, rest=0.5) == 8
    for gap in range(4, 40):
        assert 2 <= last(gap, rest=0.0) < gap
        assert last(gap, rest=0.999) == min(gap, 32)


def test_no_rest_is_squeezed_in_where_the_next_line_follows_at_once() -> None:
    assert [last(gap, rest=0.0, habit=9.0) for gap in (1, 2, 3)] == [1, 2, 3]


def test_songs_with_a_habit_of_rests_have_more_of_them() -> None:
    chances = np.linspace(0.01, 0.99, 99)
    shares = [np.mean([last(12, rest, habit) < 12 for rest in chances]) for habit in (-3.0, 0.0, 3.0)]
    assert shares[0] < 0.1 < shares[1] < 0.6 < 0.8 < shares[2]


def test_last_notes_are_divided_like_any_long_note() -> None:
    rng = np.random.default_rng(0)
    tables = load_scorer().tables
    pieces = {divide_last(8, draw_ending(rng), compound=False, tables=tables, lift=2.0, shortest=2) for _ in range(200)}
    assert (8,) in pieces
    assert len(pieces) > 1
    assert all(sum(each) == 8 for each in pieces)


def test_lines_that_share_a_rhythm_rest_only_where_all_have_punctuation() -> None:
    other = LineFeatures(LINE.classes, (BOUNDARY,) * 5, LINE.stresses)
    assert all(lengths(seed, [LINE, other])[1] == 16 for seed in range(50))


def test_divisions_fill_their_syllable_with_at_most_three_notes() -> None:
    seen: set[int] = set()
    for seed in range(300):
        pieces = divided(seed)
        assert [sum(piece) for piece in pieces] == [4, 16, 8, 8]
        assert all(len(piece) <= 3 and min(piece) >= 2 for piece in pieces)
        seen.update(i for i, piece in enumerate(pieces) if len(piece) > 1)
    assert {1, 2} <= seen  # long content words and stressed syllables carry melismas
    assert not seen & {0, 3}  # articles and unstressed syllables do not
