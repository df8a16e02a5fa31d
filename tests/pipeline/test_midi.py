import io
from dataclasses import replace
from typing import Any

import mido
import pretty_midi
import pytest

from pipeline.arrange import arrange
from pipeline.midi import lead_in, midi_bytes
from pipeline.song import MIDI_LYRICS, Song


def _read(song: Song) -> Any:
    return mido.MidiFile(file=io.BytesIO(midi_bytes(song)), charset="utf-8")


def _at(track: Any) -> list[tuple[int, Any]]:
    tick = 0
    events = []
    for message in track:
        tick += message.time
        events.append((tick, message))
    return events


def _track(file: Any, name: str) -> Any:
    return next(track for track in file.tracks if track.name == name)


def _with_lyrics(song: Song, convention: str) -> Song:
    return replace(song, settings=replace(song.settings, midi_lyrics=convention))


def test_track_0_conducts(song: Song) -> None:
    file = _read(song)
    assert (file.type, file.ticks_per_beat) == (1, 480)
    events = _at(file.tracks[0])
    told = {message.type: message for _, message in events}
    assert mido.tempo2bpm(told["set_tempo"].tempo) == pytest.approx(96)
    assert (told["time_signature"].numerator, told["time_signature"].denominator) == (4, 4)
    assert told["key_signature"].key == "G"
    markers = [(tick, message.text) for tick, message in events if message.type == "marker"]
    shift = lead_in(song)
    assert markers == [(section.first_tick + shift, section.label) for section in song.sections]
    assert [text for _, text in markers] == ["Verse 1", "Chorus - loud", "Chorus - loud", "Instrumental"]


def test_a_pick_up_stands_at_the_end_of_a_full_first_bar(song: Song) -> None:
    assert lead_in(song) == 1920 - 480
    onset = next(tick for tick, message in _at(_track(_read(song), "Melody")) if message.type == "note_on")
    assert onset == 1440


@pytest.mark.parametrize("convention", MIDI_LYRICS)
def test_every_syllable_is_one_lyric_event_at_the_tick_of_its_note(any_song: Song, convention: str) -> None:
    song = _with_lyrics(any_song, convention)
    track = _track(_read(song), "Melody")
    events = _at(track)
    lyrics = [(tick, message.text.strip(" \r\n").rstrip("-")) for tick, message in events if message.type == "lyrics"]
    shift = lead_in(song)
    expected = [
        (syllable.notes[0].onset + shift, word.printed(index).rstrip("-"))
        for line in song.lines
        for word in line.words
        for index, syllable in enumerate(word.syllables)
    ]
    assert lyrics == expected
    assert {message.type for message in track if message.is_meta} == {"track_name", "lyrics", "end_of_track"}
    # The lyric stands directly before its note-on, so that readers that go by order are right as well.
    kinds = [message.type for message in track]
    for index, kind in enumerate(kinds):
        if kind == "lyrics":
            assert kinds[index + 1] == "note_on"


def test_the_melody_is_monophonic_and_plays_every_note(any_song: Song) -> None:
    sounding: tuple[int, int] | None = None
    played = []
    for tick, message in _at(_track(_read(any_song), "Melody")):
        if message.type == "note_on":
            assert sounding is None
            sounding = (tick, message.note)
        elif message.type == "note_off":
            assert sounding is not None
            assert message.note == sounding[1]
            played.append((sounding[0], tick - sounding[0], message.note))
            sounding = None
    shift = lead_in(any_song)
    assert played == [(n.onset + shift, n.duration, n.pitch) for line in any_song.lines for n in line.notes]


@pytest.mark.parametrize(
    ("convention", "texts"),
    [
        ("plain", ["O", "beau", "ti", "ful,", "“café”", "nights", "Sing", "(ooh)", "Wi-", "Fi", "home."]),
        ("hyphen", ["O", "beau-", "ti-", "ful,", "“café”", "nights", "Sing", "(ooh)", "Wi-", "Fi", "home."]),
        ("rp017", ["O ", "beau", "ti", "ful, ", "“café” ", "nights\n", "Sing ", "(ooh) ", "Wi-", "Fi ", "home.\n"]),
        ("kar", ["O", "beau", "ti", "ful,", "“café”", "nights", "Sing", "(ooh)", "Wi-", "Fi", "home."]),
    ],
)
def test_lyric_conventions(song: Song, convention: str, texts: list[str]) -> None:
    track = _track(_read(_with_lyrics(song, convention)), "Melody")
    assert [message.text for message in track if message.type == "lyrics"][: len(texts)] == texts


def test_soft_karaoke_has_its_own_tracks(song: Song) -> None:
    file = _read(_with_lyrics(song, "kar"))
    head = [message.text for message in _track(file, "Soft Karaoke") if message.type == "text"]
    assert head == ["@KMIDI KARAOKE FILE", "@V0100"]
    words = [message.text for message in _track(file, "Words") if message.type == "text"]
    assert words[:8] == ["@LENGL", "@TBeautiful Nights", "\\O", " beau", "ti", "ful,", " “café”", " nights"]


def test_the_accompaniment_plays_below_the_melody_and_keeps_to_the_chords(any_song: Song) -> None:
    accompaniment = arrange(any_song)
    lowest_sung = min(note.pitch for line in any_song.lines for note in line.notes)
    assert accompaniment.chords
    assert max(note.pitch for note in accompaniment.chords) <= max(lowest_sung, 60)
    assert max(note.pitch for note in accompaniment.bass) < min(note.pitch for note in accompaniment.chords)
    for note in (*accompaniment.chords, *accompaniment.bass):
        span = next(s for s in any_song.chords if s.onset <= note.onset < s.onset + s.duration)
        assert note.pitch % 12 in span.chord.pitch_classes
        assert note.onset + note.duration <= span.onset + span.duration
        assert 1 <= note.velocity <= 127


def test_the_bass_marks_every_bar_and_every_change_of_chord(any_song: Song) -> None:
    onsets = {note.onset for note in arrange(any_song).bass}
    assert {span.onset for span in any_song.chords} <= onsets
    bars = range(any_song.pickup, any_song.chords[-1].onset + any_song.chords[-1].duration)
    assert set(bars[:: any_song.settings.meter.bar_ticks]) <= onsets


def test_pretty_midi_reads_the_same(song: Song) -> None:
    midi = pretty_midi.PrettyMIDI(io.BytesIO(midi_bytes(song)), charset="utf-8")
    assert [instrument.name for instrument in midi.instruments] == ["Melody", "Chords", "Bass"]
    starts = {round(note.start, 4) for note in midi.instruments[0].notes}
    assert [lyric.text for lyric in midi.lyrics][:4] == ["O", "beau", "ti", "ful,"]
    assert {round(lyric.time, 4) for lyric in midi.lyrics} <= starts
    assert midi.key_signature_changes[0].key_number == 7
    assert midi.time_signature_changes[0].numerator == 4


def test_minor_keys_have_their_name(any_song: Song) -> None:
    minor = any_song.settings.key.mode == "minor"
    signature = next(message for message in _read(any_song).tracks[0] if message.type == "key_signature")
    assert signature.key == ("Am" if minor else "G")


def test_the_same_song_gives_the_same_bytes(any_song: Song) -> None:
    assert midi_bytes(any_song) == midi_bytes(Song.from_json(any_song.to_json()))
