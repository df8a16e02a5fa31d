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

from collections.abc import Iterable, Iterator
from pathlib import Path

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
# Ticks by which a last note that is written up to the next line ends early, so that one hears the singer breathe; half
# a grid step would be read as a shorter note by programs that read the file.
BREATH = 48
_Event = tuple[int, int, bytes]  # tick, order, message
# Order of events on one tick: notes end, then what tells about the tick, then notes begin.
_OFF, _TEXT, _ON = 0, 1, 2
# Types of meta events (MIDI Association, "Standard MIDI Files 1.0").
_WORDS, _TRACK_NAME, _LYRIC, _MARKER, _END_OF_TRACK = 0x01, 0x03, 0x05, 0x06, 0x2F
_TEMPO, _METER, _KEY = 0x51, 0x58, 0x59
_FIRST_META = 0xFF
# Messages to channels, by the upper half of their first byte.
_NOTE_OFF, _NOTE_ON, _PROGRAM = 0x80, 0x90, 0xC0


def write_midi(song: Song, path: Path | str, *, force: bool = False) -> None:
    """Write the song to a file; FileExistsError if there is one already and `force` is not set."""
    write_files({Path(path): midi_bytes(song)}, force=force)


def lead_in(song: Song) -> int:
    """Ticks by which the file is later than the document: the missing part of the pick-up bar."""
    return -song.pickup % song.settings.meter.bar_ticks if song.pickup else 0


def midi_bytes(song: Song) -> bytes:
    """Return the song as a MIDI file."""
    melody, chords, bass = _PROGRAMS.get(song.settings.style, (_VOICE, _PIANO, _ACOUSTIC_BASS))
    accompaniment = arrange(song)
    tracks = [
        _conductor(song),
        _melody(song, melody),
        _accompanying(song, "Chords", 1, chords, accompaniment.chords),
        _accompanying(song, "Bass", 2, bass, accompaniment.bass),
    ]
    if song.settings.midi_lyrics == "kar":
        tracks.extend(_karaoke(song))
    head = b"".join(number.to_bytes(2, "big") for number in (1, len(tracks), TICKS_PER_BEAT))
    return _chunk(b"MThd", head) + b"".join(_chunk(b"MTrk", track) for track in tracks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "big") + content


def _number(value: int) -> bytes:
    """Write a number of any size: seven bits in a byte, the eighth set in all but the last."""
    written = [value & 0x7F]
    while value := value >> 7:
        written.append(value & 0x7F | 0x80)
    return bytes(reversed(written))


def _meta(kind: int, content: bytes) -> bytes:
    return bytes((_FIRST_META, kind)) + _number(len(content)) + content


def _text(kind: int, text: str) -> bytes:
    return _meta(kind, text.encode())


def _track(events: list[_Event], name: str, end: int) -> bytes:
    """Write events with relative times, as a track that lasts until `end`.

    A message to the channel of the message before, of the same kind, leaves out its first byte ("running status").
    """
    content = bytearray(_number(0) + _text(_TRACK_NAME, name))
    now, running = 0, _FIRST_META
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        content += _number(tick - now)
        first = message[0]
        content += message[1:] if first == running != _FIRST_META else message
        now, running = tick, first
    content += _number(max(0, end - now)) + _meta(_END_OF_TRACK, b"")
    return bytes(content)


def _conductor(song: Song) -> bytes:
    settings = song.settings
    meter = settings.meter
    clocks = meter.pulse_ticks * 24 // TICKS_PER_BEAT  # of the metronome, to its beat
    signature = bytes((meter.numerator, meter.denominator.bit_length() - 1, clocks, 8))
    key = settings.key.fifths.to_bytes(1, "big", signed=True) + bytes([settings.key.mode == "minor"])
    events: list[_Event] = [
        (0, 0, _meta(_TEMPO, round(60e6 / settings.tempo_qpm).to_bytes(3, "big"))),
        (0, 1, _meta(_METER, signature)),
        (0, 2, _meta(_KEY, key)),
    ]
    shift = lead_in(song)
    for section in song.sections:
        events.append((section.first_tick + shift, 3, _text(_MARKER, section.label)))
    return _track(events, song.title, song.end + shift)


def _melody(song: Song, program: int) -> bytes:
    shift = lead_in(song)
    begins = {line.notes[0].onset for line in song.lines if line.notes}
    notes = []
    for line in song.lines:
        for note in line.notes:
            breath = min(BREATH, note.duration // 4) if note.end in begins else 0
            notes.append(Played(note.onset, note.duration - breath, note.pitch, MELODY_VELOCITY))
    lyrics = [(tick + shift, _TEXT, _text(_LYRIC, text)) for tick, text in lyric_events(song)]
    return _track([*_played(0, program, notes, shift), *lyrics], "Melody", song.end + shift)


def _played(channel: int, program: int, notes: Iterable[Played], shift: int) -> Iterator[_Event]:
    yield 0, -1, bytes((_PROGRAM | channel, program))
    for note in notes:
        onset = note.onset + shift
        yield onset, _ON, bytes((_NOTE_ON | channel, note.pitch, note.velocity))
        yield onset + note.duration, _OFF, bytes((_NOTE_OFF | channel, note.pitch, 0))


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


def _karaoke(song: Song) -> Iterator[bytes]:
    head = [(0, i, _text(_WORDS, text)) for i, text in enumerate(("@KMIDI KARAOKE FILE", "@V0100"))]
    yield _track(head, "Soft Karaoke", 0)
    shift = lead_in(song)
    events: list[_Event] = [(0, 0, _text(_WORDS, "@LENGL")), (0, 1, _text(_WORDS, f"@T{song.title}"))]
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
                    events.append((syllable.notes[0].onset + shift, 2, _text(_WORDS, text)))
    yield _track(events, "Words", song.end + shift)


def _accompanying(song: Song, name: str, channel: int, program: int, notes: tuple[Played, ...]) -> bytes:
    shift = lead_in(song)
    return _track(list(_played(channel, program, notes, shift)), name, song.end + shift)
