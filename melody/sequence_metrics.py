"""The published statistics of melodies cut into lines of equal length, as lyrics-to-melody systems report them.

The unit is a line of L notes (20 in the literature), one note a syllable, with three attributes a note: MIDI pitch,
duration and the rest before the note, both in quarter notes. The statistics follow Yu, Srivastava and Canales,
"Conditional LSTM-GAN for Melody Generation from Lyrics" (2021), and Duan et al., "Interpretable Melody Generation from
Lyrics with Discrete-Valued Adversarial Training" (2022); where those leave a choice, the docstring states ours. Arrays
are (N, L): N lines of L notes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melody.distances import jensen_shannon, mmd2, overlap
from melody.metrics import CopyIndex

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LONGEST_INTERVAL = 8.0  # quarter notes; longer onset intervals count as this long, as in melody.metrics
# How well each pitch class fits a key, from its tonic up: Temperley, "What's Key for Key?" (1999).
_MAJOR_PROFILE = (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0)
_MINOR_PROFILE = (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0)


class SequenceError(ValueError):
    """A table or an array that does not hold lines of notes; the message is one sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class NoteLines:
    """N melodies of L notes each."""

    pitch: Ints  # (N, L) MIDI numbers
    duration: Floats  # (N, L) quarter notes
    rest: Floats  # (N, L) quarter notes of silence before the note
    tonic: Ints | None = None  # (N,) pitch class of the tonic; None: estimated from the notes

    def __post_init__(self) -> None:
        """Check the shapes."""
        shapes = {self.pitch.shape, self.duration.shape, self.rest.shape}
        if len(shapes) != 1 or self.pitch.ndim != 2:
            raise SequenceError(f"pitch, duration and rest must be three (N, L) arrays of one shape, got {shapes}")
        if self.tonic is not None and self.tonic.shape != self.pitch.shape[:1]:
            raise SequenceError(f"there must be one tonic a line, got {self.tonic.shape} for {len(self.pitch)} lines")

    @classmethod
    def of(
        cls, pitch: Sequence[Sequence[int]], duration: Sequence[Sequence[float]], rest: Sequence[Sequence[float]]
    ) -> "NoteLines":
        """Make lines from nested lists."""
        try:
            return cls(
                np.array(pitch, dtype=np.int64),
                np.array(duration, dtype=np.float64),
                np.array(rest, dtype=np.float64),
            )
        except ValueError as error:
            raise SequenceError(f"all lines must have the same number of notes: {error}") from error

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.pitch)

    def __getitem__(self, rows: "slice | Ints | NDArray[np.bool_]") -> "NoteLines":
        """Return some of the lines."""
        tonic = None if self.tonic is None else self.tonic[rows]
        return NoteLines(self.pitch[rows], self.duration[rows], self.rest[rows], tonic)

    @property
    def interval(self) -> Ints:
        """Semitones from each note to the next: (N, L - 1)."""
        return np.diff(self.pitch, axis=1)

    @property
    def onset_interval(self) -> Floats:
        """Quarter notes from each onset to the next, at most `LONGEST_INTERVAL`: (N, L - 1)."""
        return np.minimum(self.duration[:, :-1] + self.rest[:, 1:], LONGEST_INTERVAL)

    @property
    def scale_degree(self) -> Ints:
        """Semitones of every note above the tonic, 0..11; the tonic is estimated where it is not known."""
        tonic = estimate_tonics(self) if self.tonic is None else self.tonic
        return (self.pitch - tonic[:, None]) % 12

    @property
    def vectors(self) -> Floats:
        """Every line as one vector, pitches, durations, then rests, unscaled as published: (N, 3 L)."""
        return np.concatenate((self.pitch.astype(np.float64), self.duration, self.rest), axis=1)

    @property
    def tokens(self) -> list[list[tuple[int, int]]]:
        """Return (interval from the note before, duration in sixteenths) of all notes but the first of each line."""
        sixteenths = np.maximum(1, np.rint(4 * self.duration[:, 1:])).astype(np.int64)
        pairs = np.stack((self.interval, sixteenths), axis=-1).tolist()
        return [[(interval, duration) for interval, duration in line] for line in pairs]


