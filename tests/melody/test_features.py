from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from align.corpus import CorpusNote, CorpusSong, CorpusSyllable
from align.meter import Meter
from lyrics.document import Role
from melody.features import (
    LOWEST,
    NUM_CLASSES,
    NUM_STATIC,
    REFRAIN,
    SOURCES,
    STATIC,
    UNKNOWN,
    VERSE,
    Frame,
    anchor_pitch,
    copy_sources,
    corpus_frame,
    lyrics_frame,
    refrains,
    rhyme_sounds,
    sequence_table,
    static_features,
)
from melody.theory import Chord, ChordSpan, Key


def frame_of(song: Any) -> Frame:
    return lyrics_frame(song.lyrics, song.rhythm, song.chords, song.key, "popular", song.rhymes)


def corpus_song(lines: tuple[str, ...], verse: str = "1") -> CorpusSong:
    """One quarter note on C for every word, one bar of 4/4 for every line."""
    words = [(word, line) for line, text in enumerate(lines) for word in text.split()]
    return CorpusSong(
        song_id="made up/1",
        group="3",
        verse=verse,
        style="hymn",
        language="en",
        meter=Meter(4, 4),
        key_fifths=0,
        key_mode="major",
        tempo_qpm=None,
        words=tuple(word for word, _ in words),
        syllables=tuple(CorpusSyllable(word, i, None, True, True, line) for i, (word, line) in enumerate(words)),
        notes=tuple(CorpusNote(480 * i, 480, 480 * i % 1920, 60, i, False) for i in range(len(words))),
        chords=(),
        num_lines=len(lines),
        lines_from_source=True,
        lines_text=lines,
    )


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("middle", [48.0, 60.0, 66.5, 71.0])
def test_the_anchor_is_the_tonic_below_most_of_the_song(tonic: int, middle: float) -> None:
    anchor = anchor_pitch(middle, tonic)
    assert anchor % 12 == tonic
    assert -3 <= middle - anchor < 9


def test_features_have_a_fixed_width_and_are_bounded(build: Callable[..., Any]) -> None:
    frame = frame_of(build())
    static = static_features(frame, copy_sources(frame))
    assert static.shape == (len(frame.onset), NUM_STATIC)
    assert static.dtype == np.float32
    assert static.min() >= 0
    assert static.max() <= 1


def test_transposing_key_and_chords_changes_no_feature(build: Callable[..., Any]) -> None:
    one, other = frame_of(build("C major")), frame_of(build("Ab major"))
    np.testing.assert_array_equal(static_features(one, copy_sources(one)), static_features(other, copy_sources(other)))


def test_a_chord_is_seen_by_its_own_notes_and_no_others(build: Callable[..., Any]) -> None:
    song = build()
    changed = replace(song, chords=(replace(song.chords[0], chord=Chord(2, "m")), *song.chords[1:]))
    frames = [frame_of(these) for these in (song, changed)]
    one, other = (static_features(frame, copy_sources(frame)) for frame in frames)
    differ = np.flatnonzero((one != other).any(axis=1))
    np.testing.assert_array_equal(differ, np.flatnonzero(frames[0].onset < 1920))


def test_chords_are_counted_from_the_tonic_and_silence_is_known(build: Callable[..., Any]) -> None:
    song = build("D major")
    frame = frame_of(replace(song, chords=(ChordSpan(0, 1920, Chord(9, "7")),)))
    first = frame.onset < 1920
    assert set(frame.chord_root[first].tolist()) == {7}
    assert set(frame.chord_root[~first].tolist()) == {12}
    assert np.flatnonzero(frame.chord_tones[0]).tolist() == [2, 5, 7, 11]  # A7 in D: 5 7 2 4 of the scale
    assert not frame.chord_tones[~first].any()


def test_lines_know_what_they_rhyme_with_and_what_answers_them(build: Callable[..., Any]) -> None:
    frame = frame_of(build())
    assert frame.line_rhyme[:4].tolist() == [0, 0, 2, 2]  # labels ABAB
    assert frame.line_answered[:4].tolist() == [1, 1, 0, 0]


def test_roles_that_the_corpus_teaches_are_told(build: Callable[..., Any]) -> None:
    form = (
        ("v1", Role.VERSE, ("la la",), None),
        ("c1", Role.CHORUS, ("la la",), None),
        ("b1", Role.BRIDGE, ("la",), None),
    )
    assert frame_of(build(form=form)).line_role.tolist() == [VERSE, REFRAIN, UNKNOWN]


def test_copies_come_from_the_same_place_of_earlier_lines(build: Callable[..., Any]) -> None:
    form = (("v1", Role.VERSE, ("a b c d", "a b c d", "a b c d e f", "a b c d", "a b c d"), None),)
    copies = copy_sources(frame_of(build(form=form)))
    assert SOURCES == ("line before", "two lines before", "four lines before", "line of most similar rhythm")
    assert (copies.note[:4] == -1).all()
    np.testing.assert_array_equal(copies.note[4:8, 0], [0, 1, 2, 3])
    # Six notes over four: the first four begin where those of the line before do, the others while its last sounds.
    np.testing.assert_array_equal(copies.note[8:14, 0], [4, 5, 6, 7, 7, 7])
    np.testing.assert_array_equal(copies.exact[8:14, 0], [True, True, True, True, False, False])
    np.testing.assert_array_equal(copies.note[18:22, 2], [0, 1, 2, 3])
    np.testing.assert_array_equal(copies.note[18:22, 3], [0, 1, 2, 3])
    assert copies.similarity[18, 3] == 1
    assert copies.similarity[8, 0] == pytest.approx(4 / 6)


@pytest.mark.parametrize("minor", [False, True])
def test_a_sequence_keeps_scale_steps(minor: bool) -> None:
    table = sequence_table(minor)
    scale = (0, 2, 3, 5, 7, 8, 10) if minor else (0, 2, 4, 5, 7, 9, 11)
    classes = [degree - LOWEST for degree in scale]
    for i in range(5):
        assert table[classes[i], classes[0], classes[2]] == classes[i + 2]  # a third higher, on every degree
    assert (np.diagonal(table, axis1=1, axis2=2)[classes] == np.array(classes)[:, None]).all()
    assert table.max() == NUM_CLASSES


def test_every_feature_block_is_named_once() -> None:
    assert sum(STATIC.values()) == NUM_STATIC


def test_lines_of_every_verse_are_the_refrain() -> None:
    one = corpus_song(("Oh the wind blows cold", "Sing all ye sailors, sing!"), "1")
    two = corpus_song(("But the night grows old", "Sing, all ye sailors sing"), "2")
    assert refrains([one, two]) == {"made up/1": frozenset({1})}
    assert refrains([one]) == {}
    frame = corpus_frame(one, Key(0, "major"), (), frozenset({1}))
    assert frame.line_role.tolist() == [VERSE, REFRAIN]
    assert corpus_frame(one, Key(0, "major"), ()).line_role.tolist() == [UNKNOWN, UNKNOWN]


def test_corpus_lines_rhyme_by_sound() -> None:
    song = corpus_song(("low is the moon", "far is the sea", "soft is the tune", "who walks with me"))
    sounds = rhyme_sounds(song)
    assert sounds[0] == sounds[2]
    assert sounds[1] == sounds[3]
    assert sounds[0] != sounds[1]
    assert corpus_frame(song, Key(0, "major"), ()).line_rhyme.tolist() == [0, 0, 2, 2]
    guessed = corpus_frame(replace(song, lines_from_source=False), Key(0, "major"), ())
    assert guessed.line_rhyme.tolist() == [4, 4, 4, 4]
