"""Fit what evens out the statistics of rhythms: `interval_bias`, `ending_bias`, `ending_by_style` (align/search.py).

    python scripts/fit_rhythm.py songs_open.parquet [--rounds 6] [--rate 0.6] [--tenths 2 3 4 5 6 7 8 9] [--times 3]

The search leans to some intervals, because prosody and the temperature do. Round by round, rhythms are made for the
words of training songs in their metres and styles; then every interval's bias moves by `rate` times the log of people's
share over ours, by metre class, and the same for the time from a line's last onset to the next line. Prints the
overlaps of durations and onset intervals after every round, and the tables to put into `SearchConfig`. The critic of
rhythms has its say, as in use: what its choice does to the statistics is evened out with the rest.
"""

import argparse
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.corpus import CorpusSong, read_corpus
from align.features import INTERVALS, NUM_METERS, STYLES, meter_class
from align.meter import GRID
from align.rhythm import Rhythm
from align.search import CONFIG, ENDING_EDGES, SearchConfig, align_lyrics
from lyrics.document import Lyrics, LyricsError
from lyrics.parse import parse_lyrics
from pipeline.evaluation import lyric_lines
from pipeline.seeds import line_seed

MOST = 1.3  # nats; what would need more is not a matter of evening out


class Statistics:
    """Counts of one side: people, or ours."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self.durations: Counter[int] = Counter()
        self.inside = np.zeros((NUM_METERS, len(INTERVALS)))
        self.ends = np.zeros((NUM_METERS, len(ENDING_EDGES) + 1))
        self.style_ends = np.zeros((len(STYLES), len(ENDING_EDGES) + 1))
        self.intervals: Counter[int] = Counter()

    def add(self, meter: int, style: int, onsets: list[tuple[int, int]], durations: list[int]) -> None:
        """Count a song: (onset in sixteenths, line) of every syllable, and the durations of its notes."""
        self.durations.update(durations)
        for (here, line), (following, other) in pairwise(onsets):
            self.intervals[following - here] += 1
            if line != other:
                end = np.searchsorted(ENDING_EDGES, following - here, side="right")
                self.ends[meter, end] += 1
                self.style_ends[style, end] += 1
            elif following - here in INTERVALS:
                self.inside[meter, INTERVALS.index(following - here)] += 1


def _of_people(statistics: Statistics, song: CorpusSong) -> None:
    onsets = [(round(note.onset / GRID), song.syllables[note.syllable].line) for note in song.notes if not note.held]
    statistics.add(
        meter_class(song.meter), STYLES.index(song.style), onsets, [round(note.duration / GRID) for note in song.notes]
    )


def _of_ours(statistics: Statistics, song: CorpusSong, rhythm: Rhythm) -> None:
    notes = [(number, note) for number, line in enumerate(rhythm.lines) for note in line.notes]
    onsets = [(note.onset // GRID, number) for number, note in notes if not note.held]
    statistics.add(
        meter_class(song.meter), STYLES.index(song.style), onsets, [note.duration // GRID for _, note in notes]
    )


def _overlap(one: Counter[int], other: Counter[int]) -> float:
    return sum(min(one[key] / one.total(), other[key] / other.total()) for key in one)


def _change(people: NDArray[np.float64], ours: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Log ratios of shares by row, with mean 0 as people use the classes; 0 where nobody sings."""
    theirs, mine = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) for counts in (people, ours))
    change: NDArray[np.float64] = np.log((theirs + floor) / (mine + floor))
    change -= (change * theirs).sum(axis=1, keepdims=True)
    change[people.sum(axis=1) == 0] = 0
    return change


def _sing(songs: list[tuple[CorpusSong, Lyrics]], config: SearchConfig, times: int) -> Statistics:
    statistics = Statistics()
    for number, (song, lyrics) in enumerate(songs * times):
        seeds = {
            f"{section.id}.{line}": line_seed(number, f"{section.id}.{line}")
            for section in lyrics.sections
            for line in range(1, len(section.lines) + 1)
        }
        _of_ours(statistics, song, align_lyrics(lyrics, song.meter, song.style, seeds, config=config))
    return statistics


def main() -> None:
    """Fit, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--rate", type=float, default=0.6)
    parser.add_argument("--tenths", type=int, nargs="+", default=list(range(2, 10)))
    parser.add_argument("--times", type=int, default=3, help="songs made of every text, as songs differ by chance")
    options = parser.parse_args()

    verses: dict[str, CorpusSong] = {}
    for song in read_corpus(options.data):
        if int(song.group, 16) % 10 in options.tenths:
            verses.setdefault(song.song_id, song)
    songs: list[tuple[CorpusSong, Lyrics]] = []
    people = Statistics()
    for song in verses.values():
        try:
            songs.append((song, parse_lyrics("\n".join(lyric_lines(song)))))
        except LyricsError:
            continue
        _of_people(people, song)

    names = "interval_bias", "ending_bias", "ending_by_style"
    biases = [np.array(getattr(CONFIG, name)) for name in names]
    best, best_fit = CONFIG, 0.0
    for number in range(options.rounds + 1):
        tables: dict[str, Any] = {
            name: tuple(tuple(row) for row in np.round(table, 2).tolist())
            for name, table in zip(names, biases, strict=True)
        }
        config = SearchConfig(**tables)
        ours = _sing(songs, config, options.times)
        fits = _overlap(people.durations, ours.durations), _overlap(people.intervals, ours.intervals)
        print(f"round {number}: overlap of durations {fits[0]:.4f}, of onset intervals {fits[1]:.4f}", flush=True)
        if sum(fits) > best_fit:
            best, best_fit = config, sum(fits)
        rate = options.rate / (1 + number / 3)
        counts = (
            (people.inside, ours.inside, 0.004),
            (people.ends, ours.ends, 0.02),
            (people.style_ends, ours.style_ends, 0.02),
        )
        biases = [table + rate * _change(*count) for table, count in zip(biases, counts, strict=True)]
        biases = [np.clip(table, -MOST, MOST) for table in biases]
    for name in names:
        print(f"    {name}: tuple[tuple[float, ...], ...] = (")
        for row in getattr(best, name):
            print(f"        ({', '.join(map(str, row))}),")
        print("    )")


if __name__ == "__main__":
    main()