def read_paper_lines(path: Path, split: str) -> NoteLines:
    """Read the lines of one split ("train" or "valid") of a table in the form of the published 20-note matrices.

    Rows without a split were not used by the published systems and are never returned. Raises SequenceError if the
    table lacks a column or has no such rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ("paper_split", "pitch", "dur", "rest")
    try:
        names = pq.read_schema(path).names
    except pa.ArrowInvalid as error:
        raise SequenceError(f"{path} is not a parquet table") from error
    missing = [name for name in columns if name not in names]
    if missing:
        raise SequenceError(f"{path} has no column {', '.join(missing)}: it is no table of 20-note lines")
    table = pq.read_table(path, columns=list(columns)).to_pydict()
    rows = [i for i, name in enumerate(table["paper_split"]) if name == split]
    if not rows:
        raise SequenceError(f'{path} has no rows with paper_split "{split}"')
    return NoteLines.of(*([table[name][i] for i in rows] for name in ("pitch", "dur", "rest")))


def estimate_tonics(lines: NoteLines) -> Ints:
    """Return the pitch class of each line's most likely tonic, (N,); see `estimate_tonic_and_mode`."""
    return np.array([tonic for tonic, _ in estimate_tonic_and_mode(lines)], dtype=np.int64)


def estimate_tonic_and_mode(lines: NoteLines) -> list[tuple[int, str]]:
    """Return each line's most likely tonic (pitch class) and mode ("major" or "minor").

    The key whose profile correlates best with the sounding time of the pitch classes: Krumhansl and Schmuckler (1990)
    with the profiles of Temperley (1999). Twenty notes often leave a key and its relative in doubt.
    """
    weights = np.zeros((len(lines), 12))
    np.add.at(weights, (np.arange(len(lines))[:, None], lines.pitch % 12), lines.duration)
    profiles = np.array([np.roll(profile, k) for profile in (_MAJOR_PROFILE, _MINOR_PROFILE) for k in range(12)])
    profiles -= profiles.mean(axis=1, keepdims=True)
    profiles /= np.linalg.norm(profiles, axis=1, keepdims=True)
    fits = (weights - weights.mean(axis=1, keepdims=True)) @ profiles.T
    best = np.argmax(fits, axis=1).tolist()
    return [(number % 12, "major" if number < 12 else "minor") for number in best]


def random_notes(corpus: NoteLines, count: int, seed: int = 0) -> NoteLines:
    """Draw every note of `count` lines at random from all notes of `corpus`: right histograms, no melody. The floor."""
    num_notes = corpus.pitch.shape[1]
    drawn = np.random.default_rng(seed).integers(0, corpus.pitch.size, (count, num_notes))
    return NoteLines(corpus.pitch.ravel()[drawn], corpus.duration.ravel()[drawn], corpus.rest.ravel()[drawn])


def _grams(features: NDArray[Any], n: int) -> Ints:
    """Give every n-gram a number, equal ones the same: (N, T, F) -> (N, T - n + 1)."""
    count = features.shape[1] - n + 1
    if n < 1 or count < 1:
        raise SequenceError(f"lines of {features.shape[1]} have no {n}-grams")
    grams = np.concatenate([features[:, k : k + count] for k in range(n)], axis=2)
    _, numbers = np.unique(grams.reshape(-1, grams.shape[2]), axis=0, return_inverse=True)
    return np.asarray(numbers, dtype=np.int64).reshape(len(features), count)


def _distinct_in_rows(numbers: Ints) -> Ints:
    """Count the different values of each row."""
    return np.asarray(1 + np.sum(np.diff(np.sort(numbers, axis=1), axis=1) != 0, axis=1), dtype=np.int64)


def repetitions(lines: NoteLines, n: int) -> float:
    """Return how many of a line's n-grams of pitches occurred before in the line, on average ("n-note repetitions").

    (L - n + 1) minus the number of different ones. Source: "2-MIDI / 3-MIDI numbers repetitions" of Yu et al. (2021).
    """
    grams = _grams(lines.pitch[:, :, None], n)
    return float(np.mean(grams.shape[1] - _distinct_in_rows(grams)))


def mean_span(lines: NoteLines) -> float:
    """Return the mean distance from the lowest to the highest note of a line, in semitones ("MIDI numbers span")."""
    return float(np.mean(np.ptp(lines.pitch, axis=1)))


def unique_pitches(lines: NoteLines) -> float:
    """Return the mean number of different pitches in a line. Source: Yu et al. (2021)."""
    return float(np.mean(_distinct_in_rows(lines.pitch)))


def notes_without_rest(lines: NoteLines) -> float:
    """Return the mean number of notes in a line that no rest stands before. Source: Yu et al. (2021)."""
    return float(np.mean(np.sum(lines.rest == 0, axis=1)))


