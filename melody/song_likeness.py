"""How like human songs ours are: pooled over all songs, and song by song where both sing the same words.

Four figures of Sheng et al., SongMASS (2021), and Ju et al., TeleMelody (2022): overlap of the histograms of pitch
(PD), duration (DD) and onset interval (IOI), in 0..1, and melody distance (MD), in semitones. Pooled figures compare
all notes of all songs; per-song figures are means over pairs of songs and much lower, for two songs are never alike:
notes drawn at random reach a per-song PD and DD of 50 to 70 %. Never print one without its floor and its ceiling.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean

import numpy as np

from align.meter import GRID
from melody import metrics
from melody.distances import overlap, warped_distance
from melody.metrics import SungNote, SungSong


@dataclass(frozen=True, slots=True)
class Likeness:
    """PD, DD, IOI in 0..1 and MD in semitones (None where it was not measured)."""

    pitch: float
    duration: float
    onset_interval: float
    melody_distance: float | None = None


def pooled(songs: Sequence[SungSong], others: Sequence[SungSong]) -> Likeness:
    """Compare the histograms of all notes of `songs` with those of all notes of `others`."""
    return Likeness(
        overlap(metrics.pitches(songs), metrics.pitches(others)),
        overlap(metrics.durations(songs), metrics.durations(others)),
        overlap(metrics.onset_intervals(songs), metrics.onset_intervals(others)),
    )


def per_song(songs: Sequence[SungSong], others: Sequence[SungSong]) -> Likeness:
    """Compare each song with the one in the same place of `others`, and return the means."""
    pairs = list(zip(songs, others, strict=True))
    alike = [pooled([song], [other]) for song, other in pairs]
    return Likeness(
        mean(a.pitch for a in alike),
        mean(a.duration for a in alike),
        mean(a.onset_interval for a in alike),
        mean(warped_distance(pitch_series(song), pitch_series(other)) for song, other in pairs),
    )


def pitch_series(song: SungSong) -> list[float]:
    """Return the pitch of every sixteenth that is sung, counted from the song's mean: what MD compares."""
    series = [note.pitch for note in song.notes for _ in range(max(1, round(note.duration / GRID)))]
    middle = float(np.mean(series))
    return [pitch - middle for pitch in series]


def random_songs(songs: Sequence[SungSong], seed: int = 0) -> list[SungSong]:
    """Return the songs with every note's pitch, duration and rest drawn from all songs: right histograms, no melody.

    Pitches are drawn as heights above the tonic, so that keys do not mix; syllables and words stay.
    """
    rng = np.random.default_rng(seed)
    pool: list[tuple[int, int, int]] = []
    for song in songs:
        before = 0
        for note in song.notes:
            pool.append((note.pitch - 60 - song.key.tonic, note.duration, max(0, note.onset - before)))
            before = note.onset + note.duration
    drawn = []
    for song in songs:
        tick, notes = 0, []
        for note, index in zip(song.notes, rng.integers(0, len(pool), len(song.notes)).tolist(), strict=True):
            height, duration, rest = pool[index]
            tick += rest
            place = tick % song.meter.bar_ticks
            pitch = min(127, max(0, 60 + song.key.tonic + height))
            strength = song.meter.strength(place)
            notes.append(SungNote(tick, duration, strength, pitch, note.syllable, note.held, place))
            tick += duration
        drawn.append(replace(song, notes=tuple(notes)))
    return drawn
