"""What a listener finds in a tune that comes without a score: its key, its metre, where its bars begin, its phrases.

Key and metre are found by the log-probability of the notes under tables that were counted in songs
(scripts/train_listening.py): how long each degree of the scale sounds, on which degree tunes begin and end, how long
it is from a place of the bar to the next onset. The first is Temperley's Bayesian key finding ("A Bayesian Approach to
Key-Finding", 2002) with counted profiles in place of the ratings of Krumhansl and Kessler; the second is the generative
view of metre of his "Music and Probability" (2007), as a Markov chain over places of the bar.

Times are ticks, 480 to the quarter note. Places that are no multiple of a sixteenth share one entry of the tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from align.meter import GRID, TICKS_PER_BEAT, Meter
from lyrics.model_files import read_model_file
from melody.theory import Key

Floats = NDArray[np.float64]

METERS = (Meter(4, 4), Meter(3, 4), Meter(2, 4), Meter(6, 8))
MODES = ("major", "minor")
NUM_STEPS = 33  # onset intervals in sixteenths, longer than two whole notes cut; 0: not on the grid of sixteenths
# Nats by which the notes must speak against a file's bar lines before they are moved: fewer where the first note stands
# on a bar line, for many programs begin their bars with the first note whether it is a pick-up or not.
TRUST, TRUST_FIRST = 30.0, 4.0
_ENOUGH = 64  # onsets by which bar lines are judged: what repeats through a long song is not new evidence
LAST_WEIGHT = 0.7  # a tune that is given may stop anywhere, so its last note says less than a song's
_PATH = Path(__file__).parent / "data" / "listening" / "tables.safetensors"


@dataclass(frozen=True, slots=True)
class TuneNote:
    """A note of a tune."""

    onset: int  # ticks
    duration: int  # ticks
    pitch: int  # MIDI number

    @property
    def end(self) -> int:
        """Tick where the note stops."""
        return self.onset + self.duration


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Counted log-probabilities."""

    degree: Floats  # (2, 12): by mode, how much a degree (semitones above the tonic) sounds
    first: Floats  # (2, 12): degree of the first note
    last: Floats  # (2, 12): degree of the last note
    mode: Floats  # (2,)
    meter: Floats  # (4,): by METERS
    start: Floats  # (4, 17): sixteenth of the bar on which tunes begin; the last entry is off the grid
    step: Floats  # (4, 17, NUM_STEPS): sixteenths to the next onset, by sixteenth of the bar


@cache
def load_tables() -> Tables:
    """Read the tables; ModelFileError if their file is missing or changed."""
    from safetensors.numpy import load

    return Tables(**{name: array.astype(np.float64) for name, array in load(read_model_file(_PATH)).items()})


def loudness(duration: int) -> float:
    """Return how much a note speaks for its degree: the root of its length, so that no long note outvotes the rest."""
    return float(np.sqrt(min(duration, 4 * TICKS_PER_BEAT) / TICKS_PER_BEAT))


def score_keys(notes: Sequence[TuneNote]) -> dict[Key, float]:
    """Log-probability of the notes in each of the 24 keys, the prior of the mode included."""
    tables = load_tables()
    sounds = np.zeros(12)
    for note in notes:
        sounds[note.pitch % 12] += loudness(note.duration)
    scores = {}
    for mode, name in enumerate(MODES):
        for tonic in range(12):
            first, last = (notes[index].pitch - tonic for index in (0, -1))
            score = float(np.roll(sounds, -tonic) @ tables.degree[mode]) + tables.first[mode, first % 12]
            score += LAST_WEIGHT * tables.last[mode, last % 12] + tables.mode[mode]
            scores[Key(tonic, name)] = float(score)
    return scores


def find_key(notes: Sequence[TuneNote], signature: Key | None = None) -> Key:
    """Return the likeliest key; a signature in the file is evidence for its key and for the relative one.

    Many programs write C major where nobody set a key, so that signature counts for less.
    """
    scores = score_keys(notes)
    if signature is not None:
        trust = 2.0 if signature == Key(0, "major") else 6.0
        for key in scores:
            if key.fifths == signature.fifths:
                scores[key] += trust + (1.0 if key == signature else 0.0)
    return max(scores, key=lambda key: scores[key])


def score_meter(onsets: Sequence[int], meter: Meter, place: int) -> float:
    """Log-probability of onsets (ticks) in a metre if the first one stands at `place` (ticks from its bar line)."""
    tables = load_tables()
    kind = METERS.index(meter)
    ticks = np.asarray(onsets) - onsets[0]
    steps = np.diff(ticks)
    steps = np.where((steps % GRID == 0) & (steps > 0), np.minimum(steps // GRID, NUM_STEPS - 1), 0)
    places = (ticks + place) % meter.bar_ticks
    rows = np.where(places % GRID == 0, places // GRID, tables.start.shape[1] - 1)
    return float(tables.step[kind, rows[:-1], steps].sum() + tables.start[kind, rows[0]] + tables.meter[kind])


def find_meter(onsets: Sequence[int], meters: Sequence[Meter] = METERS) -> tuple[Meter, int]:
    """Return the likeliest metre, and the place of the first onset in its bar."""
    options = [
        (score_meter(onsets, meter, place), meter, place)
        for meter in meters
        for place in range(0, meter.bar_ticks, GRID)
    ]
    _, meter, place = max(options, key=lambda option: option[0])
    return meter, place


def find_place(onsets: Sequence[int], meter: Meter, said: int, trust: float | None = None) -> int:
    """Return where in its bar the first onset stands, given where the file's bar lines put it (`said`).

    Another place wins if the onsets are likelier there by more than `trust` nats (if None: `TRUST`, or `TRUST_FIRST`
    where the first onset stands on a bar line). Only places that lie whole beats from the file's are tried (quarters in
    simple metres, eighths in compound ones).
    """
    if meter not in METERS:
        return said
    beat = TICKS_PER_BEAT * 4 // meter.denominator
    places = [(said + shift) % meter.bar_ticks for shift in range(0, meter.bar_ticks, beat)]
    scores = {place: score_meter(onsets[:_ENOUGH], meter, place) for place in places}
    scores[places[0]] += (TRUST if said else TRUST_FIRST) if trust is None else trust
    return max(scores, key=lambda place: scores[place])


def mode_degrees(key: Key, weights: Sequence[float]) -> frozenset[int] | None:
    """Return the degrees of a tune's mode, None where they are those of its key's own scale.

    `weights` say how long each degree (semitones above the tonic) sounds. Dorian, mixolydian and lydian tunes bend one
    degree of the scale: the bent one sounds more than the usual one.
    """
    own = {(pitch_class - key.tonic) % 12 for pitch_class in key.scale}
    scale = set(own)
    for mode, usual, other in (("minor", 8, 9), ("major", 11, 10), ("major", 5, 6)):
        if key.mode == mode and weights[other] > max(weights[usual], 0.02 * sum(weights)):
            scale = scale - {usual} | {other}
    return None if scale == own else frozenset(scale)
