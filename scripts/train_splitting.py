"""Learn from songs how engravers divide words among syllables, and how many syllables they sing.

    python scripts/train_splitting.py DATA.parquet [--penalty 2.0] [--tune 1]

Reads the training part of the English songs, art songs included (songs with `CorpusSong.held_out` are never looked at),
and writes to lyrics/data/spelling: `cuts.json` (weights of the cut model), `printed.json` (frequent words that the
model divides otherwise than print does) and `sung.json` (words that are sung in another number of syllables than the
first pronunciation of CMUdict has: that of a later one). `--tune` leaves out one tenth of the training groups and
scores it.
"""

import argparse
import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from align.corpus import CorpusSong, read_corpus
from lyrics import spelling
from lyrics.cmudict import pronunciations
from lyrics.pronounce import Pronouncer, alignable
from lyrics.syllable import count_syllables

STYLES = ("popular", "folk", "hymn", "carol", "spiritual", "art")
CONVENTION = 0.5  # weight of a dictionary's division beside the printed ones of a word
Parts = tuple[str, ...]
Floats = NDArray[np.float64]


class Division(NamedTuple):
    """How a word, sung in one number of syllables, was printed."""

    phones: tuple[str, ...]
    printed: Counter[Parts]  # parts of its letters, as `pronounce.alignable` gives them


Divisions = dict[tuple[str, int], Division]  # by letters and number of syllables


def words_of(song: CorpusSong) -> list[Parts]:
    """Words of a song as lower-case parts without punctuation; apostrophes stay, straight."""
    parts: list[list[str]] = [[] for _ in song.words]
    for syllable in song.syllables:
        text = syllable.text.lower().replace("’", "'").replace("‘", "'")
        parts[syllable.word].append(re.sub(r"[^a-z'à-ÿœ-]", "", text).strip("-"))
    return [tuple(part) for part in parts if all(part)]


def is_broken(words: list[Parts]) -> bool:
    """Whether a row was typed without hyphens ("val ley"), or runs words together.

    The rule: at two or more places, a one-syllable token that is no word makes a dictionary word with its neighbour.
    """
    places = 0
    for left, right in itertools.pairwise(words):
        if len(left) == len(right) == 1 and not (pronunciations(left[0]) and pronunciations(right[0])):
            places += bool(pronunciations(left[0] + right[0]))
    return places > 1


def sung_words(songs: Iterable[CorpusSong], *, once: bool) -> Counter[Parts]:
    """How often each word of the letters a-z and apostrophes was printed in which parts.

    `once` counts a group of songs once for each: a refrain shows one engraver's habit, not many.
    """
    printed: dict[str, Counter[Parts]] = defaultdict(Counter)
    for song in songs:
        words = words_of(song)
        if not is_broken(words):
            printed[song.group].update(parts for parts in words if re.fullmatch("[a-z']+", "".join(parts)))
    total: Counter[Parts] = Counter()
    for counts in printed.values():
        total.update(counts.keys() if once else counts)
    return total


def divisions_of(words: Counter[Parts]) -> Divisions:
    """Divisions of the words whose number of syllables is that of a pronunciation, known or built from known words."""
    pronouncer = Pronouncer()
    divisions: Divisions = {}
    for parts, times in sorted(words.items()):
        word = "".join(parts)
        if len(parts) == 1 or not re.search("[a-z]", word) or not pronouncer.knows(word):
            continue
        phones = next((p for p in pronouncer.readings(word) if count_syllables(p) == len(parts)), None)
        letters, places = alignable(word)
        ends = np.cumsum([len(part) for part in parts[:-1]])
        cuts = [0, *(sum(place < end for place in places) for end in ends), len(letters)]
        if phones and all(start < end for start, end in pairwise(cuts)):
            division = divisions.setdefault((letters, len(parts)), Division(phones, Counter()))
            division.printed[tuple(letters[start:end] for start, end in pairwise(cuts))] += times
    return divisions


class Example(NamedTuple):
    """One gap between syllables: features of each candidate cut, and how often each was printed."""

    features: list[list[str]]
    counts: Floats


def examples_of(divisions: Divisions) -> list[Example]:
    """All gaps of all words."""
    examples = []
    for (letters, _), division in divisions.items():
        for number, gap in enumerate(spelling.find_gaps(letters, division.phones) or ()):
            cuts = range(gap.low + 1, gap.high + 1)
            counts = np.zeros(len(cuts))
            for parts, times in division.printed.items():
                cut = sum(map(len, parts[: number + 1]))
                if cut in cuts:
                    counts[cut - cuts.start] += times
            if counts.any():
                if gap.closed:  # engravers are of two minds on "heav-en" and "hea-ven": dictionaries decide
                    counts[-1] += CONVENTION * counts.sum()
                examples.append(Example([gap.features(cut) for cut in cuts], counts))
    return examples