def mean_rest(lines: NoteLines) -> float:
    """Return the mean rest before a note, in quarter notes, those without rest as 0. Source: Yu et al. (2021)."""
    return float(np.mean(lines.rest))


def mean_length(lines: NoteLines) -> float:
    """Return the mean length of a line in quarter notes, rests included ("song length" of Yu et al., 2021)."""
    return float(np.mean(np.sum(lines.duration + lines.rest, axis=1)))


def distinct(lines: NoteLines, n: int) -> float:
    """Return distinct-n: how many different n-grams there are among all lines, over how many n-grams there are.

    A gram is n successive pairs (interval, onset interval), so it does not depend on key. The figure falls with the
    number of lines: compare samples of one size only. Source: Li et al., "A Diversity-Promoting Objective Function
    for Neural Conversation Models" (2016), for notes in place of words.
    """
    grams = _grams(np.stack((lines.interval, lines.onset_interval), axis=2), n)
    return len(np.unique(grams)) / grams.size


def self_repeated(lines: NoteLines, n: int = 4) -> float:
    """Return the mean share of a line's n-grams of (interval, duration) that occurred before in the line.

    The measure of motifs: exact repetition, transposed or not. `melody.metrics.repeated_fourgrams` asks it of songs.
    """
    grams = _grams(np.stack((lines.interval, lines.duration[:, 1:]), axis=2), n)
    return float(np.mean(1 - _distinct_in_rows(grams) / grams.shape[1]))


def copied_runs(lines: NoteLines, training: CopyIndex) -> Ints:
    """Return how many successive notes of each line stand in one training melody, transposed or not: (N,).

    Runs of equal (interval, duration) pairs, counted in notes. Source: the longest common run by which memorising is
    shown, e.g. Papadopoulos, Roy and Pachet, "Avoiding Plagiarism in Markov Sequence Generation" (2014).
    """
    return np.array([training.longest_run(tokens) for tokens in lines.tokens], dtype=np.int64)


def index_lines(lines: NoteLines) -> CopyIndex:
    """Index training lines for `copied_runs`."""
    return CopyIndex(lines.tokens)


# What the divergences and overlaps compare: name, and the pooled values of all lines.
POOLED: Mapping[str, Callable[[NoteLines], Ints | Floats]] = {
    "pitch class": lambda lines: lines.pitch % 12,
    "scale degree": lambda lines: lines.scale_degree,
    "interval": lambda lines: lines.interval,
    "duration": lambda lines: lines.duration,
    "onset interval": lambda lines: lines.onset_interval,
}


def divergences(lines: NoteLines, real: NoteLines) -> dict[str, float]:
    """Return the Jensen-Shannon divergence in bits of each pooled attribute of `POOLED` from the real lines."""
    return {
        name: jensen_shannon(values(lines).ravel().tolist(), values(real).ravel().tolist())
        for name, values in POOLED.items()
    }


def overlaps(lines: NoteLines, real: NoteLines) -> dict[str, float]:
    """Return the overlap of each pooled attribute of `POOLED` with that of the real lines, 0..1."""
    return {
        name: overlap(values(lines).ravel().tolist(), values(real).ravel().tolist()) for name, values in POOLED.items()
    }


def statistics(lines: NoteLines) -> dict[str, float]:
    """Return everything that can be said of lines without others to compare them with, by printed name."""
    return {
        "2-note repetitions": repetitions(lines, 2),
        "3-note repetitions": repetitions(lines, 3),
        "self-repeated 4-grams": self_repeated(lines, 4),
        "span, semitones": mean_span(lines),
        "unique pitches": unique_pitches(lines),
        "notes without rest": notes_without_rest(lines),
        "average rest, quarter notes": mean_rest(lines),
        "length, quarter notes": mean_length(lines),
        "distinct-2": distinct(lines, 2),
        "distinct-4": distinct(lines, 4),
    }


def compare(lines: NoteLines, real: NoteLines, training: CopyIndex | None = None) -> dict[str, float]:
    """Return `statistics`, the distances from the real lines, and the longest copied run, by printed name."""
    figures = statistics(lines)
    figures["MMD2"] = mmd2(lines.vectors, real.vectors)
    figures |= {f"JS {name}": value for name, value in divergences(lines, real).items()}
    figures |= {f"overlap {name}": value for name, value in overlaps(lines, real).items()}
    if training is not None:
        figures["longest run shared with training"] = float(np.mean(copied_runs(lines, training)))
    return figures
