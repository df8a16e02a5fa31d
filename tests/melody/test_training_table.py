"""The training table: what is kept, what is dropped and why, what a row holds."""

from typing import Any

import pytest

from align.corpus import read_song
from melody.training_table import (
    LIST_COLUMNS,
    Account,
    distrust,
    lmd_rows,
    split_of,
    table_rows,
    transposed,
    usable_songs,
)

WORDS = "the ri ver runs to meet the sea and".split()


def row(**changes: Any) -> dict[str, Any]:
    """Nine quarters in A minor, printed as C major, with the word river cut in two."""
    count = len(WORDS)
    values: dict[str, Any] = {
        "song_id": "made up",
        "dataset": "bbloomf_songs",
        "part": "melody",
        "group": "2",
        "language": "en",
        "verse": "1",
        "time_sig": "4/4",
        "n_time_changes": 0,
        "n_key_changes": 0,
        "key_fifths": 0.0,
        "key_mode": "major",
        "tempo_bpm": None,
        "n_notes": count,
        "n_syllables": count,
        "pitch": [57, 59, 60, 62, 64, 62, 60, 59, 57],
        "onset": [float(i) for i in range(count)],
        "dur": [1.0] * (count - 1) + [3.0],
        "measure": [i // 4 for i in range(count)],
        "beat": [float(i % 4) for i in range(count)],
        "syllable": WORDS,
        "syllabic": [1, 2, 4, 1, 1, 1, 1, 1, 1],
        "line_id": [0, 0, 0, 0, 1, 1, 1, 1, 1],
        "section_id": [0] * count,
        "chord_onset": [],
        "chord": [],
        "repeats": [],
        "lines": ["the river runs", "to meet the sea and"],
    }
    return values | changes


def rows_of(*sources: dict[str, Any]) -> tuple[list[dict[str, Any]], Account]:
    account = Account()
    return table_rows(list(usable_songs(sources, account)), account), account


def test_a_row_holds_words_sounds_place_degree_and_position() -> None:
    (found,), account = rows_of(row())
    assert all(len(found[name]) == 9 for name in LIST_COLUMNS)
    assert (found["tonic"], found["mode"], account.modes_corrected) == (9, "minor", 1)
    assert found["word"][1:3] == ["river", "river"]
    assert found["phones"][:3] == ["DH AH0", "R IH1", "V ER0"]
    assert found["stress"][1:3] == [1, 0]
    assert found["place"] == [0, 480, 960, 1440, 0, 480, 960, 1440, 0]
    assert found["degree"] == [0, 2, 3, 5, 7, 5, 3, 2, 0]
    assert found["line_position"] == [0, 1, 2, 3, 0, 1, 2, 3, 4]
    assert found["line_left"] == [3, 2, 1, 0, 4, 3, 2, 1, 0]
    assert (found["chords_given"], found["split"], found["weight"]) == (False, "train", 1.0)
    assert set(found["chord_root"]) <= set(range(12))  # derived, as there are none


def test_groups_weigh_the_same_and_are_split_whole() -> None:
    found, _ = rows_of(row(), row(song_id="other", group="2"), row(song_id="alone", group="b"))
    assert [r["weight"] for r in found] == [0.5, 0.5, 1.0]
    assert [split_of(group) for group in ("a", "b", "c", "14")] == ["held_out", "tuning", "train", "held_out"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"time_sig": "5/4"}, "free or rare metre"),
        ({"n_time_changes": 1}, "metre changes"),
        ({"n_key_changes": 2}, "key changes"),
        ({"key_fifths": None}, "no key signature"),
        ({"n_syllables": 4}, "under eight syllables"),
        ({"n_notes": 30}, "under half of the notes have words"),
        ({"pitch": [30] * 9}, "outside the range of voices"),
        ({"dur": [3.0] * 9}, "notes overlap"),
        ({"onset": [0.0, 2.0, 1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]}, "notes out of order"),
        ({"dur": [1.0] * 8 + [20.0]}, "a note of over four bars"),
        ({"beat": [0.0, 1, 2, 3, 0, 1, 2, 9, 0]}, "notes outside their bars"),
        ({"syllable": "qx vrr zzt pfx grm hjk lmn prt ktk".split(), "syllabic": [1] * 9},
         "words that no dictionary has"),
        ({"syllabic": [2, 4, 2, 4, 2, 4, 1, 1, 1], "syllable": "se e ru n me et the sea and".split()},
         "syllables are not those of the words"),
    ],
)  # fmt: skip
def test_a_row_is_dropped_for_one_reason_that_is_counted(changes: dict[str, Any], reason: str) -> None:
    found, account = rows_of(row(**changes))
    assert found == []
    assert dict(account.dropped) == {reason: 1}
    assert (account.read, account.kept) == (1, 0)


