"""The chord model: chord states and what was counted of them.

A chord state is a root above the tonic and one of four quality classes. The file is read once, after its hash is
checked. It was made by scripts/train_harmony.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lyrics.model_files import read_model_file
from melody.theory import QUALITIES, Chord, Key

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLASSES = ("", "m", "7", "dim")  # the quality that stands for each class: major, minor, dominant, diminished
NUM_STATES = 12 * len(CLASSES)  # state = semitones of the root above the tonic * 4 + class
MODES = ("major", "minor")

# What speaks for a key, in nats, besides the counted changes: to begin or end on its tonic, no tone outside its scale,
# and that it is major.
_BEGINS, _ENDS, _OUTSIDE, _MAJOR = 1.5, 1.0, 1.0, 0.7

_FOLDER = Path(__file__).parent / "data" / "harmony"


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Counted log probabilities. M modes, S states."""

    start: Floats  # (M, S): the first unit
    stay: Floats  # (M, 2): probability (not its log) that a chord goes on, into a bar and into a half bar
    change: Floats  # (M, S, S): the next chord, given that it changes; -inf on the diagonal
    emission: Floats  # (M, 2, S, 12): pitch class above the tonic, on strong beats and elsewhere
    line_end: Floats  # (M, S): log ratio of a state at line ends to the state anywhere
    song_end: Floats  # (M, S): the same for the last unit


@cache
def load_model() -> Model:
    """Read the model that infers chords; ModelFileError if its file is missing or changed."""
    return Model(**read_arrays("chords.safetensors"))


def read_arrays(name: str) -> dict[str, Floats]:
    """Read a file of melody/data/harmony; ModelFileError if it is missing or its hash is another."""
    from safetensors.numpy import load

    return {key: array.astype(np.float64) for key, array in load(read_model_file(_FOLDER / name)).items()}


def state_of(chord: Chord, key: Key) -> int:
    """Return the chord's state in the key."""
    intervals = QUALITIES[chord.quality]
    if 3 in intervals and 4 not in intervals:
        quality = 1 if 7 in intervals else 3
    else:
        quality = 2 if 10 in intervals else 0
    return (chord.root - key.tonic) % 12 * len(CLASSES) + quality


def chord_of(state: int, key: Key) -> Chord:
    """Return the plain chord of a state."""
    root, quality = divmod(state, len(CLASSES))
    return Chord((root + key.tonic) % 12, CLASSES[quality])


def key_of_chords(chords: Sequence[Chord], mode: str | None = None) -> Key:
    """Return the key (of that mode, if it is given) in which chords that are played over and over are likeliest.

    >>> print(key_of_chords([Chord.parse(symbol) for symbol in ("C", "G", "Am", "F")]))
    C major
    """
    model = load_model()

    def score(key: Key) -> float:
        number = MODES.index(key.mode)
        states = [state_of(chord, key) for chord in chords]
        following = [*states[1:], states[0]]
        changes = (model.change[number, one, next_one] for one, next_one in zip(states, following, strict=True))
        found = float(model.start[number, states[0]] + sum(change for change in changes if np.isfinite(change)))
        found += _BEGINS * (chords[0].root == key.tonic) + _ENDS * (chords[-1].root == key.tonic)
        found += _MAJOR * (key.mode == "major")
        return found - _OUTSIDE * sum(num_outside(chord, key) for chord in chords)

    return max((Key(tonic, name) for name in MODES if mode in (None, name) for tonic in range(12)), key=score)


def num_outside(chord: Chord, key: Key) -> int:
    """Return the number of tones of a chord outside the scale of a key; the raised seventh of minor is inside."""
    inside = {*key.scale, (key.tonic - 1) % 12}
    return sum((chord.root + interval) % 12 not in inside for interval in QUALITIES[chord.quality])
