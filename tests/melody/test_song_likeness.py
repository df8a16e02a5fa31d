"""Likeness of songs, on songs of four notes."""

from dataclasses import replace

import pytest

from align.meter import Meter
from melody.metrics import SungNote, SungSong, SungSyllable
from melody.song_likeness import Likeness, per_song, pitch_series, pooled, random_songs
from melody.theory import Key


def song(pitches: list[int], durations: list[int], tonic: int = 0) -> SungSong:
    onsets = [sum(durations[:i]) for i in range(len(durations))]
    notes = tuple(
        SungNote(onset, duration, 5, pitch, i, False, onset % 1920)
        for i, (onset, duration, pitch) in enumerate(zip(onsets, durations, pitches, strict=True))
    )
    syllables = tuple(SungSyllable(i, 1, True, True, 0) for i in range(len(pitches)))
    return SungSong(Meter(4, 4), Key(tonic, "major"), notes, syllables, ())


ONE = song([60, 62, 64, 60], [480, 480, 480, 960])
TWO = song([60, 62, 67, 67], [480, 480, 960, 960])


def test_pooled_likeness_overlaps_the_histograms_of_all_notes() -> None:
    # pitch: tonic 2 of 4 and 1 of 4, second 1 and 1: 1/4 + 1/4; durations: 3/4 and 2/4, 1/4 and 2/4: 1/2 + 1/4;
    # onset intervals: 4 4 4 and 4 4 8: 2/3
    found = pooled([ONE], [TWO])
    assert (found.pitch, found.duration) == (0.5, 0.75)
    assert found.onset_interval == pytest.approx(2 / 3)
    assert pooled([ONE, TWO], [TWO, ONE]) == Likeness(1.0, 1.0, 1.0)


def test_likeness_does_not_depend_on_the_key() -> None:
    up = song([65, 67, 69, 65], [480, 480, 480, 960], tonic=5)
    assert per_song([up], [ONE]) == Likeness(1.0, 1.0, 1.0, 0.0)


def test_songs_are_compared_in_pairs() -> None:
    found = per_song([ONE, TWO], [ONE, ONE])
    assert found.pitch == (1 + 0.5) / 2
    assert found.duration == (1 + 0.75) / 2


def test_the_series_has_a_value_for_every_sixteenth_around_its_mean() -> None:
    assert pitch_series(song([60, 66], [240, 120])) == [-2, -2, 4]


def test_melody_distance_is_the_warped_distance_of_the_series() -> None:
    low, high = song([60, 62], [240, 240]), song([60, 66], [240, 240])
    # -1 -1 1 1 against -3 -3 3 3: every step costs 2
    assert per_song([low], [high]).melody_distance == pytest.approx(2)


def test_random_songs_have_the_notes_of_all_songs_above_their_own_tonic() -> None:
    up = song([65, 67, 69, 65], [240, 240, 240, 240], tonic=5)
    noise = random_songs([ONE, up] * 20, seed=1)
    assert {note.pitch for n in noise[::2] for note in n.notes} <= {60, 62, 64}
    assert {note.pitch for n in noise[1::2] for note in n.notes} <= {65, 67, 69}
    assert {note.duration for n in noise for note in n.notes} == {240, 480, 960}
    assert [note.syllable for note in noise[0].notes] == [0, 1, 2, 3]
    assert all(note.place == note.onset % 1920 for n in noise for note in n.notes)
    assert random_songs([ONE, up], seed=4) == random_songs([ONE, replace(up)], seed=4)