def test_nothing_is_wrong_with_the_row_itself() -> None:
    assert distrust(read_song(row())) is None


def test_repeats_are_written_out_and_hopeless_ones_left_as_verses() -> None:
    found, account = rows_of(row(repeats=["1:repeat-backward"]))
    assert len(found[0]["pitch"]) == 8 + 8 + 1
    assert (account.unrolled, account.joined) == (1, 1)
    found, account = rows_of(row(repeats=["9:repeat-backward"]))
    assert len(found[0]["pitch"]) == 9
    assert dict(account.not_unrolled) == {"repeat after the end": 1}


def test_transposing_moves_pitch_and_tonic_and_shares_the_weight() -> None:
    found, _ = rows_of(row(), row(song_id="kept apart", group="a"))
    more = transposed(found, 3, seed=1)
    assert len(more) == 4 + 1
    moves = [r["transposed"] for r in more[:4]]
    assert moves[0] == 0
    assert len(set(moves)) == 4
    for copy in more[:4]:
        assert copy["pitch"] == [pitch + copy["transposed"] for pitch in found[0]["pitch"]]
        assert copy["tonic"] == (9 + copy["transposed"]) % 12
        assert copy["degree"] == found[0]["degree"]
    assert sum(r["weight"] for r in more[:4]) == pytest.approx(1)
    assert transposed(found, 0) == found


def lmd(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": "x", "dup_group": 12, "n_notes": 8, "grid_score": 0.9, "pitch": [60, 62, 64, 65, 67, 65, 64, 60],
        "ioi_s": [0.5] * 8, "ioi_16": [0, 4, 4, 4, 4, 4, 4, 4], "len_16": [4, 4, 2, 4, 4, 4, 4, 300],
        "syllables": ["la"] * 8, "words": ["la"] * 8, "word_id": [0, 0, 1, 2, 3, 4, 5, 6], "line_id": [0] * 4 + [1] * 4,
    }  # fmt: skip
    return values | changes


def test_the_karaoke_set_gives_rows_without_bars() -> None:
    account = Account()
    (found,) = lmd_rows([lmd()], account)
    assert all(len(found[name]) == 8 for name in LIST_COLUMNS)
    assert found["onset"][:3] == [0, 480, 960]
    assert found["rest"][3] == 240  # the third note lasts half of the time to the next
    assert found["duration"][-1] == 64 * 120
    assert set(found["place"]) == {-1}
    assert (found["tonic"], found["mode"], found["group"], found["split"]) == (0, "major", "c", "train")
    assert found["word_first"] == [1, 0, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"grid_score": 0.3}, "no steady beat"),
        ({"pitch": [40] * 8}, "outside the range of voices"),
        ({"ioi_s": [0.5, -0.1] + [0.5] * 6}, "notes out of order"),
        ({"n_notes": 3}, "under eight syllables"),
    ],
)
def test_karaoke_songs_are_dropped_for_one_reason(changes: dict[str, Any], reason: str) -> None:
    account = Account()
    assert lmd_rows([lmd(**changes)], account) == []
    assert dict(account.dropped) == {reason: 1}
