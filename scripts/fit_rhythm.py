"""Fit what evens out the statistics of rhythms in `SearchConfig` (align/search.py): intervals, endings, pick-ups.

    python scripts/fit_rhythm.py songs_open.parquet [--rounds 10] [--rate 0.25] [--tenths 2 3 4 5 6 7 8 9] [--times 3]

The search leans to some intervals, because prosody and the temperature do. Round by round, rhythms are made for the
words of training songs in their metres and styles; then every score moves by `rate` times the log of people's share
over ours: of intervals by metre class, of the time from a line's last onset to the next line by metre class, style and
what the line closes, of the beats on which lines end and of the pick-ups of lines by style. Prints the overlaps after
every round, and writes the tables of the best one. The critic of rhythms has its say, as in use: what its choice does
to the statistics is evened out with the rest, from the tables that are there. `--without-critic` leaves it out and
begins with flat tables: a critic is then trained on what comes of them.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.corpus import CorpusSong, read_corpus
from align.features import INTERVALS, NUM_METERS, STYLES, meter_class
from align.fitted import Table, rounded, write_fitted
from align.meter import GRID, Meter
from align.rhythm import Rhythm
from align.scorer import MODEL
from align.search import ENDING_EDGES, SearchConfig, align_lyrics, fitted_config, pickup_allowances
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
        self.close_ends = np.zeros((3, len(ENDING_EDGES) + 1))
        self.last_places = np.zeros((len(STYLES), 3))
        self.pickups = np.zeros((len(STYLES), 3))
        self.intervals: Counter[int] = Counter()

    def add(
        self,
        meter: Meter,
        style: str,
        notes: Sequence[tuple[int, int, int]],
        durations: Sequence[int],
        closing: Sequence[int],
    ) -> None:
        """Count a song: (onset, place in the bar, line) of all syllables, the durations of notes, in sixteenths.

        `closing` says of every line whether it asks (0), closes a pair (1) or its section (2).
        """
        self.durations.update(durations)
        kind, row, bar = meter_class(meter), STYLES.index(style), meter.bar_ticks // GRID
        shortest = pickup_allowances(meter)[1]
        begins = [notes[0]] + [after for before, after in pairwise(notes) if before[2] != after[2]]
        for _, place, _ in begins:
            early = bar - place if 2 * place >= bar else 0
            self.pickups[row, 0 if early == 0 else 1 if early <= shortest else 2] += 1
        for (here, place, line), (following, _, other) in pairwise(notes):
            self.intervals[following - here] += 1
            if line != other:
                end = np.searchsorted(ENDING_EDGES, following - here, side="right")
                self.ends[kind, end] += 1
                self.style_ends[row, end] += 1
                self.close_ends[closing[line], end] += 1
                self.last_places[row, min(5 - meter.strength(place * GRID), 2)] += 1
                continue
            if following - here in INTERVALS:
                self.inside[kind, INTERVALS.index(following - here)] += 1


def _closing(lyrics: Lyrics) -> list[int]:
    """Say of every line what it does: as `Statistics.add` wants it."""
    return [
        2 if index == len(section.lines) - 1 else index % 2
        for section in lyrics.sections
        for index in range(len(section.lines))
    ]


def _of_people(statistics: Statistics, song: CorpusSong, lyrics: Lyrics) -> None:
    numbers = {line: index for index, line in enumerate(sorted({syllable.line for syllable in song.syllables}))}
    notes = [
        (round(note.onset / GRID), round(note.place / GRID), numbers[song.syllables[note.syllable].line])
        for note in song.notes
        if not note.held
    ]
    durations = [round(note.duration / GRID) for note in song.notes]
    statistics.add(song.meter, song.style, notes, durations, _closing(lyrics))


def _of_ours(statistics: Statistics, song: CorpusSong, lyrics: Lyrics, rhythm: Rhythm) -> None:
    sung = [(number, note) for number, line in enumerate(rhythm.lines) for note in line.notes]
    notes = [(note.onset // GRID, rhythm.place(note.onset) // GRID, number) for number, note in sung if not note.held]
    statistics.add(song.meter, song.style, notes, [note.duration // GRID for _, note in sung], _closing(lyrics))


def _overlap(one: Counter[int], other: Counter[int]) -> float:
    return sum(min(one[key] / one.total(), other[key] / other.total()) for key in one)


def _overlap_by_row(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Overlap of the shares of each row, weighted as people use the rows."""
    shares = [counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) for counts in (one, other)]
    return float(np.minimum(*shares).sum(axis=1) @ one.sum(axis=1) / one.sum())


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
        _of_ours(statistics, song, lyrics, align_lyrics(lyrics, song.meter, song.style, seeds, config=config))
    return statistics


def main() -> None:
    """Fit, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rate", type=float, default=0.25)
    parser.add_argument("--tenths", type=int, nargs="+", default=list(range(2, 10)))
    parser.add_argument("--times", type=int, default=3, help="songs made of every text, as songs differ by chance")
    parser.add_argument("--without-critic", action="store_true")
    parser.add_argument("--out", type=Path, default=MODEL, help="model folder")
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
        _of_people(people, *songs[-1])

    names = (
        "interval_bias",
        "ending_bias",
        "ending_by_style",
        "last_place",
        "pickup_bias",
        "ending_by_close",
    )
    start = SearchConfig(trials=1) if options.without_critic else fitted_config()
    biases = [np.array(getattr(start, name)) for name in names]
    best: dict[str, Table] = {}
    best_fit = 0.0
    for number in range(options.rounds + 1):
        tables: dict[str, Any] = {name: rounded(table) for name, table in zip(names, biases, strict=True)}
        ours = _sing(songs, replace(start, **tables), options.times)
        counts = (
            (people.inside, ours.inside, 0.004),
            (people.ends, ours.ends, 0.02),
            (people.style_ends, ours.style_ends, 0.02),
            (people.last_places, ours.last_places, 0.02),
            (people.pickups, ours.pickups, 0.02),
            (people.close_ends, ours.close_ends, 0.02),
        )
        tables_fit = float(np.mean([_overlap_by_row(theirs, mine) for theirs, mine, _ in counts]))
        fits = _overlap(people.durations, ours.durations), _overlap(people.intervals, ours.intervals), tables_fit
        print(
            f"round {number}: overlap of durations {fits[0]:.4f}, of onset intervals {fits[1]:.4f}, in the tables "
            f"{fits[2]:.4f}",
            flush=True,
        )
        if sum(fits) > best_fit:
            best, best_fit = tables, sum(fits)
        rate = options.rate / (1 + number / 5)
        biases = [table + rate * _change(*count) for table, count in zip(biases, counts, strict=True)]
        biases = [np.clip(table, -MOST, MOST) for table in biases]
    write_fitted(options.out, best)


if __name__ == "__main__":
    main()
