"""The learned rhythm scorer: what singers do with these syllables at this place, as log probabilities.

A network with one hidden layer, run in numpy. Its inputs are all categories, so that the first layer is a sum of
table rows, and its three groups of inputs are computed apart and added: the syllable and its neighbours, the place in
the bar with the time that is left, and the interval before. The output is a distribution over the interval to the
next syllable; a bilinear term looks at the place where that interval lands. A second, log-linear, head gives the place
where a line begins. Counted tables give the number of bars of a line, the division of held syllables and the length of
the last note. `scripts/train_rhythm.py` makes all of it; `CARD.md` beside the weights says from what.

All times here are in sixteenths, counted from the line's first bar line.
"""

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from align.features import INTERVALS, NONE, LineFeatures
from lyrics.model_files import read_model_file

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

MODEL = Path(__file__).parent / "data" / "rhythm"
MAX_LEFT = 12  # syllables left, capped
NUM_RATIOS = 20
START_LOW = -12  # earliest beginning that the scorer knows, in sixteenths before the first bar line
NUM_STARTS = 24
MAX_LINE = 24  # syllables, for the table of bars
MAX_BARS = 8


def neighbours(features: LineFeatures) -> dict[str, list[int]]:
    """Categories of every syllable but the last, in the order of the scorer's tables.

    One entry per interval: the interval leads from syllable i to syllable i + 1.
    """
    classes = (NONE, *features.classes, NONE, NONE, NONE)
    n = len(features.classes)
    return {
        "before": [classes[i] for i in range(n - 1)],
        "this": [classes[i + 1] for i in range(n - 1)],
        "next": [classes[i + 2] for i in range(n - 1)],
        "second": [classes[i + 3] for i in range(n - 1)],
        "third": [classes[i + 4] for i in range(n - 1)],
        "follows": [features.follows[i] for i in range(n - 1)],
        "follows_next": [features.follows[i + 1] for i in range(n - 1)],
        "left": [min(n - 1 - i, MAX_LEFT) for i in range(n - 1)],
        "index": [min(i, 3) for i in range(n - 1)],
    }


def ratio_class(time_left: npt.ArrayLike, syllables_left: npt.ArrayLike) -> Ints:
    """Classes of the time left per syllable left (the next line's first syllable counts), on a logarithmic scale."""
    ratio = np.maximum(np.asarray(time_left), 0.5) / np.asarray(syllables_left)
    classes: Ints = np.clip(np.round(4 * np.log2(ratio)) + 4, 0, NUM_RATIOS - 1).astype(np.int64)
    return classes


def start_categories(features: LineFeatures, bars: int, bar: int) -> dict[str, int]:
    """Categories for the place of a line's first syllable."""
    classes = (*features.classes, NONE, NONE, NONE, NONE)
    n = len(features.classes)
    return {
        "start_1": classes[0],
        "start_2": classes[1],
        "start_3": classes[2],
        "start_4": classes[3],
        "start_left": min(n, 15),
        # As `ratio_class` does, but for one number, for which numpy is slow.
        "start_ratio": min(max(round(4 * math.log2(max(bars * bar, 0.5) / n)) + 4, 0), NUM_RATIOS - 1),
    }


class Places(NamedTuple):
    """What the scorer knows of candidate onsets whatever is sung there; B candidates for each of n - 1 syllables."""

    hidden: Floats  # [n - 1, H, 1, B]
    landing: Ints  # [n - 1, K, B]: places in the bar where intervals lead
    bias: Floats  # [K, 1]


@dataclass(frozen=True, slots=True)
class RhythmScorer:
    """The loaded model."""

    weights: dict[str, Floats]
    tables: dict[str, Any]

    def places(self, meter: int, bar: int, end: int, times: Ints) -> Places:
        """Describe candidate onsets `times`, shape [n - 1, B]; `end` is the time when the next line begins."""
        w = self.weights
        left = np.arange(len(times), 0, -1)[:, None] + 1
        hidden = w["place"][meter, times % bar] + w["ratio"][ratio_class(end - times, left)]
        hidden = hidden + w["bars_left"][np.clip((end - times) // bar, 0, 4)]  # [n - 1, B, H]
        landing = (times[:, None] + np.array(INTERVALS)[:, None]) % bar
        hidden = np.ascontiguousarray(np.swapaxes(hidden, 1, 2))[:, :, None]
        return Places(hidden, landing, w["output_bias"][meter][:, None])

    def intervals(self, features: LineFeatures, meter: int, style: int, places: Places) -> Floats:
        """Log probabilities of the interval after each syllable but the last, for many places at once.

        The result has shape [n - 1, len(INTERVALS), NUM_PREVIOUS, B].
        """
        w = self.weights
        categories = neighbours(features)
        syllable = w["style"][style] + w["meter"][meter]
        syllable = syllable + sum(w[name].take(values, axis=0) for name, values in categories.items())  # [n - 1, H]
        # What differs by place comes last: along it numpy adds, multiplies and sums up fastest.
        previous = np.ascontiguousarray(w["previous"][meter].T)  # [H, D]
        hidden = places.hidden + (syllable[:, :, None] + previous)[..., None]  # [n - 1, H, D, B]
        np.maximum(hidden, 0, out=hidden)
        logits: Floats = w["output"] @ hidden.reshape(*hidden.shape[:2], -1)
        logits = logits.reshape(len(logits), -1, *hidden.shape[2:])  # [n - 1, K, D, B]
        rows = np.arange(len(logits))[:, None, None]
        lands = w["landing"][meter, categories["next"]][rows, places.landing]
        logits += (lands + places.bias)[:, :, None]
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits

    def starts(self, features: LineFeatures, meter: int, style: int, bars: int, bar: int) -> Floats:
        """Log probabilities of the first onset, at START_LOW, START_LOW + 1, ... (NUM_STARTS values)."""
        w = self.weights
        logits = w["start_bias"][meter] + w["start_style"][style]
        for name, value in start_categories(features, bars, bar).items():
            logits = logits + w[name][meter, value]
        logits = logits - logits.max()
        result: Floats = logits - np.log(np.exp(logits).sum())
        return result


@cache
def load_scorer(folder: Path = MODEL) -> RhythmScorer:
    """Load the shipped model; ModelFileError if a file is missing or is not the one this version came with."""
    from safetensors.numpy import load

    weights = load(read_model_file(folder / "model.safetensors"))
    tables = json.loads(read_model_file(folder / "tables.json"))
    return RhythmScorer({name: value.astype(np.float32) for name, value in weights.items()}, tables)
