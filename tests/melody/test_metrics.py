"""Every measure on a song small enough to count by hand."""

from dataclasses import replace

import pytest

from align.meter import Meter
from melody import metrics
from melody.metrics import SungNote, SungSong, SungSyllable
from melody.theory import Chord, ChordSpan, Key

# "A-bove the | sea": C4 pick-up, E4 on the downbeat, F4 on beat 2, G4-C5 held from beat 3 to the end of the bar.
SONG = SungSong(
    meter=Meter(4, 4),
    key=Key(0, "major"),
    notes=(
        SungNote(0, 480, 3, 60, 0, False),
        SungNote(480, 480, 5, 64, 1, False),
        SungNote(960, 480, 3, 66, 2, False),
        SungNote(1440, 480, 4, 67, 3, False),
        SungNote(1920, 480, 3, 72, 3, True),
    ),
    syllables=(
        SungSyllable(0, 0, False, False, 0),
        SungSyllable(0, 1, False, False, 0),
        SungSyllable(1, 0, False, True, 0),
        SungSyllable(2, 1, True, True, 0),
    ),
    chords=(ChordSpan(0, 480, Chord(7)), ChordSpan(480, 1920, Chord(0))),
)


def test_a_stressed_syllable_on_the_downbeat_is_stronger() -> None:
    assert metrics.stress_match([SONG]) == metrics.StressMatch(1.0, 0.0, 0.0, 1)


def test_a_stressed_syllable_on_a_weaker_beat_counts_as_weaker() -> None:
    notes = (replace(SONG.notes[0], strength=5), replace(SONG.notes[1], strength=3), *SONG.notes[2:])
    assert metrics.stress_match([replace(SONG, notes=notes)]).weaker == 1.0


def test_function_and_content_words_are_counted_apart_on_strong_beats() -> None:
    assert metrics.on_strong_beat([SONG], content=False) == 0.0
    assert metrics.on_strong_beat([SONG], content=True) == 1.0


def test_a_rest_inside_a_word_is_found() -> None:
    assert metrics.rests_inside_words([SONG]) == 0
    notes = (replace(SONG.notes[0], duration=240), *SONG.notes[1:])
    assert metrics.rests_inside_words([replace(SONG, notes=notes)]) == 1


def test_two_syllables_on_one_onset_are_crammed() -> None:
    assert metrics.crammed_syllables([SONG]) == 0
    notes = (SONG.notes[0], replace(SONG.notes[1], onset=0), *SONG.notes[2:])
    assert metrics.crammed_syllables([replace(SONG, notes=notes)]) == 1


def test_a_held_syllable_counts_with_its_whole_length_at_the_end_of_a_line() -> None:
    assert metrics.phrase_final_ratio([SONG]) == 2.0


def test_intervals_fall_into_their_classes() -> None:
    shares = metrics.interval_shares([SONG])  # third, step, step, fourth
    assert shares == {"repeat": 0, "step": 0.5, "third": 0.25, "fourth+": 0.25, "over octave": 0}


def test_span_melisma_and_key() -> None:
    assert metrics.span(SONG) == 12
    assert metrics.notes_per_syllable([SONG]) == 1.25
    assert metrics.in_key([SONG]) == pytest.approx(0.8)  # the F sharp is outside
    assert metrics.ends_on_tonic([SONG]) == 1.0


def test_the_raised_leading_tone_belongs_to_minor() -> None:
    notes = tuple(replace(note, pitch=pitch) for note, pitch in zip(SONG.notes, (69, 68, 66, 69, 67), strict=True))
    assert metrics.in_key([replace(SONG, key=Key(9, "minor"), notes=notes)]) == 1.0


def test_harmony_is_judged_on_strong_beats_and_line_ends() -> None:
    assert metrics.chord_tones_on_strong_beats([SONG]) == 1.0  # E and G over C
    assert metrics.cadences([SONG]) == 1.0
    elsewhere = replace(SONG, chords=(ChordSpan(0, 2400, Chord(5)),))
    assert metrics.chord_tones_on_strong_beats([elsewhere]) == 0.0
    assert metrics.cadences([elsewhere]) == 0.0


def test_pooled_values_are_in_sixteenths_and_relative_to_the_tonic() -> None:
    assert metrics.durations([SONG]) == [4] * 5
    assert metrics.onset_intervals([SONG]) == [4] * 4
    assert metrics.pitches([SONG]) == [("major", 0), ("major", 4), ("major", 6), ("major", 7), ("major", 0)]


def test_repeated_fourgrams_of_a_tune_sung_twice() -> None:
    note = SONG.notes[0]
    up_and_down = [60, 62] * 6
    song = replace(SONG, notes=tuple(replace(note, onset=i * 480, pitch=p) for i, p in enumerate(up_and_down)))
    # 11 tokens alternate +2, -2: 8 four-grams, 2 of them different.
    assert metrics.repeated_fourgrams([song]) == 0.75


def test_the_longest_copied_run_is_counted_in_notes_and_ignores_transposition() -> None:
    index = metrics.CopyIndex([metrics.tokens(SONG)])
    up = replace(SONG, notes=tuple(replace(note, pitch=note.pitch + 5) for note in SONG.notes))
    assert index.longest_run(metrics.tokens(up)) == 5
    changed = [*metrics.tokens(SONG)[:2], (9, 4), *metrics.tokens(SONG)[3:]]
    assert index.longest_run(changed) == 3
    assert index.longest_run([(11, 1)]) == 0
