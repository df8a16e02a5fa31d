"""A critic of melodies: how much more like people's than like ours the pitches of a stretch of a song are.

As `align.critic` does for rhythms: the search sings the beginning of a song in a few ways, and a small network that has
learned to tell people's stretches of eight bars from ours to the same words says which to go on with. The features are
what a listener could notice: pitch against the key, the line, what comes back. `scripts/train_critics.py` trains it.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from align.critic import Critic, Stretch, read_critic
from align.features import NUM_METERS, STYLES, meter_class
from align.meter import GRID, Meter
from melody.theory import MAJOR, MINOR, Key

Ints = NDArray[np.int64]

MODEL = Path(__file__).parent / "data" / "critic"
_INTERVALS = (-6, -5, -3, -1, 0, 2, 4, 5, 12)  # kinds of intervals: the highest of each
_MOVES = (-3, -1, 0, 2, 12)  # fewer kinds, for pairs: leap, step, repeat, step, leap
_LONGEST = 64  # sixteenths


@cache
def _degrees(mode: str) -> Ints:
    """Step of the scale, 1 to 7, of every number of semitones above the tonic; 0 outside the key."""
    steps = np.zeros(12, dtype=np.int64)
    scale = MAJOR if mode == "major" else MINOR
    steps[list(scale)] = np.arange(1, 8)
    if mode == "minor":
        steps[9], steps[11] = 6, 7
    return steps


@cache
def _strengths(meter: Meter) -> Ints:
    strengths: Ints = np.array([meter.strength(tick) for tick in range(0, meter.bar_ticks, GRID)])
    return strengths


def _shares(values: Ints, size: int, weights: NDArray[np.int64] | None = None) -> list[float]:
    counts = np.bincount(values, weights=weights, minlength=size)
    shares: list[float] = (counts / max(1e-9, counts.sum())).tolist()
    return shares


def _entropy(values: Ints) -> float:
    _, counts = np.unique(values, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _repeated(values: Sequence[object], n: int) -> float:
    """Share of n-grams that occurred before."""
    grams = list(zip(*(values[i:] for i in range(n)), strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _longest_run(values: Sequence[bool]) -> int:
    best = run = 0
    for value in values:
        run = run + 1 if value else 0
        best = max(best, run)
    return best


def describe(stretch: Stretch, pitches: Sequence[int], meter: Meter, key: Key, style: str) -> list[float]:
    """Return the features of a stretch with its pitches, one MIDI number a note."""
    bar = meter.bar_ticks // GRID
    onsets, durations = np.array(stretch.onsets), np.clip(stretch.durations, 1, _LONGEST)
    pitch = np.array(pitches)
    count = len(pitch)
    strength = _strengths(meter)[onsets % bar]
    strong, weak = strength >= 4, strength <= 2
    held = np.array(stretch.held)
    degree = _degrees(key.mode)[(pitch - key.tonic) % 12]
    middle = round(float(np.median(pitch)))
    anchor = middle - ((middle - key.tonic + 3) % 12 - 3)

    features = _shares(degree, 8, durations) + _shares(degree[strong], 8) + _shares(degree[weak], 8)
    features += [float(degree[0] == step) for step in range(8)] + [float(degree[-1] == step) for step in range(8)]
    pairs = (degree[:-1] * 8 + degree[1:])[(degree[:-1] > 0) & (degree[1:] > 0)]
    features += (np.bincount(pairs, minlength=64) / max(1, count - 1)).tolist()
    features.append(float(key.mode == "minor"))

    intervals = np.diff(pitch)
    size = np.abs(intervals)
    moves = max(1, len(intervals))
    height = pitch - pitch.mean()
    spread = float(height.std())
    features += [float(np.ptp(pitch)), float(len(set(pitches))), spread]
    features.append(float((height**3).mean()) / (spread**3 + 1e-9))
    features += [float(np.median(pitch)) - anchor, float(pitch.min()) - anchor, float(pitch.max()) - anchor]
    features += [int(pitch.argmax()) / count, int(pitch.argmin()) / count, float((pitch == pitch.max()).mean())]
    features.append(_entropy(pitch))
    features += _shares(np.searchsorted(_INTERVALS, np.clip(intervals, -12, 12)), len(_INTERVALS))
    coarse = np.searchsorted(_MOVES, np.clip(intervals, -12, 12))
    features += _shares(coarse[:-1] * len(_MOVES) + coarse[1:], len(_MOVES) ** 2)
    features += [float(size.sum()) / moves, float(size.max(initial=0)), _entropy(intervals) if count > 1 else 0.0]
    signs = np.sign(intervals[intervals != 0])
    turns = signs[:-1] != signs[1:]
    features += [float(turns.sum()) / max(1, len(turns)), float(_longest_run((~turns).tolist()))]
    features.append(float(_longest_run((intervals == 0).tolist())))
    onto = strong[1:]
    for chosen in (onto, durations[:-1] >= 8, held[1:]):
        features.append(float(size[chosen].sum()) / max(1, int(chosen.sum())))
    features.append(float((intervals[onto] == 0).sum()) / max(1, int(onto.sum())))
    for one, other in ((durations >= 8, durations <= 2), (strong, ~strong)):
        high, low = (float(height[chosen].mean()) if chosen.any() else 0.0 for chosen in (one, other))
        features.append(high - low)
    features += [float(part.mean()) if len(part) else 0.0 for part in np.array_split(height, 4)]

    steps = intervals.tolist()
    tokens = list(zip(steps, durations[1:].tolist(), strict=True))
    for n in (2, 3, 4, 6):
        features += [_repeated(tokens, n), _repeated(steps, n), _repeated(np.sign(intervals).tolist(), n)]
    bars: list[list[tuple[int, int]]] = [[] for _ in range(stretch.bars)]
    longest = [0] * stretch.bars
    for onset, sung, length in zip(stretch.onsets, pitches, stretch.durations, strict=True):
        if onset >= 0:
            bars[onset // bar].append((onset % bar, sung))
            longest[onset // bar] = max(longest[onset // bar], length)
    shapes = [tuple((place, sung - notes[0][1]) for place, sung in notes) for notes in bars]
    places = [{place for place, _ in notes} for notes in bars]
    for lag in (1, 2, 4):
        alike = [(i, i - lag) for i in range(lag, stretch.bars) if bars[i] and bars[i - lag]]
        much = max(1, len(alike))
        features.append(sum(bars[i] == bars[j] for i, j in alike) / much)
        features.append(sum(shapes[i] == shapes[j] for i, j in alike) / much)
        features.append(
            sum(len(set(bars[i]) & set(bars[j])) / max(1, len(places[i] & places[j])) for i, j in alike) / much
        )
    for index in (1, 3, 5, 7):
        final = (bars[index][-1][1] - key.tonic) % 12 if index < stretch.bars and bars[index] else -1
        features += [float(final == 0), float(final == 7), longest[index] / bar if index < stretch.bars else 0.0]
    features += [count / stretch.bars, float(held.mean()), stretch.durations[-1] / bar, float(stretch.bars)]
    features += [float(meter_class(meter) == kind) for kind in range(NUM_METERS)]
    features += [float(style == known) for known in STYLES]
    return features


@cache
def load_critic(folder: Path = MODEL) -> Critic:
    """Load the shipped critic of melodies; ModelFileError if it cannot be."""
    return read_critic(folder / "critic.safetensors")
