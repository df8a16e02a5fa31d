"""Phrases cut from songs, and their features on bars that can be counted by eye."""

from dataclasses import replace

import numpy as np
import pytest

from align.meter import Meter
from melody.metrics import SungNote, SungSong, SungSyllable
from melody.phrases import Phrase, cut_phrases, describe, legato, random_phrases, shuffled
from melody.theory import Key

METER = Meter(4, 4)


def song(pitches: list[int], duration: int = 480, *, pickup: int = 0, notes_a_line: int = 8) -> SungSong:
    """Notes one after the other, a line every so many notes; `pickup` ticks lie before the first bar line."""
    notes = []
    for i, pitch in enumerate(pitches):
        onset = i * duration
        place = (onset - pickup) % METER.bar_ticks
        notes.append(SungNote(onset, duration, METER.strength(place), pitch, i, False, place))
    syllables = tuple(SungSyllable(i, 1, True, True, i // notes_a_line) for i in range(len(pitches)))
    return SungSong(METER, Key(0, "major"), tuple(notes), syllables, ())


def phrase(pitches: list[int], duration: int = 480, num_bars: int = 8) -> Phrase:
    found = cut_phrases(song(pitches, duration), "0", num_bars)
    assert len(found) == 1
    return found[0]


SCALE = [60, 62, 64, 65, 67, 65, 64, 62] * 4  # 32 quarters: eight bars


def test_a_song_of_sixteen_bars_has_two_phrases_and_each_begins_with_a_line() -> None:
    found = cut_phrases(song(SCALE * 2), "a")
    assert [(p.start, len(p.notes)) for p in found] == [(0, 32), (8 * 1920, 32)]
    assert found[0].group == "a"


def test_what_is_left_over_is_not_a_phrase() -> None:
    assert len(cut_phrases(song(SCALE + SCALE[:16]), "a")) == 1
    assert cut_phrases(song(SCALE[:24]), "a") == []


def test_a_pick_up_belongs_to_the_phrase_that_it_leads_to() -> None:
    found = cut_phrases(song([67, *SCALE[:31], 67, *SCALE[:31]], pickup=480, notes_a_line=32), "a")
    assert [p.start for p in found] == [480, 480 + 8 * 1920]
    assert [p.notes[0].onset for p in found] == [0, 8 * 1920]
    assert describe(found[0])["pick-up in beats"] == 1


def test_a_phrase_with_a_short_bar_is_left_out() -> None:
    whole = song(SCALE)
    late = tuple(
        replace(note, place=(note.place + 960) % 1920) if i >= 16 else note for i, note in enumerate(whole.notes)
    )
    assert cut_phrases(replace(whole, notes=late), "a") == []


def test_phrases_need_places_in_the_bar() -> None:
    whole = song(SCALE)
    with pytest.raises(ValueError, match="place in the bar"):
        cut_phrases(replace(whole, notes=tuple(replace(note, place=-1) for note in whole.notes)), "a")


def test_features_of_a_scale_sung_four_times() -> None:
    found = describe(phrase(SCALE))
    assert found["notes per bar"] == 4
    assert found["duration in sixteenths: 4"] == 1
    assert found["onsets on strength 5"] == 0.25  # the downbeats
    assert found["time on degree 1"] == 4 / 32
    assert found["strong beats on degree 5"] == 4 / 16
    assert found["ends on degree 2"] == 1
    assert found["interval: step up"] == pytest.approx(16 / 31)  # 4 in each scale but the last falls, 3 joins
    assert found["span"] == 7
    assert found["turns"] == pytest.approx(7 / 30)
    assert found["longest run of one direction"] == 4
    assert found["bars equal 2 before"] == 1
    assert found["bars equal 1 before"] == 0
    assert found["rhythms equal 1 before"] == 1
    assert found["empty bars"] == 0
    assert found["syncopation"] == 0
    assert found["last note before the end, in bars"] == 0.25


def test_a_half_note_that_begins_on_the_second_beat_is_a_syncopation() -> None:
    base = phrase(SCALE)
    notes = (replace(base.notes[1], duration=960), *base.notes[3:])
    assert describe(replace(base, notes=(base.notes[0], *notes)))["syncopation"] == pytest.approx(1 / 31)


def test_features_do_not_depend_on_the_key() -> None:
    base = phrase(SCALE)
    up = replace(base, key=Key(5, "major"), notes=tuple(replace(note, pitch=note.pitch + 5) for note in base.notes))
    assert describe(up) == describe(base)


def test_the_shuffled_phrase_has_the_same_notes_in_the_same_time() -> None:
    base = phrase(SCALE[:16], 960)
    base = replace(base, notes=(replace(base.notes[0], duration=720), *base.notes[1:]))
    mixed = shuffled(base, np.random.default_rng(1))
    assert sorted(note.pitch for note in mixed.notes) == sorted(note.pitch for note in base.notes)
    assert sorted(note.duration for note in mixed.notes) == sorted(note.duration for note in base.notes)
    assert [note.pitch for note in mixed.notes] != [note.pitch for note in base.notes]
    assert all(note.place == (note.onset - mixed.start) % 1920 for note in mixed.notes)
    assert all(note.strength == METER.strength(note.place) for note in mixed.notes)


def test_random_phrases_draw_notes_above_each_phrases_own_tonic() -> None:
    low = phrase(SCALE)
    high = replace(low, key=Key(7, "major"), notes=tuple(replace(note, pitch=note.pitch + 7) for note in low.notes))
    drawn = random_phrases([low, high], np.random.default_rng(0))
    assert {note.pitch % 12 for note in drawn[0].notes} <= {0, 2, 4, 5, 7}
    assert {(note.pitch - 7) % 12 for note in drawn[1].notes} <= {0, 2, 4, 5, 7}
    assert [len(p.notes) for p in drawn] == [32, 32]


def test_legato_leaves_onsets_and_pitches_alone_and_no_rest() -> None:
    base = phrase(SCALE)
    breathing = replace(base, notes=tuple(replace(note, duration=240) for note in base.notes if note.place != 480))
    held = legato(breathing)
    assert [(note.onset, note.pitch) for note in held.notes] == [(note.onset, note.pitch) for note in breathing.notes]
    assert describe(held)["rests per bar"] == 0
    assert held.notes[0].duration == 960
    assert held.notes[-1].duration == 480
    assert legato(held) == held
