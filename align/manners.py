"""Manners of rhythm: what a song does throughout, as songs differ from each other.

Some songs go in even quarters, some dot every beat, some set half and quarter in every bar of three. A mixture model of
whole songs (expectation maximisation over the counts of intervals by the place in the bar where they begin, and of the
places where lines begin) finds such manners in the training songs. A new song draws one, and with it how many syllables
a bar has. The scorer of `align.scorer` says what suits the words; the manner says what suits the song.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from align.features import INTERVAL_CLASS
from align.scorer import MODEL, NUM_STARTS, START_LOW, Floats
from lyrics.model_files import read_model_file

_LONE = 3.0  # standard deviations beyond which a density says no more


class Manner(NamedTuple):
    """One manner; log ratios are to what all songs of the metre do."""

    intervals: Floats  # (places of the scored bar, INTERVALS): log ratio of an interval from a place
    starts: Floats  # (NUM_STARTS,): log ratio of a place where a line begins
    density: float  # syllables per scored bar: mean
    spread: float  # and standard deviation

    def suits(self, syllables: int, scored_bars: float) -> float:
        """Log likelihood of a line's density, up to a constant of the metre."""
        away = min(_LONE, abs(syllables / scored_bars - self.density) / self.spread)
        return -0.5 * away * away - float(np.log(self.spread))


@dataclass(frozen=True, slots=True, eq=False)
class Manners:
    """The manners of a metre."""

    shares: Floats  # (styles, manners): how many songs have each
    manners: tuple[Manner, ...]

    def of_rhythm(self, phrases: Sequence[Sequence[int]], style: int, bar: int) -> Manner:
        """Return the manner of given phrases: onsets in sixteenths from their first bar line; `bar` as the scorer's."""
        scores = np.log(self.shares[style] + 1e-6)
        for onsets in phrases:
            for here, following in pairwise(onsets):
                if following - here in INTERVAL_CLASS:
                    scores += [m.intervals[here % bar, INTERVAL_CLASS[following - here]] for m in self.manners]
            if onsets and 0 <= onsets[0] - START_LOW < NUM_STARTS:
                scores += [m.starts[onsets[0] - START_LOW] for m in self.manners]
        return self.manners[int(np.argmax(scores))]


@cache
def load_manners(meter: int, folder: Path = MODEL) -> Manners:
    """Load the manners of a metre class; ModelFileError if the file is missing or is not the one of this version."""
    from safetensors.numpy import load

    arrays = load(read_model_file(folder / "manners.safetensors"))
    known = int(arrays["count"][meter])
    return Manners(
        arrays["shares"][meter, :, :known].astype(np.float32),
        tuple(
            Manner(
                arrays["intervals"][meter, k].astype(np.float32),
                arrays["starts"][meter, k].astype(np.float32),
                float(arrays["density"][meter, k]),
                float(arrays["spread"][meter, k]),
            )
            for k in range(known)
        ),
    )
