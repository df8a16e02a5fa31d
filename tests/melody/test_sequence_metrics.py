"""The published statistics on two lines of six notes, counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from melody import sequence_metrics as sm
from melody.sequence_metrics import NoteLines, SequenceError

# C D C D E E, with a breath of one beat before the fifth note; and five G falling to C, without rests.
LINES = NoteLines.of(
    [[60, 62, 60, 62, 64, 64], [67, 67, 67, 67, 67, 60]],
    [[1, 1, 1, 1, 2, 2], [0.5, 0.5, 0.5, 0.5, 1, 16]],
    [[0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0]],
)


def test_repetitions_count_the_pitch_grams_that_stood_before_in_the_line() -> None:
    # line 1: CD DC CD DE EE: one repeated; CDC DCD CDE DEE: none. line 2: GG x4, GC: three; GGG x3, GGC: two.
    assert sm.repetitions(LINES, 2) == (1 + 3) / 2
    assert sm.repetitions(LINES, 3) == (0 + 2) / 2


def test_span_unique_pitches_rests_and_length() -> None:
    assert sm.mean_span(LINES) == (4 + 7) / 2
    assert sm.unique_pitches(LINES) == (3 + 2) / 2
    assert sm.notes_without_rest(LINES) == (5 + 6) / 2
    assert sm.mean_rest(LINES) == 1 / 12
    assert sm.mean_length(LINES) == (9 + 19) / 2


def test_onset_intervals_join_the_duration_to_the_rest_before_the_next_note_and_are_cut_off() -> None:
    assert LINES.onset_interval.tolist() == [[1, 1, 1, 2, 2], [0.5, 0.5, 0.5, 0.5, 1]]
    long = NoteLines.of([[60, 60]], [[4, 1]], [[0, 16]])
    assert long.onset_interval.tolist() == [[sm.LONGEST_INTERVAL]]


def test_distinct_pools_the_grams_of_all_lines() -> None:
    # unigrams (interval, onset interval): +2,1 -2,1 +2,1 +2,2 0,2 | 0,.5 x4, -7,1: six different among ten
    assert sm.distinct(LINES, 1) == 0.6
    # bigrams: 4 different | three times the same, one more
    assert sm.distinct(LINES, 2) == 6 / 8
    # adding the first line a second time, higher up, adds grams but no different ones
    higher = NoteLines(
        LINES.pitch[[0, 1, 0]] + np.array([[0], [0], [5]]), LINES.duration[[0, 1, 0]], LINES.rest[[0, 1, 0]]
    )
    assert sm.distinct(higher, 2) == 6 / 12


def test_self_repetition_is_counted_line_by_line_and_ignores_transposition() -> None:
    # (interval, duration) of line 1: +2,1 -2,1 +2,1 +2,2 0,2: no bigram twice; of line 2: 0,.5 x3 0,1 -7,16: one of 4
    assert sm.self_repeated(LINES, 2) == (0 + 1 / 4) / 2
    sequence = NoteLines.of([[60, 62, 64, 65, 67]], [[1] * 5], [[0] * 5])  # +2 +2 +1 +2, so +2 occurs three times
    assert sm.self_repeated(sequence, 1) == 0.5


def test_a_gram_longer_than_the_line_is_an_error() -> None:
    with pytest.raises(SequenceError, match="no 7-grams"):
        sm.repetitions(LINES, 7)


def test_the_longest_copied_run_is_counted_in_notes() -> None:
    index = sm.index_lines(LINES)
    other = NoteLines.of([[72, 74, 72, 74, 70, 71], [50, 61, 50, 61, 50, 61]], [[1] * 6, [7] * 6], [[0] * 6] * 2)
    assert sm.copied_runs(LINES, index).tolist() == [6, 6]
    assert sm.copied_runs(other, index).tolist() == [4, 0]  # four notes of line 1, a tone higher; nothing


def test_divergences_compare_each_attribute_alone() -> None:
    up = NoteLines(LINES.pitch + 12, LINES.duration, LINES.rest)
    assert all(value == 0 for value in sm.divergences(up, LINES).values())
    other = NoteLines(LINES.pitch + 1, LINES.duration * 32, LINES.rest)
    found = sm.divergences(other, LINES)
    assert found["pitch class"] == 1.0  # C, D, E, G against C sharp, E flat, F, A flat
    assert found["interval"] == 0.0
    assert found["duration"] == pytest.approx(1 - sm.overlaps(other, LINES)["duration"], abs=0.2)
    assert found["onset interval"] == 1.0


def test_overlaps_of_half_changed_durations() -> None:
    changed = NoteLines(LINES.pitch, np.where([[True], [False]], 3.0, LINES.duration), LINES.rest)
    assert sm.overlaps(changed, LINES)["duration"] == pytest.approx(0.5)
    assert sm.overlaps(changed, LINES)["pitch class"] == 1.0


@pytest.mark.parametrize("shift", [0, 5, 11])
def test_the_tonic_of_a_scale_is_found_in_every_key_and_a_given_one_is_kept(shift: int) -> None:
    scale = np.array([[60, 62, 64, 65, 67, 69, 71, 72, 67, 60], [69, 71, 72, 74, 76, 77, 80, 81, 76, 69]]) + shift
    lines = NoteLines(scale, np.ones(scale.shape), np.zeros(scale.shape))
    assert sm.estimate_tonics(lines).tolist() == [shift % 12, (9 + shift) % 12]
    assert lines.scale_degree[0, :3].tolist() == [0, 2, 4]
    given = NoteLines(scale, lines.duration, lines.rest, np.array([(2 + shift) % 12] * 2))
    assert given.scale_degree[0, 0] == 10


def test_random_notes_keep_notes_whole_and_forget_their_order() -> None:
    noise = sm.random_notes(LINES, 50, seed=1)
    notes = {(p, d, r) for p, d, r in zip(LINES.pitch.ravel(), LINES.duration.ravel(), LINES.rest.ravel(), strict=True)}
    drawn = {(p, d, r) for p, d, r in zip(noise.pitch.ravel(), noise.duration.ravel(), noise.rest.ravel(), strict=True)}
    assert drawn == notes
    assert sm.random_notes(LINES, 50, seed=1).pitch.tolist() == noise.pitch.tolist()


def test_a_sample_compared_with_itself_is_at_no_distance_and_fully_copied() -> None:
    figures = sm.compare(LINES, LINES, sm.index_lines(LINES))
    assert figures["JS interval"] == 0
    assert figures["overlap duration"] == 1
    assert figures["longest run shared with training"] == 6
    assert figures["2-note repetitions"] == 2


def test_lines_of_unequal_length_are_refused() -> None:
    with pytest.raises(SequenceError, match="same number of notes"):
        NoteLines.of([[60], [60, 61]], [[1], [1, 1]], [[0], [0, 0]])
    with pytest.raises(SequenceError, match="one shape"):
        NoteLines.of([[60]], [[1, 1]], [[0]])
    with pytest.raises(SequenceError, match="one tonic a line"):
        NoteLines(LINES.pitch, LINES.duration, LINES.rest, np.array([1]))


def test_a_table_is_read_by_split_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "lines.parquet"
    rows = {"pitch": LINES.pitch.tolist(), "dur": LINES.duration.tolist(), "rest": LINES.rest.tolist()}
    pq.write_table(pa.table({**rows, "paper_split": ["train", "valid"]}), path)
    assert sm.read_paper_lines(path, "valid").pitch.tolist() == LINES.pitch[1:].tolist()
    with pytest.raises(SequenceError, match='no rows with paper_split "test"'):
        sm.read_paper_lines(path, "test")
    pq.write_table(pa.table(rows), path)
    with pytest.raises(SequenceError, match="no column paper_split"):
        sm.read_paper_lines(path, "valid")
    path.write_text("no table")
    with pytest.raises(SequenceError, match="not a parquet table"):
        sm.read_paper_lines(path, "valid")
