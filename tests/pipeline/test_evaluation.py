"""The table of measures on songs composed in the test."""

from dataclasses import replace
from functools import cache

from align.meter import Meter
from lyrics.document import Lyrics
from lyrics.parse import parse_lyrics
from melody.metrics import durations
from pipeline.compose import compose
from pipeline.evaluation import (
    chunks,
    expected_in_kind,
    overlap_of_halves,
    register_lift,
    repeats_hold,
    sung_from_song,
    sung_once,
    table,
    verse_and_chorus,
)
from pipeline.song import Song

LINES = [
    "The lantern on the garden wall",
    "Is shining for the last to come",
    "I hear the river rise and fall",
    "I hear the distant highway hum",
    "Oh carry me over, carry me home",
    "Carry me under the open sky",
    "Never again will I wander alone",
    "Carry me over and let me fly",
]


@cache
def song() -> Song:
    return compose(verse_and_chorus(LINES), seed=3)


def words() -> Lyrics:
    return parse_lyrics(verse_and_chorus(LINES))


def test_a_syllable_that_is_missing_is_not_sung_once() -> None:
    assert sung_once(words(), song()) == 1
    more = parse_lyrics(verse_and_chorus([*LINES[:-1], "Carry me over and let me fly away"]))
    assert sung_once(more, song()) < 1


def test_verse_and_chorus_are_sung_twice_each() -> None:
    assert song().form == ("v1", "c1", "v2", "c1") or song().form == ("v1", "c1", "v1", "c1")


def test_the_flat_view_keeps_every_syllable_and_note() -> None:
    sung = sung_from_song(song())
    assert len(sung.notes) == sum(len(line.notes) for line in song().lines)
    assert [n.syllable for n in sung.notes if not n.held] == list(range(len(sung.syllables)))
    assert sung.section_ends == (3, 7, 11, 15)


def test_a_chorus_moved_up_an_octave_shows_in_the_register() -> None:
    lift = register_lift(song())
    assert lift is not None
    sections = []
    for section in song().sections:
        if section.role == "chorus":
            lines = tuple(
                replace(
                    line,
                    words=tuple(
                        replace(
                            word,
                            syllables=tuple(
                                replace(s, notes=tuple(replace(n, pitch=n.pitch + 12) for n in s.notes))
                                for s in word.syllables
                            ),
                        )
                        for word in line.words
                    ),
                )
                for line in section.lines
            )
            section = replace(section, lines=lines)
        sections.append(section)
    moved = replace(song(), sections=tuple(sections))
    higher = register_lift(moved)
    assert higher is not None
    assert round(higher - lift, 9) == 12
    assert repeats_hold(moved)


def test_a_repeat_with_another_note_does_not_hold() -> None:
    assert repeats_hold(song())
    last = song().sections[-1]
    line = last.lines[0]
    word = line.words[0]
    syllable = word.syllables[0]
    other = replace(
        syllable, notes=(replace(syllable.notes[0], pitch=syllable.notes[0].pitch + 1), *syllable.notes[1:])
    )
    changed = replace(line, words=(replace(word, syllables=(other, *word.syllables[1:])), *line.words[1:]))
    section = replace(last, lines=(changed, *last.lines[1:]))
    assert not repeats_hold(replace(song(), sections=(*song().sections[:-1], section)))


def test_chunks_hold_twenty_notes_and_leave_out_a_short_rest() -> None:
    sung = sung_from_song(song())
    pieces = chunks(sung)
    assert all(len(piece) == 19 for piece in pieces)
    assert len(pieces) == len(sung.notes) // 20


def test_a_song_compared_with_itself_overlaps_fully_and_is_copied_from_itself() -> None:
    sung = sung_from_song(song())
    both = table(
        [sung, sung], [words(), words()], [[song(), song()]], [[song(), song()]] * 2, [song()], ["a", "b"], [sung]
    )
    rows = {row.name: row for row in both}
    for name in ("DD: durations, words alone, %", "DD: durations, metre, mode and style given, %"):
        assert rows[name].ours == ("100.0 +- 0.0" if "given" in name else "100.0")
        assert rows[name].human == "100.0 / 100.0"
    assert rows["longest run found in training songs, mean notes per 20"].ours == "20.0"
    assert rows["crammed syllables"].ours == "0"
    assert rows["repeated sections identical, %"].reached


def test_halves_part_songs_and_not_verses() -> None:
    short, long = (
        replace(sung_from_song(song()), notes=tuple(replace(n, duration=d) for n in sung_from_song(song()).notes))
        for d in (240, 480)
    )
    assert overlap_of_halves([short, short, long, long], ["a", "a", "b", "b"], durations) == 0
    assert overlap_of_halves([short, long, short, long], ["a", "a", "b", "b"], durations) == 1


def test_songs_are_expected_to_be_as_those_of_their_metre_and_mode() -> None:
    plain = sung_from_song(song())
    short, long = (replace(plain, notes=tuple(replace(n, duration=d) for n in plain.notes)) for d in (240, 480))
    meter = next(Meter(*size) for size in ((3, 4), (4, 4)) if Meter(*size) != plain.meter)
    other, half = replace(long, meter=meter), len(plain.notes) / 2
    assert expected_in_kind([plain], [short, other], durations) == {2: 2 * half}
    assert expected_in_kind([other], [short, long], durations) == {2: half, 4: half}
