r"""Write a song as a Standard MIDI File, format 1, 480 ticks to the quarter note.

Track 0 conducts: tempo, time signature, key signature, a marker per section where its first note (pick-up included)
is sung. Track "Melody" is monophonic and carries one lyric event (UTF-8) per syllable, at exactly the note-on tick of
the syllable's first note, and no other text. "Chords" and "Bass" accompany. A song with a pick-up starts inside a full
first bar, so that bar lines stand where a sequencer draws them: every tick of the song document moves later by
`lead_in(song)`. Where the score writes the last note of a line up to the next line, it ends `BREATH` ticks earlier.

The lyric conventions (`SongSettings.midi_lyrics`):

- `plain`: the syllables as they stand in the score, punctuation included, no separators.
- `hyphen`: the same with a hyphen after syllables that the word goes on after ("beau-", "ti-", "ful").
- `rp017`: a blank after each word, a carriage return after each line, a line feed after each section
  (MIDI Association, RP-017 "SMF Lyric Meta Event Definition", 1997).
- `kar`: the lyric events as in `plain`, and further tracks in the style of Soft Karaoke (.kar) for players that read
  text events: "@KMIDI KARAOKE FILE", "@T" title, and syllables with "\" before a section, "/" before a line, a blank
  before each further word.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from align.meter import TICKS_PER_BEAT
from pipeline.arrange import MELODY_VELOCITY, Played, arrange
from pipeline.files import write_files
from pipeline.song import Song

# General MIDI programs, from 0, by style: (melody, chords, bass).
_VOICE, _PIANO, _ORGAN, _GUITAR, _ACOUSTIC_BASS = 53, 0, 19, 25, 32
_PROGRAMS = {
    "hymn": (_VOICE, _ORGAN, _ORGAN),
    "folk": (_VOICE, _GUITAR, _ACOUSTIC_BASS),
}
_KEY_NAMES = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")
# Ticks by which a last note that is written up to the next line ends early, so that one hears the singer breathe; half
# a grid step would be read as a shorter note by programs that read the file.
BREATH = 48
# (tick, order, what makes the message when its time is known)
_Event = tuple[int, int, Callable[..., Any]]
# Order of events on one tick: notes end, then what tells about the tick, then notes begin.
_OFF, _TEXT, _ON = 0, 1, 2


def write_midi(song: Song, path: Path | str, *, force: bool = False) -> None:
    """Write the song to a file; FileExistsError if there is one already and `force` is not set."""
    write_files({Path(path): midi_bytes(song)}, force=force)


def lead_in(song: Song) -> int:
    """Ticks by which the file is later than the document: the missing part of the pick-up bar."""
    return -song.pickup % song.settings.meter.bar_ticks if song.pickup else 0


def midi_bytes(song: Song) -> bytes:
    """Return the song as a MIDI file."""
    from mido import MidiFile

    file = MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, charset="utf-8")
    melody, chords, bass = _PROGRAMS.get(song.settings.style, (_VOICE, _PIANO, _ACOUSTIC_BASS))
    accompaniment = arrange(song)
    file.tracks.append(_conductor(song))
    file.tracks.append(_melody(song, melody))
    file.tracks.append(_accompanying(song, "Chords", 1, chords, accompaniment.chords))
    file.tracks.append(_accompanying(song, "Bass", 2, bass, accompaniment.bass))
    if song.settings.midi_lyrics == "kar":
        file.tracks.extend(_karaoke(song))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _track(events: list[_Event], name: str | None, end: int) -> Any:
    """Turn events into a track with relative times that lasts until `end`."""
    from mido import MetaMessage, MidiTrack

    track = MidiTrack()
    if name is not None:
        track.append(MetaMessage("track_name", name=name))
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message(time=tick - now))
        now = tick
    track.append(MetaMessage("end_of_track", time=max(0, end - now)))
    return track


def _conductor(song: Song) -> Any:
    from mido import MetaMessage, bpm2tempo

    settings = song.settings
    meter = settings.meter
    # The name of the major key with this signature, moved three fifths for its relative minor.
    key = _KEY_NAMES[settings.key.fifths + 7 + (3 if settings.key.mode == "minor" else 0)]
    clocks = meter.pulse_ticks * 24 // TICKS_PER_BEAT
    signature = {"numerator": meter.numerator, "denominator": meter.denominator, "clocks_per_click": clocks}
    events: list[_Event] = [
        (0, 0, partial(MetaMessage, "set_tempo", tempo=bpm2tempo(settings.tempo_qpm))),
        (0, 1, partial(MetaMessage, "time_signature", **signature)),
        (0, 2, partial(MetaMessage, "key_signature", key=key + ("m" if settings.key.mode == "minor" else ""))),
    ]
    shift = lead_in(song)
    for section in song.sections:
        events.append((section.first_tick + shift, 3, partial(MetaMessage, "marker", text=section.label)))
    return _track(events, song.title, song.end + shift)


def _melody(song: Song, program: int) -> Any:
    from mido import MetaMessage

    shift = lead_in(song)
    begins = {line.notes[0].onset for line in song.lines if line.notes}
    notes = []
    for line in song.lines:
        for note in line.notes:
            breath = min(BREATH, note.duration // 4) if note.end in begins else 0
            notes.append(Played(note.onset, note.duration - breath, note.pitch, MELODY_VELOCITY))
    lyrics = [(tick + shift, _TEXT, partial(MetaMessage, "lyrics", text=text)) for tick, text in lyric_events(song)]
    return _track([*_played(0, program, notes, shift), *lyrics], "Melody", song.end + shift)


def _played(channel: int, program: int, notes: Iterable[Played], shift: int) -> Iterator[_Event]:
    from mido import Message

    # The library's checks of every number take as long as all else, and what stands in a song has been checked.
    message = partial(Message, skip_checks=True, channel=channel)
    yield 0, -1, partial(message, "program_change", program=program)
    for note in notes:
        onset = note.onset + shift
        yield onset, _ON, partial(message, "note_on", note=note.pitch, velocity=note.velocity)
        yield onset + note.duration, _OFF, partial(message, "note_off", note=note.pitch, velocity=0)


def lyric_events(song: Song) -> Iterator[tuple[int, str]]:
    """Yield (tick in the document, text) of every syllable's lyric event, in the song's convention."""
    convention = song.settings.midi_lyrics
    for section in song.sections:
        for line in section.lines:
            for word in line.words:
                for index, syllable in enumerate(word.syllables):
                    text = word.printed(index)
                    if not text:
                        continue  # a note without words
                    word_ends = index == len(word.syllables) - 1
                    if convention == "hyphen" and not word_ends and not text.endswith("-"):
                        text += "-"
                    elif convention == "rp017" and word_ends:
                        line_ends = word is line.words[-1]
                        section_ends = line_ends and line is section.lines[-1]
                        text += "\n" if section_ends else "\r" if line_ends else " "
                    yield syllable.notes[0].onset, text


def _karaoke(song: Song) -> Iterator[Any]:
    from mido import MetaMessage

    head: list[_Event] = [
        (0, i, partial(MetaMessage, "text", text=text)) for i, text in enumerate(("@KMIDI KARAOKE FILE", "@V0100"))
    ]
    yield _track(head, "Soft Karaoke", 0)
    shift = lead_in(song)
    events: list[_Event] = [
        (0, 0, partial(MetaMessage, "text", text="@LENGL")),
        (0, 1, partial(MetaMessage, "text", text=f"@T{song.title}")),
    ]
    for section in song.sections:
        for line in section.lines:
            for word in line.words:
                for index, syllable in enumerate(word.syllables):
                    if not word.printed(index):
                        continue
                    mark = "" if index else " "
                    if index == 0 and word is line.words[0]:
                        mark = "\\" if line is section.lines[0] else "/"
                    text = mark + word.printed(index)
                    events.append((syllable.notes[0].onset + shift, 2, partial(MetaMessage, "text", text=text)))
    yield _track(events, "Words", song.end + shift)


def _accompanying(song: Song, name: str, channel: int, program: int, notes: tuple[Played, ...]) -> Any:
    shift = lead_in(song)
    return _track(list(_played(channel, program, notes, shift)), name, song.end + shift)