def fit(examples: list[Example], penalty: float) -> dict[str, float]:
    """Fit a conditional logit with an L2 penalty; a word seen n times weighs sqrt(n)."""
    from scipy.optimize import minimize

    index: dict[str, int] = {}
    features: list[int] = []
    rows: list[int] = []
    owners: list[int] = []
    targets: list[float] = []
    for number, example in enumerate(examples):
        weight = example.counts.sum() ** -0.5
        for names, times in zip(example.features, example.counts, strict=True):
            features += [index.setdefault(name, len(index)) for name in names]
            rows += [len(owners)] * len(names)
            owners.append(number)
            targets.append(times * weight)
    feature, row, owner, target = np.array(features), np.array(rows), np.array(owners), np.array(targets)
    total = np.bincount(owner, target)[owner]

    def objective(weights: Floats) -> tuple[float, Floats]:
        score = np.bincount(row, weights[feature], len(owner))
        peak = np.full(len(examples), -np.inf)
        np.maximum.at(peak, owner, score)
        exp = np.exp(score - peak[owner])
        probability = exp / np.bincount(owner, exp)[owner]
        loss = -(target * np.log(probability + 1e-12)).sum() + penalty / 2 * (weights**2).sum()
        slope = np.bincount(feature, (probability * total - target)[row], len(index)) + penalty * weights
        return float(loss), slope

    result = minimize(objective, np.zeros(len(index)), jac=True, method="L-BFGS-B", options={"maxiter": 150})
    return dict(zip(index, result.x.tolist(), strict=True))


def accuracy(divisions: Divisions) -> tuple[float, float]:
    """Share of printed words of two or more syllables that `split` divides alike, and the best share possible."""
    same = sum(
        division.printed[spelling.split(letters, division.phones)] for (letters, _), division in divisions.items()
    )
    best = sum(max(division.printed.values()) for division in divisions.values())
    total = sum(division.printed.total() for division in divisions.values())
    return same / total, best / total


def write(name: str, table: dict[str, int] | dict[str, str]) -> None:
    """Write a table, sorted, one entry per line."""
    text = json.dumps(dict(sorted(table.items())), ensure_ascii=False, indent=0)
    (spelling.DATA / name).write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Fit the cut model, then list what it and CMUdict miss."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--penalty", type=float, default=2.0)
    parser.add_argument("--smallest", type=int, default=12, help="weights below this, in hundredths, are dropped")
    parser.add_argument("--tune", type=int, metavar="1..9", help="keep that tenth of the groups apart and score it")
    options = parser.parse_args()

    songs = [song for song in read_corpus(options.data, styles=STYLES) if not song.held_out]
    apart = [song for song in songs if int(song.group, 16) % 10 == options.tune and song.style != "art"]
    kept = [song for song in songs if not (int(song.group, 16) % 10 == options.tune)]
    words = sung_words(kept, once=True)
    divisions, tuning = divisions_of(words), divisions_of(sung_words(apart, once=False))
    weights = fit(examples_of(divisions), options.penalty)
    rounded = {name: round(100 * weight) for name, weight in weights.items()}
    write("cuts.json", {name: weight for name, weight in rounded.items() if abs(weight) >= options.smallest})
    write("printed.json", {})
    spelling.cut_weights.cache_clear()
    spelling.printed.cache_clear()
    print(f"{len(divisions)} words, {len(weights)} features, {len(spelling.cut_weights())} kept")
    if tuning:
        print("tuning part, without the list of words: {:.4f} of at best {:.4f}".format(*accuracy(tuning)))

    printed: dict[str, str] = {}
    for (letters, count), division in divisions.items():
        parts = max(division.printed, key=lambda parts: (division.printed[parts], parts))
        most = division.printed[parts]
        if most >= 3 and most > 0.6 * division.printed.total() and spelling.split(letters, division.phones) != parts:
            printed[f"{letters}{count}"] = "-".join(parts)
    write("printed.json", printed)
    spelling.printed.cache_clear()
    print(f"{len(printed)} words listed")
    if tuning:
        print("tuning part, with it: {:.4f} of at best {:.4f}".format(*accuracy(tuning)))

    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for parts, times in words.items():
        counts["".join(parts)][len(parts)] += times
    sung: dict[str, int] = {}
    for word, counter in counts.items():
        known = [count_syllables(phones) for phones in pronunciations(word)]
        most, times = max(counter.items(), key=lambda item: (item[1], -item[0]))
        if most in known[1:] and most != known[0] and times >= 2 and times > 0.6 * counter.total():
            sung[word] = most
    write("sung.json", sung)
    print(f"{len(sung)} words with a sung number of syllables")


if __name__ == "__main__":
    main()
