from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from align.meter import Meter
from melody.theory import Chord, Key
from pipeline.notation import (
    NOTATABLE,
    SHORTEST,
    SpelledPitch,
    choose_clef,
    engrave,
    key_alterations,
    spell_pitch,
    split_duration,
)
from pipeline.song import Song

METERS = [Meter.parse(text) for text in ("4/4", "3/4", "2/4", "6/8", "12/8")]


@settings(deadline=None)
@given(meter=st.sampled_from(METERS), data=st.data(), rest=st.booleans())
def test_pieces_are_note_values_that_fill_the_stretch(meter: Meter, data: st.DataObject, rest: bool) -> None:
    start = SHORTEST * data.draw(st.integers(0, meter.bar_ticks // SHORTEST - 1))
    end = SHORTEST * data.draw(st.integers(start // SHORTEST + 1, meter.bar_ticks // SHORTEST))
    pieces = list(split_duration(start, end, meter, rest=rest))
    assert pieces[0][0] == start
    assert all(before + length == after for (before, length), (after, _) in pairwise(pieces))
    assert sum(pieces[-1]) == end
    assert all(length in NOTATABLE for _, length in pieces)


@pytest.mark.parametrize(
    ("meter", "start", "end", "lengths"),
    [
        ("4/4", 0, 1440, [1440]),
        ("4/4", 480, 1440, [480, 480]),  # the middle of the bar stays visible
        ("4/4", 480, 1920, [480, 960]),
        ("4/4", 240, 720, [480]),  # eighth, quarter, eighth
        ("4/4", 720, 1200, [240, 240]),
        ("4/4", 0, 1680, [960, 720]),
        ("4/4", 120, 480, [360]),
        ("3/4", 0, 1200, [960, 240]),
        ("3/4", 240, 1440, [240, 960]),
        ("6/8", 0, 960, [720, 240]),  # dotted beats stay visible
        ("6/8", 480, 960, [240, 240]),
        ("6/8", 0, 1440, [1440]),
        ("12/8", 720, 2880, [720, 1440]),
    ],
)
def test_values_read_as_engravers_write_them(meter: str, start: int, end: int, lengths: list[int]) -> None:
    assert [length for _, length in split_duration(start, end, Meter.parse(meter))] == lengths


@pytest.mark.parametrize(
    ("meter", "start", "end", "lengths"),
    [
        ("4/4", 0, 1440, [960, 480]),
        ("4/4", 960, 1920, [960]),
        ("4/4", 240, 960, [240, 480]),
        ("3/4", 480, 1440, [480, 480]),
        ("6/8", 240, 720, [240, 240]),
        ("6/8", 720, 1440, [720]),
    ],
)
def test_rests_show_the_beats(meter: str, start: int, end: int, lengths: list[int]) -> None:
    assert [length for _, length in split_duration(start, end, Meter.parse(meter), rest=True)] == lengths


def test_every_bar_is_full_and_ties_join_what_was_one_note(any_song: Song) -> None:
    sung: list[tuple[int, int, int]] = []
    at = 0
    for bar, symbols in engrave(any_song):
        assert bar.start == at
        for symbol in symbols:
            assert symbol.start == at
            at += symbol.duration
            if symbol.sung is not None and symbol.tied_from:
                onset, length, pitch = sung.pop()
                assert pitch == symbol.sung.note.pitch
                sung.append((onset, length + symbol.duration, pitch))
            elif symbol.sung is not None:
                sung.append((symbol.start, symbol.duration, symbol.sung.note.pitch))
        assert at == bar.end
    assert at == any_song.end
    assert sung == [(n.onset, n.duration, n.pitch) for line in any_song.lines for n in line.notes]


def test_beams_open_and_close(any_song: Song) -> None:
    for _, symbols in engrave(any_song):
        is_open = {1: False, 2: False, 3: False}
        for symbol in symbols:
            for level, beam in enumerate(symbol.beams, 1):
                if "hook" not in beam:
                    assert is_open[level] == (beam in ("continue", "end"))
                    is_open[level] = beam != "end"
        assert not any(is_open.values())


@pytest.mark.parametrize(
    ("pitch", "key", "chord", "spelled"),
    [
        (66, "G major", None, ("F", 1, 4)),
        (70, "G major", "Cm", ("B", -1, 4)),
        (68, "A minor", "E7", ("G", 1, 4)),  # the raised leading tone
        (63, "E minor", "B7", ("D", 1, 4)),
        (68, "C major", "Fm", ("A", -1, 4)),
        (70, "B minor", "F#7", ("A", 1, 4)),
        (69, "Bb minor", "F7", ("A", 0, 4)),
    ],
)
def test_pitches_are_spelled_by_key_and_chord(
    pitch: int, key: str, chord: str | None, spelled: tuple[str, int, int]
) -> None:
    given_chord = None if chord is None else Chord.parse(chord)
    assert spell_pitch(pitch, Key.parse(key), given_chord) == SpelledPitch(*spelled)


@pytest.mark.parametrize(
    ("pitch", "key", "chord", "following", "spelled"),
    [
        (63, "C major", "C", 64, ("D", 1, 4)),  # a neighbour stands on the next line or space
        (63, "C major", "G", 62, ("E", -1, 4)),
        (68, "C major", "F", 69, ("G", 1, 4)),
        (60, "E major", "A", 61, ("B", 1, 3)),
        (65, "E major", "B", 66, ("E", 1, 4)),
        (68, "C major", "Fm", 69, ("A", -1, 4)),  # a chord tone is spelled as the chord has it
        (62, "F# major", "B", 63, ("D", 0, 4)),  # no C double sharp
    ],
)
def test_notes_that_lead_on_are_spelled_by_where_they_lead(
    pitch: int, key: str, chord: str, following: int, spelled: tuple[str, int, int]
) -> None:
    assert spell_pitch(pitch, Key.parse(key), Chord.parse(chord), following) == SpelledPitch(*spelled)


@given(pitch=st.integers(0, 127), tonic=st.integers(0, 11), mode=st.sampled_from(["major", "minor"]))
def test_a_spelled_pitch_sounds_as_it_should(pitch: int, tonic: int, mode: str) -> None:
    spelled = spell_pitch(pitch, Key(tonic, mode), None)
    natural = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[spelled.step]
    assert 12 * (spelled.octave + 1) + natural + spelled.alter == pitch


def test_signatures_alter_letters_in_their_order() -> None:
    assert {letter for letter, alter in key_alterations(2).items() if alter == 1} == {"F", "C"}
    assert {letter for letter, alter in key_alterations(-3).items() if alter == -1} == {"B", "E", "A"}


@pytest.mark.parametrize(
    ("low", "high", "clef"), [(60, 81, ("G", 0)), (53, 74, ("G", 0)), (48, 67, ("G", -1)), (40, 62, ("F", 0))]
)
def test_the_clef_suits_the_range(low: int, high: int, clef: tuple[str, int]) -> None:
    chosen = choose_clef(low, high)
    assert (chosen.sign, chosen.octave_change) == clef
