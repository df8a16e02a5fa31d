"""A critic of rhythms: how much more like people's than like ours the rhythm of a stretch of a song is.

The search for rhythms (`align.search`) weighs one syllable after another; what a whole stretch has in common it cannot
see: how often its bars come back, whether every phrase ends alike, whether songs are syncopated throughout or not at
all. So it makes a few rhythms, and the critic chooses. The critic is a small network that learned to tell stretches of
eight bars that people wrote from stretches that the search makes to the same words: the discriminator of adversarial
training (Goodfellow et al., 2014), which here does not teach the generator but chooses among what it makes
(discriminator rejection sampling, Azadi et al., 2019). `scripts/train_critics.py` trains it; `CARD.md` beside the
weights says on what.

All times are in sixteenths. Letters in shapes: N stretches, F features, H hidden units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from align.features import NUM_METERS, STYLES, meter_class
from align.meter import GRID, Meter
from align.scorer import MODEL
from lyrics.model_files import read_model_file

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NUM_BARS = 8
LEAST_BARS = 4  # shorter stretches say too little
_OPENING = 8  # lines, and those after them in the same section, that critics choose by
_LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16)  # anything else counts as one more kind
_MOST = 64  # sixteenths; longer notes are all alike


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some bars of a rhythm; what begins before the first bar line is a pick-up, at a negative time."""

    first: int  # index of its first note in the song
    start: int  # its first bar line, from that of the song
    onsets: tuple[int, ...]  # of its notes, from its first bar line
    durations: tuple[int, ...]
    held: tuple[bool, ...]  # whether a note continues the syllable of the note before
    bars: int


