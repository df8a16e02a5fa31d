"""From played times to a grid: sixteenths, thirty-seconds where a tune has them, triplets beat by beat.

A file made by a notation program or a sequencer lies on its own grid, perhaps humanised. What was played or hummed
freely does not; then the beat that makes the onsets regular is searched, and followed where a player hurries or drags.
The measure of regularity is the mean resultant length of the onsets' phases (Mardia and Jupp, "Directional Statistics",
2000): 1 on a grid, about 1 / sqrt(n) for n onsets at random.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from align.meter import GRID, TICKS_PER_BEAT
from melody.listening import TuneNote

Floats = NDArray[np.float64]

ON_GRID = 0.6  # regularity from which a file's own grid is believed
_TRIPLET = TICKS_PER_BEAT // 3
_FINE = GRID // 2
_FINE_COST = 12.0**2  # ticks squared: a beat must be that much nearer to a finer grid, or to triplets, to take it
_TRIPLET_COST = 15.0**2
_FILLED = 0.2  # a gap shorter than this share of the time to the next onset is articulation, not a rest
_BEATS = np.geomspace(0.3, 1.2, 120)  # seconds: 50 to 200 beats a minute
_USUAL_BEAT, _SPREAD = 0.55, 0.5  # seconds; standard deviation in octaves


def regularity(times: Sequence[float] | Floats, period: float) -> float:
    """Return how regularly times fall on one place of a period, 0 to 1."""
    return float(abs(np.exp(2j * np.pi * np.asarray(times) / period).mean()))


def on_own_grid(onsets: Sequence[float]) -> bool:
    """Whether onsets (ticks of a file that counts 480 to the quarter) lie on the file's own grid, perhaps humanised."""
    return max(regularity(onsets, period) for period in (GRID, 2 * GRID, _TRIPLET)) >= ON_GRID


def find_beat(seconds: Sequence[float]) -> float:
    """Return the length of the beat, in seconds, that makes onsets most regular.

    Intervals are scored instead of onsets, so that a tempo that drifts does no harm. A beat counts for how well the
    intervals are multiples of it and of its half and quarter; extreme tempos must be better than usual ones.
    """
    intervals = np.diff(np.asarray(seconds))
    intervals = intervals[intervals > 0.05]
    if not len(intervals):
        return _USUAL_BEAT

    def score(beat: float) -> float:
        parts = ((1.0, 0.3), (2.0, 0.45), (4.0, 0.25))
        fit = sum(weight * np.cos(2 * np.pi * intervals * split / beat).mean() for split, weight in parts)
        return float(fit - 0.1 * (np.log2(beat / _USUAL_BEAT) / _SPREAD) ** 2)

    return float(max(_BEATS, key=score))


def follow_beat(seconds: Sequence[float], beat: float) -> list[float]:
    """Return onsets in ticks: intervals in beats of a length that follows the player, snapped to eighths or sixteenths.

    The beat moves a fifth of the way to what each interval asks for, as listeners' expectations do (Large and Jones,
    "The dynamics of attending", 1999).
    """
    ticks = [0.0]
    for before, after in itertools.pairwise(seconds):
        interval = after - before
        sixteenths = interval / beat * 4
        whole = max(1.0, float(np.round(sixteenths)))
        even = max(2.0, 2.0 * float(np.round(sixteenths / 2)))
        # An odd number of sixteenths must be clearly nearer.
        steps = even if abs(sixteenths - even) < abs(sixteenths - whole) + 0.35 else whole
        ticks.append(ticks[-1] + steps * GRID)
        asked = interval / steps * 4
        if abs(asked / beat - 1) < 0.25:
            beat += 0.2 * (asked - beat)
    return ticks


def quantize(
    starts: Sequence[float], ends: Sequence[float], pitches: Sequence[int], *, triplets: bool = True
) -> tuple[list[TuneNote], list[int]]:
    """Put notes on the grid; also return the indices of notes left out, for which there was no room (ornaments).

    Times are ticks, onsets in order; beats begin at multiples of 480. Notes sound until the next one or shorter:
    overlaps are cut, and short gaps of articulation are filled.
    """
    times = np.asarray(starts, dtype=np.float64)
    beats = np.floor((times + _FINE / 2) / TICKS_PER_BEAT).astype(np.int64)
    grid_of: dict[int, int] = {}
    for beat in np.unique(beats).tolist():
        here = times[beats == beat]
        costs = {
            GRID: _misfit(here, GRID),
            _FINE: _misfit(here, _FINE) + _FINE_COST if len(here) > 1 else np.inf,
            _TRIPLET: _misfit(here, _TRIPLET) + _TRIPLET_COST if triplets else np.inf,
            _TRIPLET // 2: _misfit(here, _TRIPLET // 2) + 2 * _TRIPLET_COST if triplets and len(here) > 3 else np.inf,
        }
        grid_of[beat] = min(costs, key=lambda grid: costs[grid])
    kept: list[int] = []
    onsets: list[int] = []
    left_out: list[int] = []
    for index, (time, beat) in enumerate(zip(times.tolist(), beats.tolist(), strict=True)):
        grid = grid_of[beat]
        onset = round(time / grid) * grid
        if onsets and onset <= onsets[-1]:
            onset = round(time / _FINE) * _FINE  # a grace note before its main note
            if onset <= onsets[-1]:
                left_out.append(index)
                continue
        kept.append(index)
        onsets.append(onset)
    notes = []
    for place, (index, onset) in enumerate(zip(kept, onsets, strict=True)):
        following = onsets[place + 1] if place + 1 < len(kept) else None
        end = _end(onset, ends[index], following, grid_of)
        notes.append(TuneNote(onset, end - onset, pitches[index]))
    return notes, left_out


def _misfit(times: Floats, grid: int) -> float:
    """Return the sum of squared distances to a grid, capped so that one stray note does not decide for all."""
    distance = np.abs(times - np.round(times / grid) * grid)
    return float((np.minimum(distance, 45.0) ** 2).sum())


def _end(onset: int, end: float, following: int | None, grid_of: dict[int, int]) -> int:
    """Return where a note stops: at the next one if it nearly reaches it, else on the grid."""
    if following is not None:
        gap = following - end
        # A gap of exactly a sixteenth, or several, is a rest that somebody wrote.
        written = gap >= GRID - 2 and abs(gap - round(gap / GRID) * GRID) <= 2
        if gap < _FINE / 2 or (gap < _FILLED * (following - onset) and not written):
            return following
    else:
        full = round(end / (2 * GRID)) * 2 * GRID
        if abs(full - end) < _FILLED * (full - onset) and abs(end - round(end / GRID) * GRID) > 2:
            return full
    grid = grid_of.get(int(end // TICKS_PER_BEAT), GRID)
    if grid not in (GRID, _FINE):
        # A triplet's end, unless the sixteenth grid is as near.
        grid = grid if abs(end - round(end / grid) * grid) < abs(end - round(end / GRID) * GRID) else GRID
    stop = max(round(end / grid) * grid, onset + min(grid, _FINE))
    return stop if following is None else min(stop, following)
