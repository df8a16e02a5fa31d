"""How sung notes are written down: spelled pitches, clefs, bars filled with note values that read well, beams.

Note values follow common engraving practice (Gould, "Behind Bars", 2011): the middle of a 4/4 bar and the felt beats of
compound metres stay visible, simple syncopations (eighth-quarter-eighth) are written as one note.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from align.meter import TICKS_PER_BEAT, Meter
from melody.theory import Chord, Key, neighbour, spell
from pipeline.song import Note, Song, SungSyllable, SungWord

# Ticks of a plain note value -> its MusicXML name. Dotted values last half as long again.
NOTE_TYPES = {1920: "whole", 960: "half", 480: "quarter", 240: "eighth", 120: "16th", 60: "32nd", 30: "64th"}
SHORTEST = 30
TRIPLET = 80  # a sixth of a quarter: sixteenth triplets, and eighth and quarter ones in twos and fours of it
NOTATABLE = {ticks: (name, 0) for ticks, name in NOTE_TYPES.items()} | {
    ticks * 3 // 2: (name, 1) for ticks, name in NOTE_TYPES.items() if ticks > SHORTEST
}
NUM_BEAMS = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4}


class SpelledPitch(NamedTuple):
    """A pitch as a line or space of the staff and an alteration."""

    step: str  # "A" to "G"
    alter: int  # semitones: 1 sharp, -1 flat
    octave: int  # 4 holds middle C


def split_name(name: str) -> tuple[str, int]:
    """Split "Bb" into ("B", -1)."""
    return name[0], name.count("#") - name.count("b")


def spell_pitch(pitch: int, key: Key, chord: Chord | None, following: int | None = None) -> SpelledPitch:
    """Spell a pitch by the key, or, outside its scale, as the tone of the sounding chord that it is.

    A note outside both that leads by a semitone to the `following` one of the key is its neighbour on the staff: in C,
    the same key is D sharp on the way to E and E flat on the way to D.
    """
    outside = pitch % 12 not in key.scale and (chord is None or pitch % 12 not in chord.pitch_classes)
    if outside and following is not None and following % 12 in key.scale and abs(following - pitch) == 1:
        name = neighbour(spell(following % 12, key.fifths), pitch - following)
    elif chord is None or pitch % 12 in key.scale:
        name = spell(pitch % 12, key.fifths)
    else:
        name = chord.spell(pitch % 12, key.fifths)
    step, alter = split_name(name)
    return SpelledPitch(step, alter, (pitch - alter) // 12 - 1)


def key_alterations(fifths: int) -> dict[str, int]:
    """Alteration of each letter under a key signature."""
    order = "FCGDAEB" if fifths >= 0 else "BEADGCF"
    return {letter: (1 if fifths > 0 else -1) * (letter in order[: abs(fifths)]) for letter in "ABCDEFG"}


class Clef(NamedTuple):
    """A clef as MusicXML names it."""

    sign: str
    line: int
    octave_change: int = 0


def choose_clef(low: int, high: int) -> Clef:
    """Choose the clef in which a voice of this range (MIDI pitches) needs the fewest ledger lines."""
    middle = (low + high) / 2
    if middle >= 60:
        return Clef("G", 2)
    return Clef("G", 2, -1) if middle >= 56 else Clef("F", 4)


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch between two bar lines; a pick-up bar is shorter than the metre's bars."""

    number: int  # 0 for the pick-up bar
    start: int  # ticks from the start of the song
    end: int


def bars(song: Song) -> tuple[Bar, ...]:
    """List the bars of a song."""
    length = song.settings.meter.bar_ticks
    first = (Bar(0, 0, song.pickup),) if song.pickup else ()
    starts = range(song.pickup, song.end, length)
    return first + tuple(Bar(number, start, start + length) for number, start in enumerate(starts, 1))


@dataclass(frozen=True, slots=True)
class Sung:
    """One note of the vocal line with the syllable it carries."""

    note: Note
    word: SungWord
    index: int  # of the syllable in its word
    syllable: SungSyllable
    part: int  # which note of the syllable this is, from 0

    @property
    def last_part(self) -> bool:
        """Whether the syllable ends with this note."""
        return self.part == len(self.syllable.notes) - 1


