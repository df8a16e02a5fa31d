"""Read the notes of a MIDI file written by any program.

Every (track, channel) with notes is a *voice*. The melody is the voice that is sung one note at a time and looks most
like one: words, a name, a high register. Channel 10 (drums) is ignored. A note that overlaps the next one a little
(legato) is cut; a voice of chords is refused. What is broken is refused in one sentence.
"""

import io
import re
import struct
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from math import log
from statistics import mean
from typing import Any

from align.meter import TICKS_PER_BEAT
from melody.theory import Key
from pipeline.errors import TuneError

MAX_BYTES = 500_000  # a long song with a full band has a fifth of that
MAX_NOTES = 5_000  # in the melody
_DRUMS = 9
_CHORDS = 0.05  # share of notes that may sound together with others in a melody (slips of the finger)
_TOGETHER = 40  # ticks: onsets nearer than that are struck together
_LEGATO = 0.3  # share of a note that may sound on under the next one
_NAMED = re.compile(
    r"melod|vocal|voice|vox|lead|sing|sopran|tune|canto|chant|gesang|stimme|song|lyric|word|theme", re.IGNORECASE
)
_ACCOMPANYING = re.compile(r"bass|chord|pad|string|drum|perc|piano left|\blh\b|accomp|begleit", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PlayedNote:
    """A note as it stands in the file; times in ticks of 480 to the quarter note, not yet on any grid."""

    start: float
    end: float
    pitch: int
    seconds: float  # the start in seconds
    text: str | None = None  # of the lyric event that stands with it, as written


@dataclass(frozen=True, slots=True)
class Signature:
    """A time signature and from when on it holds."""

    tick: float  # of 480 to the quarter note
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class PlayedTune:
    """The melody of a file and what the file says about it."""

    notes: tuple[PlayedNote, ...]
    signatures: tuple[Signature, ...] = ()
    key: Key | None = None
    tempo_qpm: float | None = None  # the tempo in force for most of the melody; None where the file has none
    tempo_changes: bool = False
    title: str = ""
    voice: str = ""  # number and name of the track, for messages
    in_quarters: bool = True  # False: the times are seconds only


@dataclass(frozen=True, slots=True)
class _Voice:
    track: int
    channel: int
    name: str
    notes: tuple[PlayedNote, ...]
    together: float  # share of notes that sound with others


def read_midi(data: bytes, name: str, track: str | None = None) -> PlayedTune:
    """Return the melody of a MIDI file; `track` names or numbers (from 1) the track that has it.

    Raises TuneError with one sentence for files that are broken, too large, or have no melody.
    """
    if len(data) > MAX_BYTES:
        raise TuneError(f"{name} is larger than {MAX_BYTES:,} bytes; give the melody alone")
    file = _parse(data, name)
    division = file.ticks_per_beat
    if division == 0:
        raise TuneError(f"{name} says that a quarter note has 0 ticks; export it again")
    tempos = _tempos(file)
    clock = _Clock(division, tempos)
    voices = _voices(file, clock)
    if not voices:
        drums = any(m.type == "note_on" and m.channel == _DRUMS for t in file.tracks for m in t)
        raise TuneError(f"{name} has {'only drums' if drums else 'no notes'}; give a melody")
    voice = _choose(voices, name, track)
    words = _words(file, clock, voice)
    notes = _with_words(voice.notes, words)
    signatures = tuple(
        Signature(clock.quarters(tick), message.numerator, message.denominator)
        for tick, message in _events(file, "time_signature")
    )
    tempo, changes = _tempo(tempos, clock, notes) if _events(file, "set_tempo") else (None, False)
    return PlayedTune(
        notes=notes,
        signatures=signatures if division > 0 else (),
        key=_key(file),
        tempo_qpm=tempo,
        tempo_changes=changes,
        title=_title(file),
        voice=f"{voice.track + 1} ({voice.name})",
        in_quarters=division > 0,
    )


def _parse(data: bytes, name: str) -> Any:
    from mido import MidiFile
    from mido.midifiles.meta import KeySignatureError

    if data[:4] == b"RIFF" and (at := data.find(b"MThd")) > 0:
        data = data[at:]  # a MIDI file wrapped as RMID
    try:
        return MidiFile(file=io.BytesIO(data), clip=True, charset="latin1")
    except KeySignatureError as error:
        raise TuneError(f"{name} has a broken key signature; export it again") from error
    except EOFError as error:
        raise TuneError(f"{name} ends in the middle; copy or export it again") from error
    # What mido raises where bytes make no sense.
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError, struct.error) as error:
        raise TuneError(f"{name} is not a sound MIDI file; export it again") from error


