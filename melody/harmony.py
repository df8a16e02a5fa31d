"""Chords: read or inferred for songs of the corpus; `plan_chords` (melody/chord_plan.py) makes them for new songs.

Songs are cut into units of a bar, or of half a bar where bars have two strong beats. A hidden Markov model joins what
chords follow each other with what melody notes they carry (Simon, Morris and Basu, MySong, 2008, with an emission that
knows the key). Both were counted in lead sheets.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from align.corpus import CorpusSong
from align.meter import Meter
from melody.chord_model import CLASSES, MODES, NUM_STATES, Floats, Model, chord_of, load_model
from melody.chord_plan import plan_chords
from melody.theory import Chord, ChordSpan, Key

__all__ = ["infer_chords", "plan_chords"]

EMISSION_WEIGHT = 0.8  # neighbouring notes are not independent; both weights chosen on training groups (see the card)
END_WEIGHT = 0.4  # of the learned taste for I and V at line ends


def unit_ticks(meter: Meter) -> int:
    """Length of the stretch that is given one chord: half a bar of 4/4, 6/8 and 12/8, a whole bar of 3/4 and 2/4."""
    return meter.bar_ticks // 2 if str(meter) in ("4/4", "6/8", "12/8") else meter.bar_ticks


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of a song under one chord; `first` in its bar or not."""

    start: int
    end: int
    first: bool