class Symbol(NamedTuple):
    """One printed note or rest."""

    start: int  # ticks from the start of the song
    duration: int
    type: str  # "quarter"; "" for a rest that fills a whole bar
    dots: int
    sung: Sung | None  # None: a rest
    tied_from: bool = False  # continues the symbol before
    tied_to: bool = False  # is continued by the next symbol
    beams: tuple[str, ...] = ()  # by beam level, from the eighths up: "begin", "continue", "end", "forward hook", ...
    triplet: bool = False  # three in the time of two: it lasts two thirds of its note value
    tuplet: str = ""  # "start" or "stop" at the ends of the bracket


def vocal_line(song: Song) -> tuple[Sung, ...]:
    """List every sung note in order."""
    return tuple(
        Sung(note, word, index, syllable, part)
        for line in song.lines
        for word in line.words
        for index, syllable in enumerate(word.syllables)
        for part, note in enumerate(syllable.notes)
    )


def engrave(song: Song) -> tuple[tuple[Bar, tuple[Symbol, ...]], ...]:
    """Write the vocal line as bars full of notes and rests.

    A quarter with places between the sixty-fourths is written as a triplet. Raises ValueError if a note's onset or end
    is neither on a sixty-fourth note nor, in simple metres, on a sixth of a quarter.
    """
    meter = song.settings.meter
    line = vocal_line(song)
    triplets: set[int] = set()  # starts of the quarters that are triplets, from the first full bar line
    for sung in line:
        for tick in (sung.note.onset - song.pickup, sung.note.end - song.pickup):
            if tick % SHORTEST and meter.denominator == 4 and tick % TRIPLET == 0:
                triplets.add(tick - tick % TICKS_PER_BEAT)
            elif tick % SHORTEST:
                raise ValueError(
                    f"the note at tick {sung.note.onset} (of {sung.syllable.text!r}) cannot be written down: "
                    f"it must begin and end on multiples of {SHORTEST} ticks, a sixty-fourth note, or on a triplet"
                )
    onsets = [sung.note.onset for sung in line]
    ends = [sung.note.end for sung in line]
    engraved = []
    for bar in bars(song):
        symbols: list[Symbol] = []
        at = bar.start
        here = {tick + song.pickup for tick in triplets if bar.start <= tick + song.pickup < bar.end}
        for sung in line[bisect_right(ends, bar.start) : bisect_left(onsets, bar.end)]:
            start, end = max(sung.note.onset, bar.start), min(sung.note.end, bar.end)
            symbols += _rests(at, start, bar, meter, here)
            pieces = list(_pieces(start, end, bar, meter, here, rest=False))
            for number, piece in enumerate(pieces):
                tied_from = number > 0 or sung.note.onset < bar.start
                tied_to = number < len(pieces) - 1 or sung.note.end > bar.end
                symbols.append(piece._replace(sung=sung, tied_from=tied_from, tied_to=tied_to))
            at = end
        symbols += _rests(at, bar.end, bar, meter, here)
        engraved.append((bar, _beamed(_bracketed(symbols), bar, meter)))
    return tuple(engraved)


def _rests(start: int, end: int, bar: Bar, meter: Meter, triplets: set[int]) -> list[Symbol]:
    if (start, end) == (bar.start, bar.end) and bar.number:
        return [Symbol(start, end - start, "", 0, None)]
    return list(_pieces(start, end, bar, meter, triplets, rest=True))