def _events(file: Any, kind: str) -> list[tuple[int, Any]]:
    """All events of a kind in all tracks, with their ticks, in order."""
    found = []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == kind:
                found.append((tick, message))
    return sorted(found, key=lambda event: event[0])


def _tempos(file: Any) -> list[tuple[int, int]]:
    """(tick, microseconds to the quarter note), from tick 0 on; at one tick the last one counts."""
    tempos = {tick: message.tempo for tick, message in _events(file, "set_tempo") if message.tempo > 0}
    return sorted({0: 500_000, **tempos}.items())


class _Clock:
    """From the file's ticks to quarter notes and to seconds."""

    def __init__(self, division: int, tempos: list[tuple[int, int]]) -> None:
        self._ticks = [tick for tick, _ in tempos]
        if division < 0:  # SMPTE: frames a second and ticks a frame, whatever the tempo
            rate = -(division >> 8) * (division & 0xFF or 1)
            self._seconds = [tick / rate for tick in self._ticks]
            self._rates = [1 / rate] * len(tempos)
            self._quarter = rate / 2  # as if there were 120 quarter notes a minute
        else:
            self._rates = [tempo / 1e6 / division for _, tempo in tempos]
            self._seconds = [0.0]
            for index in range(1, len(tempos)):
                step = (self._ticks[index] - self._ticks[index - 1]) * self._rates[index - 1]
                self._seconds.append(self._seconds[-1] + step)
            self._quarter = float(division)

    def quarters(self, tick: int) -> float:
        """Ticks of 480 to the quarter note."""
        return tick * TICKS_PER_BEAT / self._quarter

    def seconds(self, tick: int) -> float:
        index = bisect_right(self._ticks, tick) - 1
        return self._seconds[index] + (tick - self._ticks[index]) * self._rates[index]


def _voices(file: Any, clock: _Clock) -> list[_Voice]:
    voices = []
    for number, track in enumerate(file.tracks):
        sounding: dict[tuple[int, int], list[int]] = {}
        found: dict[int, list[tuple[int, int, int]]] = {}
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity and message.channel != _DRUMS:
                sounding.setdefault((message.channel, message.note), []).append(tick)
            elif message.type in ("note_on", "note_off") and sounding.get((message.channel, message.note)):
                start = sounding[message.channel, message.note].pop(0)
                if tick > start:
                    found.setdefault(message.channel, []).append((start, tick, message.note))
        for (channel, pitch), starts in sounding.items():  # never ended: they last until the track does
            found.setdefault(channel, []).extend((start, tick, pitch) for start in starts if tick > start)
        name = " ".join(_text(track.name).split())[:60] or f"track {number + 1}"
        voices += [_voice(number, channel, name, notes, clock) for channel, notes in sorted(found.items()) if notes]
    return voices


def _voice(track: int, channel: int, name: str, raw: list[tuple[int, int, int]], clock: _Clock) -> _Voice:
    """Cut overlaps, and count the notes that are more than overlaps."""
    played = sorted(
        (PlayedNote(clock.quarters(a), clock.quarters(b), pitch, clock.seconds(a)) for a, b, pitch in raw),
        key=lambda note: (note.start, -note.pitch),
    )
    line: list[PlayedNote] = []
    together = 0
    for note in played:
        before = line[-1] if line else None
        if before is not None and note.start < before.end:
            overlap, length = before.end - note.start, before.end - before.start
            struck = note.start - before.start < min(_TOGETHER, 0.5 * length)
            if struck and note.pitch == before.pitch:
                continue  # written twice
            if struck or overlap > max(_TOGETHER, _LEGATO * length):
                together += 1
            if struck:
                continue  # the upper one stays
            line[-1] = PlayedNote(before.start, note.start, before.pitch, before.seconds)
        line.append(note)
    return _Voice(track, channel, name, tuple(line), together / len(played))