def song_units(song: CorpusSong) -> tuple[Unit, ...]:
    """Cut a song into units, from 0 to the end of its last note.

    A pick-up, and bars that were printed short, as around repeat signs, give short units.
    """
    bar, unit = song.meter.bar_ticks, unit_ticks(song.meter)
    end = song.notes[-1].onset + song.notes[-1].duration
    starts = sorted({note.onset - note.place for note in song.notes})
    first = starts[0] - -(-starts[0] // bar) * bar if starts[0] > 0 else starts[0]  # at or just before 0
    units = []
    for start, following in pairwise([first, *(s for s in starts if s > first), end]):
        for begin in range(start, following, unit):
            stop = min(begin + unit, following)
            if stop > 0:
                units.append(Unit(max(begin, 0), stop, (begin - start) % bar == 0))
    return tuple(units)


def note_weights(song: CorpusSong, units: tuple[Unit, ...], key: Key) -> Floats:
    """Return how long each pitch class sounds in each unit, as the root of felt beats: (units, 2, 12).

    The second axis parts notes on felt beats (strength 3 and more) from those between them. The root keeps one long
    note from outvoting several short ones.
    """
    weights = np.zeros((len(units), 2, 12))
    index = 0
    for note in song.notes:
        while units[index].end <= note.onset:
            index += 1
        weak = int(song.meter.strength(note.place) < 3)
        here = index
        while here < len(units) and units[here].start < note.onset + note.duration:
            overlap = min(units[here].end, note.onset + note.duration) - max(units[here].start, note.onset)
            weights[here, weak if here == index else 0, (note.pitch - key.tonic) % 12] += overlap
            here += 1
    return np.sqrt(weights / song.meter.pulse_ticks)


def line_end_units(song: CorpusSong, units: tuple[Unit, ...]) -> list[int]:
    """Return the index of the unit in which the last syllable of each line begins."""
    last: dict[int, int] = {}
    for note in song.notes:
        if not note.held:
            last[song.syllables[note.syllable].line] = note.onset
    onsets = np.array([unit.start for unit in units])
    return [int(np.searchsorted(onsets, onset, side="right")) - 1 for onset in last.values()]


# Roots above the tonic and classes of the chords that a plain accompaniment of a tune keeps to.
_PLAIN = {
    "major": {(0, ""), (2, "m"), (5, ""), (7, ""), (7, "7"), (9, "m")},
    "minor": {(0, "m"), (3, ""), (5, "m"), (7, ""), (7, "7"), (8, ""), (10, "")},
}
_UNUSUAL = 5.0  # nats that another chord costs


def infer_plain_chords(song: CorpusSong, key: Key) -> tuple[ChordSpan, ...]:
    """Return chords for a tune from its notes alone, others than the common ones only where it insists."""
    model = load_model()
    plain = [(state // len(CLASSES), CLASSES[state % len(CLASSES)]) in _PLAIN[key.mode] for state in range(NUM_STATES)]
    cost = np.where(plain, 0.0, _UNUSUAL)
    units = song_units(song)
    states = viterbi(song, key, units, replace(model, start=model.start - cost, change=model.change - cost))
    return tuple(
        ChordSpan(unit.start, unit.end - unit.start, chord_of(state, key))
        for unit, state in zip(units, states, strict=True)
    )


def infer_chords(song: CorpusSong, key: Key) -> tuple[ChordSpan, ...]:
    """Return the chords of a song of the corpus, from 0 to its end without gaps, cut at bar lines.

    They are the given ones for lead sheets ("N.C." continues the chord before; a pick-up takes the first chord) and
    inferred from the melody otherwise.
    """
    units = song_units(song)
    if song.chords:
        return given_chords(song, units)
    return decode_chords(song, key, units)


def decode_chords(song: CorpusSong, key: Key, units: tuple[Unit, ...]) -> tuple[ChordSpan, ...]:
    """Infer chords from the melody alone: the most probable path of the hidden Markov model."""
    states = viterbi(song, key, units, load_model())
    return tuple(
        ChordSpan(unit.start, unit.end - unit.start, chord_of(state, key))
        for unit, state in zip(units, states, strict=True)
    )


def viterbi(
    song: CorpusSong,
    key: Key,
    units: tuple[Unit, ...],
    model: Model,
    emission_weight: float = EMISSION_WEIGHT,
    end_weight: float = END_WEIGHT,
) -> list[int]:
    """Return the most probable chord state of every unit."""
    mode = MODES.index(key.mode)
    weights = note_weights(song, units, key).reshape(len(units), 24)
    emission = model.emission[mode].transpose(0, 2, 1).reshape(24, NUM_STATES)
    local = emission_weight * (weights @ emission)
    ends = line_end_units(song, units)
    local[ends] += end_weight * model.line_end[mode]
    local[ends[-1]] += end_weight * model.song_end[mode]
    moves = [_transitions(model, mode, half) for half in (0, 1)]
    score = model.start[mode] + local[0]
    back = []
    for unit, here in zip(units[1:], local[1:], strict=True):
        paths = score[:, None] + moves[0 if unit.first else 1]
        back.append(paths.argmax(axis=0))
        score = paths.max(axis=0) + here
    states = [int(score.argmax())]
    for pointers in reversed(back):
        states.append(int(pointers[states[-1]]))
    return states[::-1]


def _transitions(model: Model, mode: int, half: int) -> Floats:
    """Log transition matrix into a bar (half = 0) or into a half bar."""
    matrix: Floats = model.change[mode] + np.log1p(-model.stay[mode, half])
    np.fill_diagonal(matrix, np.log(model.stay[mode, half]))
    return matrix


def given_chords(song: CorpusSong, units: tuple[Unit, ...]) -> tuple[ChordSpan, ...]:
    """Return the chords of a lead sheet, cut at bar lines."""
    chords: list[tuple[int, Chord]] = []
    for onset, symbol in song.chords:
        chord = read_symbol(symbol)
        if chord is not None:
            chords.append((onset, chord))
    end = units[-1].end
    starts = {0: chords[0][1]} | {onset: chord for onset, chord in chords if 0 <= onset < end}
    cuts = sorted(set(starts) | {unit.start for unit in units if unit.first and unit.start > 0} | {end})
    spans = []
    chord = chords[0][1]
    for onset, following in pairwise(cuts):
        chord = starts.get(onset, chord)
        spans.append(ChordSpan(onset, following - onset, chord))
    return tuple(spans)


def read_symbol(symbol: str) -> Chord | None:
    """Read a printed chord symbol; None for "N.C." and for what is no chord.

    A quality that no one knows is cut from the right until what is left is known: "G7b9sus" is read as "G7b9".
    """
    name, slash, bass = symbol.strip().partition("/")
    for length in range(len(name), 0, -1):
        for text in (name[:length] + slash + bass, name[:length]):
            try:
                return Chord.parse(text)
            except ValueError:
                continue
    return None