def _pieces(start: int, end: int, bar: Bar, meter: Meter, triplets: set[int], *, rest: bool) -> Iterator[Symbol]:
    """Divide a stretch of a bar into symbols; quarters that are `triplets` are kept apart from what is around them."""
    cuts = sorted({start, end, *(t for beat in triplets for t in (beat, beat + TICKS_PER_BEAT) if start < t < end)})
    for first, after in pairwise(cuts):
        beat = next((beat for beat in triplets if beat <= first < beat + TICKS_PER_BEAT), None)
        if beat is None or after - first == TICKS_PER_BEAT:
            for offset, duration in split_duration(first - bar.end, after - bar.end, meter, rest=rest):
                yield Symbol(bar.end + offset, duration, *NOTATABLE[duration], None)
            continue
        while first < after:
            longest = max(length for length in (80, 160, 320) if length <= after - first)
            if longest == 160 and (first - beat) % 160:
                longest = 80  # thirds of the quarter stay visible
            yield Symbol(first, longest, *NOTATABLE[longest * 3 // 2], None, triplet=True)
            first += longest


def _bracketed(symbols: list[Symbol]) -> list[Symbol]:
    """Mark where the brackets of triplets begin and end: each fills a quarter."""
    marked, filled = [], 0
    for symbol in symbols:
        tuplet = ""
        if symbol.triplet:
            tuplet = "start" if filled == 0 else ""
            filled += symbol.duration
            if filled >= TICKS_PER_BEAT:
                tuplet, filled = "stop", 0
        marked.append(symbol._replace(tuplet=tuplet) if tuplet else symbol)
    return marked


def split_duration(start: int, end: int, meter: Meter, *, rest: bool = False) -> Iterator[tuple[int, int]]:
    """Split a stretch inside one bar into (start, duration) pieces that are note values and show the metre.

    Rests (`rest`) show it more strictly than notes. Places are counted from a bar line (negative ones from the bar line
    after, which suits pick-up bars).

    >>> list(split_duration(480, 1440, Meter(4, 4)))  # a half note across the middle of the bar
    [(480, 480), (960, 480)]
    """
    if end <= start:
        return
    cut = _cut(start, end, meter, rest)
    if cut is None:
        yield start, end - start
    else:
        yield from split_duration(start, cut, meter, rest=rest)
        yield from split_duration(cut, end, meter, rest=rest)


@lru_cache(4096)  # the same few stretches come again and again
def _cut(start: int, end: int, meter: Meter, rest: bool) -> int | None:
    """Return where a stretch must be divided, None if it reads well as one note."""
    duration = end - start
    places = range(start + SHORTEST - start % SHORTEST, end, SHORTEST)
    strongest = max((meter.strength(place) for place in places), default=0)
    here = meter.strength(start)
    fits = duration in NOTATABLE
    compound = meter.denominator == 8
    if compound and strongest >= 3:
        # Across felt beats only whole beats are joined.
        fits = fits and duration % meter.pulse_ticks == 0 and start % meter.pulse_ticks == 0
    if rest:
        # Rests show the beats more strictly: two quarters, not a half, on beats 2 and 3 of 3/4; no dots in simple time.
        fits = fits and (here > strongest or here == 0) and (compound or duration in NOTE_TYPES)
    if fits and here >= strongest:
        return None
    if fits and not rest and not compound and strongest == here + 1 and duration <= {1: 360, 2: 720}.get(here, 0):
        return None  # eighth-quarter-eighth, sixteenth-eighth-sixteenth and their dotted kin
    candidates = [place for place in places if meter.strength(place) == strongest]
    # From a strong place take as much as possible at once; from a weak one go to the next strong place first.
    whole = [place for place in candidates if place - start in NOTATABLE]
    return whole[-1] if here >= strongest and whole else candidates[0]


def _beamed(symbols: list[Symbol], bar: Bar, meter: Meter) -> tuple[Symbol, ...]:
    """Beam what is shorter than a quarter, beat by beat; rests and longer notes break a beam."""
    beamed = list(symbols)
    group: list[int] = []
    for index, symbol in enumerate(symbols):
        beat = (symbol.start - bar.end) // meter.pulse_ticks
        if symbol.sung is None or symbol.type not in NUM_BEAMS:
            _beam(beamed, group)
            group = []
            continue
        if group and (symbols[group[0]].start - bar.end) // meter.pulse_ticks != beat:
            _beam(beamed, group)
            group = []
        group.append(index)
    _beam(beamed, group)
    return tuple(beamed)


def _beam(symbols: list[Symbol], group: list[int]) -> None:
    """Set the beams of one group in place."""
    if len(group) < 2:
        return
    counts = [NUM_BEAMS[symbols[index].type] for index in group]
    for position, index in enumerate(group):
        beams = []
        for level in range(1, counts[position] + 1):
            before = position > 0 and counts[position - 1] >= level
            after = position < len(group) - 1 and counts[position + 1] >= level
            if before and after:
                beams.append("continue")
            elif before:
                beams.append("end")
            elif after:
                beams.append("begin")
            else:
                beams.append("backward hook" if position else "forward hook")
        symbols[index] = symbols[index]._replace(beams=tuple(beams))