def _choose(voices: list[_Voice], name: str, track: str | None) -> _Voice:
    if track is not None:
        wanted = track.strip().casefold()
        there = ", ".join(dict.fromkeys(f"{voice.track + 1} ({voice.name})" for voice in voices))
        voices = [v for v in voices if wanted in (str(v.track + 1), v.name.casefold())] or [
            v for v in voices if wanted and not wanted.isdecimal() and wanted in v.name.casefold()
        ]
        if not voices:
            raise TuneError(f"{name} has no track {track!r} with notes; it has {there}")
    single = [voice for voice in voices if voice.together <= _CHORDS]
    if not single:
        most = max(voices, key=lambda voice: len(voice.notes))
        raise TuneError(
            f"{name}: {most.name} plays several notes at once ({100 * most.together:.0f} % of them); "
            "give a melody of single notes" + ("" if len(voices) == 1 else ", or a file with a track for it alone")
        )
    best = max(single, key=_likeness)
    if len(best.notes) > MAX_NOTES:
        raise TuneError(f"{name}: the melody has {len(best.notes):,} notes; give a stretch of at most {MAX_NOTES:,}")
    return best


def _likeness(voice: _Voice) -> float:
    """How much a voice looks like the melody of its file."""
    named = bool(_NAMED.search(voice.name)) - bool(_ACCOMPANYING.search(voice.name))
    height = mean(note.pitch for note in voice.notes)
    return 4.0 * named + 0.08 * min(height, 80.0) + log(len(voice.notes)) - (6.0 if len(voice.notes) < 4 else 0.0)


def _text(raw: str) -> str:
    """Texts are read as Latin-1, which never fails; most are UTF-8. Control characters but line ends go."""
    try:
        text = raw.encode("latin1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        text = raw
    return "".join(c for c in text if c.isprintable() or c in "\r\n\t ")


def _words(file: Any, clock: _Clock, voice: _Voice) -> list[tuple[float, str]]:
    """Lyric events (or a karaoke file's text events) of the track of the voice, or else of the one that fits best."""
    starts = [note.start for note in voice.notes]
    best: tuple[float, list[tuple[float, str]]] = (0.0, [])
    for kind in ("lyrics", "text"):
        for number, track in enumerate(file.tracks):
            tick, found = 0, []
            for message in track:
                tick += message.time
                if message.type == kind and message.text and not (kind == "text" and message.text.startswith("@")):
                    found.append((clock.quarters(tick), _text(message.text)))
            matched = sum(_nearest(starts, time) is not None for time, _ in found)
            if matched < max(2 if kind == "lyrics" else 4, 0.5 * len(found)):
                continue
            # Texts that show words and lines are worth more than bare syllables.
            marked = any(text[:1] in "\\/ " or text[-1:] in "\r\n -" for _, text in found)
            fit = matched * (1.2 if marked else 1.0) + (0.5 if number == voice.track else 0.0)
            if fit > best[0]:
                best = fit, found
    return best[1]


def _nearest(starts: list[float], time: float) -> int | None:
    index = bisect_left(starts, time)
    near = [i for i in (index - 1, index) if 0 <= i < len(starts) and abs(starts[i] - time) <= TICKS_PER_BEAT / 8]
    return min(near, key=lambda i: abs(starts[i] - time)) if near else None


def _with_words(notes: tuple[PlayedNote, ...], words: list[tuple[float, str]]) -> tuple[PlayedNote, ...]:
    starts = [note.start for note in notes]
    texts: dict[int, str] = {}
    for time, text in words:
        index = _nearest(starts, time)
        if index is not None:
            texts[index] = texts.get(index, "") + text
    return tuple(PlayedNote(n.start, n.end, n.pitch, n.seconds, texts.get(index)) for index, n in enumerate(notes))


def _key(file: Any) -> Key | None:
    """Return the first key signature; mido names it "Bbm"."""
    for _, message in _events(file, "key_signature"):
        return Key.parse(message.key) if message.key not in ("Cb", "Abm", "G#", "D#", "A#") else None
    return None


def _tempo(tempos: list[tuple[int, int]], clock: _Clock, notes: tuple[PlayedNote, ...]) -> tuple[float, bool]:
    """Return the tempo under which most notes begin, and whether there are others."""
    places = [clock.quarters(tick) for tick, _ in tempos]
    counts: dict[int, int] = {}
    for note in notes:
        tempo = tempos[max(0, bisect_right(places, note.start + 1) - 1)][1]
        counts[tempo] = counts.get(tempo, 0) + 1
    most = max(counts, key=lambda tempo: counts[tempo])
    return 60e6 / most, len(counts) > 1


def _title(file: Any) -> str:
    """Return the name of the first track where it has no notes: that is where programs put the title."""
    if file.type == 1 and file.tracks and not any(message.type == "note_on" for message in file.tracks[0]):
        return " ".join(_text(file.tracks[0].name).split())[:100]
    return ""