def cut_stretches(
    onsets: Sequence[int], durations: Sequence[int], held: Sequence[bool], begins: Sequence[int], bar: int
) -> list[Stretch]:
    """Cut notes into stretches of eight bars that begin where lines begin; the last one may be shorter.

    `onsets` count from a bar line, `begins` are the indices of the notes with which lines begin. A line that begins in
    the second half of a bar has a pick-up: its stretch begins at the next bar line.
    """
    found: list[Stretch] = []
    end = onsets[-1] + durations[-1]
    lines = [(onsets[first] + bar // 2) // bar * bar for first in begins]
    earliest = lines[0]
    for number, (first, start) in enumerate(zip(begins, lines, strict=True)):
        bars = min(NUM_BARS, -(-(end - start) // bar))
        if start < earliest or bars < LEAST_BARS:
            continue
        earliest = stop = start + bars * bar
        following = next((begin for begin in begins[number + 1 :] if onsets[begin] >= stop - bar // 2), len(onsets))
        inside = [i for i in range(first, following) if onsets[i] < stop]
        found.append(
            Stretch(
                first,
                start,
                tuple(onsets[i] - start for i in inside),
                tuple(durations[i] for i in inside),
                tuple(held[i] for i in inside),
                bars,
            )
        )
    return found


def count_opening(sections: Sequence[int]) -> int:
    """Count the lines of the first sections, as many sections as make up the lines that critics want to see.

    `sections` are those of the lines.

    >>> count_opening([0] * 4 + [1] * 6 + [2] * 4)
    10
    """
    for number in range(_OPENING, len(sections)):
        if sections[number] != sections[number - 1]:
            return number
    return len(sections)


@cache
def _kinds() -> Ints:
    """Kind of every length up to _MOST."""
    kinds = np.full(_MOST + 1, len(_LENGTHS))
    kinds[list(_LENGTHS)] = np.arange(len(_LENGTHS))
    return kinds


@cache
def _strengths(meter: Meter) -> tuple[Ints, Ints]:
    """Strength of every place in the bar; the strongest place that a note is held across, by place and length."""
    bar = meter.bar_ticks // GRID
    strengths = np.array([meter.strength(place * GRID) for place in range(bar)])
    across = np.zeros((bar, _MOST + 1), dtype=np.int64)
    for length in range(2, _MOST + 1):
        across[:, length] = np.maximum(across[:, length - 1], strengths[(np.arange(bar) + length - 1) % bar])
    return strengths, across


def _entropy(counts: Ints) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _repeated(values: Sequence[int], n: int) -> float:
    """Share of n-grams that occurred before."""
    grams = list(zip(*(values[i:] for i in range(n)), strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def describe(stretch: Stretch, meter: Meter, style: str) -> list[float]:
    """Return the features of a stretch: how its notes lie in time, what comes back, how its bars and lines end."""
    bar = meter.bar_ticks // GRID
    strengths, across = _strengths(meter)
    onsets, durations = np.array(stretch.onsets), np.clip(stretch.durations, 1, _MOST)
    count = len(onsets)
    gaps = np.clip(np.diff(onsets), 1, _MOST)
    place = onsets % bar
    strength = strengths[place]
    features = [count / stretch.bars, sum(stretch.held) / count, float(any(stretch.held))]
    for lengths in (durations, gaps):
        counts = np.bincount(_kinds()[lengths], minlength=len(_LENGTHS) + 1)
        features += (counts / max(1, counts.sum())).tolist()
        features += [_entropy(counts) if len(lengths) else 0.0, float((counts > 0).sum())]
    features += (np.bincount(strength, minlength=6)[1:] / count).tolist()
    features += (np.bincount(strength, weights=durations, minlength=6)[1:] / durations.sum()).tolist()
    pairs = max(1, len(gaps) - 1)
    for before, after in ((1, 1), (1, 3), (3, 1), (1, 2), (2, 1)):
        features.append(float((before * gaps[:-1] == after * gaps[1:]).sum()) / pairs)
    features.append(float(np.log2(durations).std()))
    rests = np.diff(onsets) - durations[:-1]
    features += [float((rests > 0).sum()) / stretch.bars, float(rests[rests > 0].sum()) / (stretch.bars * bar)]
    features.append(float(durations.max()) / bar)
    crossing = across[place, durations] > strength
    features += [float(crossing.mean()), float(crossing.any())]
    features.append(-min(0, stretch.onsets[0]) / bar)
    features += [_repeated(gaps.tolist(), n) for n in (2, 3, 4, 6)]

    bars: list[list[int]] = [[] for _ in range(stretch.bars)]
    longest = [0] * NUM_BARS
    for onset, length in zip(stretch.onsets, stretch.durations, strict=True):
        if onset >= 0:
            bars[onset // bar].append(onset % bar)
            longest[onset // bar] = max(longest[onset // bar], length)
    features += [sum(not b for b in bars) / stretch.bars, sum(b[:1] == [0] for b in bars) / stretch.bars]
    for lag in (1, 2, 3, 4):
        pairs_of_bars = [(a, b) for a, b in zip(bars[lag:], bars, strict=False) if a and b]
        size = max(1, len(pairs_of_bars))
        features.append(sum(a == b for a, b in pairs_of_bars) / size)
        features.append(sum(len(set(a) & set(b)) / len(set(a) | set(b)) for a, b in pairs_of_bars) / size)
    features.append(len({tuple(b) for b in bars}) / stretch.bars)
    features += [length / bar for length in longest]
    features += [stretch.durations[-1] / bar, (stretch.bars * bar - stretch.onsets[-1]) / bar]
    features += [float(stretch.bars == NUM_BARS), float(stretch.bars)]
    # How often something begins at each place of the bar, in twelve or sixteen parts.
    features += (np.bincount(place * 16 // bar, minlength=16)[:16] / stretch.bars).tolist()
    features += [float(meter_class(meter) == kind) for kind in range(NUM_METERS)]
    features += [float(style == known) for known in STYLES]
    return features


@dataclass(frozen=True, slots=True, eq=False)
class Critic:
    """A loaded network with one hidden layer: several networks side by side, whose answers are averaged."""

    mean: Floats  # (F,), taken off the features
    scale: Floats  # (F,), which they are multiplied by then
    hidden: Floats  # (F, H)
    hidden_bias: Floats  # (H,)
    output: Floats  # (H,)
    output_bias: float

    def judge(self, features: Sequence[Sequence[float]]) -> float:
        """Mean log odds that stretches are people's, by their features (N, F); 0 if there is none."""
        if not features:
            return 0.0
        inputs = np.clip((np.array(features) - self.mean) * self.scale, -4, 4)
        hidden = np.maximum(inputs @ self.hidden + self.hidden_bias, 0)
        return float((hidden @ self.output).mean()) + self.output_bias


def read_critic(path: Path) -> Critic:
    """Read a critic's file; ModelFileError if it is missing or is not the one this version came with."""
    from safetensors.numpy import load

    arrays = {name: values.astype(np.float64) for name, values in load(read_model_file(path)).items()}
    return Critic(
        arrays["mean"],
        arrays["scale"],
        arrays["hidden"],
        arrays["hidden_bias"],
        arrays["output"],
        float(arrays["output_bias"][0]),
    )


@cache
def load_critic(folder: Path = MODEL) -> Critic:
    """Load the shipped critic of rhythms; ModelFileError if it cannot be."""
    return read_critic(folder / "critic.safetensors")
