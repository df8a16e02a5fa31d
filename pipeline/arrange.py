"""A plain accompaniment: chords and bass, one pattern per metre.

The bass plays the root on the first beat and the fifth (or the root again) on the next strong beat. Chords lie in close
position below the melody, each voiced so that its notes move as little as possible from the one before. The last bar
of a section rests on a held chord, so that sections breathe; choruses are a little louder.
"""

from bisect import bisect_right
from typing import NamedTuple

from align.meter import Meter
from lyrics.document import Role
from melody.theory import QUALITIES, Chord
from pipeline.notation import bars
from pipeline.song import Song

CHORD_VELOCITY = 58
BASS_VELOCITY = 70
MELODY_VELOCITY = 92
_LOUDER = {Role.CHORUS: 8, Role.HOOK: 8, Role.PRE_CHORUS: 3, Role.INTRO: -4, Role.OUTRO: -6}
_BASS_LOW, _BASS_HIGH = 33, 48  # A1 to C3
_CHORD_SPAN = 17  # semitones from the lowest to the highest note that voicings may use
# The top of the chords: below the lowest sung note, but where chords still sound clear and not muddy.
_TOP_LOW, _TOP_HIGH = 60, 67


class Played(NamedTuple):
    """One note of an accompanying part."""

    onset: int
    duration: int
    pitch: int
    velocity: int


class Accompaniment(NamedTuple):
    """The accompanying parts; times as in the song."""

    chords: tuple[Played, ...]
    bass: tuple[Played, ...]


class _Pattern(NamedTuple):
    """Where in the bar the parts strike, in ticks."""

    bass: tuple[tuple[int, str], ...]  # (place, "root" or "fifth")
    chords: tuple[int, ...]


_PATTERNS = {
    (4, 4): _Pattern(((0, "root"), (960, "fifth")), (480, 1440)),
    (3, 4): _Pattern(((0, "root"),), (480, 960)),
    (2, 4): _Pattern(((0, "root"),), (480,)),
    (6, 8): _Pattern(((0, "root"), (720, "fifth")), (240, 480, 960, 1200)),
    (12, 8): _Pattern(((0, "root"), (1440, "fifth")), (480, 720, 1200, 1920, 2160, 2640)),
}


def arrange(song: Song) -> Accompaniment:
    """Accompany a song."""
    voicings = _voice(song)
    section_starts = [section.start for section in song.sections]
    last_bars = {
        section.end if index == len(song.sections) - 1 else song.sections[index + 1].start
        for index, section in enumerate(song.sections)
    }
    onsets = [span.onset for span in song.chords]
    chords: list[Played] = []
    bass: list[Played] = []
    for bar in bars(song):
        section = bisect_right(section_starts, bar.start) - 1
        louder = _LOUDER.get(song.sections[section].role, 0) if section >= 0 else 0
        first = max(0, bisect_right(onsets, bar.start) - 1)
        for index in range(first, len(song.chords)):
            span = song.chords[index]
            if span.onset >= bar.end:
                break
            start, end = max(span.onset, bar.start), min(span.onset + span.duration, bar.end)
            if start < end:
                held = bar.end in last_bars
                _play_bass(song.settings.meter, span.chord, bar.end, start, end, held, louder, bass)
                _play_chord(song.settings.meter, voicings[index], bar.end, start, end, held, louder, chords)
    return Accompaniment(tuple(chords), tuple(bass))


def _strikes(places: tuple[int, ...], meter: Meter, bar_end: int, start: int, end: int) -> list[int]:
    """Return the ticks of the places (counted from the bar line) that lie in a stretch of the bar."""
    bar_start = bar_end - meter.bar_ticks
    return [bar_start + place for place in places if start <= bar_start + place < end]


def _play_bass(
    meter: Meter, chord: Chord, bar_end: int, start: int, end: int, held: bool, louder: int, played: list[Played]
) -> None:
    pattern = _PATTERNS[meter.numerator, meter.denominator].bass
    degree = {bar_end - meter.bar_ticks + place: name for place, name in pattern}
    ticks = [] if held else _strikes(tuple(place for place, _ in pattern), meter, bar_end, start, end)
    ticks = sorted({start, *ticks})  # the bass marks every change of chord
    for tick, stop in zip(ticks, [*ticks[1:], end], strict=True):
        fifth = degree.get(tick) == "fifth" and tick != start and 7 in QUALITIES[chord.quality]
        pitch_class = (chord.root + 7) % 12 if fifth else chord.root if chord.bass is None else chord.bass
        pitch = _BASS_LOW + (pitch_class - _BASS_LOW) % 12
        played.append(Played(tick, stop - tick, pitch, BASS_VELOCITY + louder - 8 * (tick != start)))


def _play_chord(
    meter: Meter, voicing: tuple[int, ...], bar_end: int, start: int, end: int, held: bool, louder: int,
    played: list[Played],
) -> None:  # fmt: skip
    places = _PATTERNS[meter.numerator, meter.denominator].chords
    ticks = [start] if held else _strikes(places, meter, bar_end, start, end)
    if not ticks:
        ticks = [start]  # a chord shorter than the pattern's gaps is struck at once
    for tick, stop in zip(ticks, [*ticks[1:], end], strict=True):
        # Struck chords are let go a little early; where the chord changes, the pattern leaves room by itself.
        duration = stop - tick if held else min(stop - tick, meter.pulse_ticks) * 7 // 8
        velocity = CHORD_VELOCITY + louder - (4 if meter.strength(tick - bar_end) < 3 else 0)
        played += [Played(tick, max(1, duration), pitch, velocity) for pitch in voicing]


def _voice(song: Song) -> list[tuple[int, ...]]:
    """Voice every chord in close position near the one before."""
    lowest = min((note.pitch for line in song.lines for note in line.notes), default=_TOP_HIGH + 1)
    top = min(max(lowest - 1, _TOP_LOW), _TOP_HIGH)
    voicings: list[tuple[int, ...]] = []
    known: dict[tuple[Chord, tuple[int, ...]], tuple[int, ...]] = {}
    for span in song.chords:
        previous = voicings[-1] if voicings else ()
        if (span.chord, previous) not in known:
            known[span.chord, previous] = _nearest_voicing(span.chord, previous, top)
        voicings.append(known[span.chord, previous])
    return voicings


def _nearest_voicing(chord: Chord, previous: tuple[int, ...], top: int) -> tuple[int, ...]:
    """Choose the close position within the span below `top` that moves least; at the start, the middle one."""
    tones = sorted({(chord.root + interval) % 12 for interval in QUALITIES[chord.quality]})
    if len(tones) > 4:
        tones.remove(chord.root)  # the bass has it
    middle = top - _CHORD_SPAN / 2
    options = []
    for lowest in range(top - _CHORD_SPAN, top):
        if lowest % 12 in tones:
            voicing = tuple(sorted(lowest + (tone - lowest) % 12 for tone in tones))
            if voicing[-1] <= top:
                target = previous or (middle,)
                # How far each new note is from the nearest old one, and a pull to the middle against drifting.
                movement = sum(min(abs(pitch - old) for old in target) for pitch in voicing)
                options.append((movement + 0.3 * abs(sum(voicing) / len(voicing) - middle), voicing))
    return min(options)[1]
