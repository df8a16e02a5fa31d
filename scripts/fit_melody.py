"""Fit what evens out the statistics of melodies in `Taste` (melody/decode.py): degrees, kinds of intervals, turns.

    python scripts/fit_melody.py songs_open.parquet [--rounds 6] [--rate 0.4] [--tenths 2 3 4 5 6 7 8 9]

A search for the likeliest melody dwells on stable degrees and takes the usual turns too often. The words of training
songs get rhythms and chords once, in the metre, mode and style of the songs; then, round by round, they are sung, and
every score moves by `rate` times the log of people's share over ours: of degrees, of kinds of intervals (by style, and
after each other), and of steps of the major scale after each other, all inside lines. Prints the overlaps after every
round (PD as scripts/evaluate_songs.py has it), and writes the tables of the best one. The critic of melodies has its
say, as in use; `--without-critic` leaves it out and begins with flat tables: a critic is then trained on what comes of
them. With `--words-alone` the words are also sung in the metre, mode and style that composing chooses for them, as most
songs are made; what people did to them counts for that style then, too.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align.corpus import CorpusSong, read_corpus
from align.features import STYLES
from align.fitted import Table, rounded, write_fitted
from lyrics.document import LyricsError
from melody.corpus import song_key
from melody.critic import MODEL
from melody.decode import MOVES, SongToSing, Taste, fitted_taste, melodize_all
from melody.distances import overlap
from melody.theory import MAJOR, Key
from pipeline.compose import draft
from pipeline.evaluation import lyric_lines, sung_from_corpus

Floats = NDArray[np.float64]
MOST = 1.0  # nats


class Statistics:
    """Counts of one side: people, or ours."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self.degrees = np.zeros((2, 12))  # of major and minor, last notes of lines left out
        self.moves = np.zeros((len(MOVES), len(MOVES)))
        self.turns = np.zeros((len(MAJOR), len(MAJOR)))
        self.kinds = np.zeros((len(STYLES), len(MOVES)))
        self.pitches: list[tuple[str, int]] = []

    def add(self, key: Key, style: str, lines: Iterable[Sequence[int]]) -> None:
        """Count the pitches of a song by line."""
        for line in lines:
            above = [(pitch - key.tonic) % 12 for pitch in line]
            self.pitches += [(key.mode, degree) for degree in above]
            np.add.at(self.degrees[int(key.mode == "minor")], above[:-1], 1)
            kinds = np.searchsorted(MOVES, np.clip(np.diff(line), -12, 12)).tolist()
            np.add.at(self.kinds[STYLES.index(style)], kinds, 1)
            for before, after in pairwise(kinds):
                self.moves[before, after] += 1
            if key.mode == "major":
                for here, following in pairwise(above):
                    if here in MAJOR and following in MAJOR:
                        self.turns[MAJOR.index(here), MAJOR.index(following)] += 1


def _moved(scores: Floats, people: Floats, ours: Floats, rate: float, floor: float) -> Floats:
    """Move scores towards people's shares; what people do a mean note of keeps its score."""
    theirs = people / people.sum()
    change = np.log((theirs + floor) / (ours / ours.sum() + floor))
    moved: Floats = np.clip(scores + rate * (change - (change * theirs).sum()), -MOST, MOST)
    return moved


def main() -> None:
    """Fit, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--rate", type=float, default=0.4)
    parser.add_argument("--tenths", type=int, nargs="+", default=list(range(2, 10)))
    parser.add_argument("--without-critic", action="store_true")
    parser.add_argument("--words-alone", action="store_true", help="sing the words in what is chosen for them, too")
    parser.add_argument("--out", type=Path, default=MODEL, help="folder of the critic")
    options = parser.parse_args()

    verses: dict[str, CorpusSong] = {}
    for song in read_corpus(options.data):
        if int(song.group, 16) % 10 in options.tenths:
            verses.setdefault(song.song_id, song)
    people, asked = Statistics(), []
    for number, song in enumerate(verses.values()):
        key = song_key(song)
        try:
            words = "\n".join(lyric_lines(song))
            drafts = [draft(words, seed=number, meter=str(song.meter), key=str(key), style=song.style)]
            if options.words_alone:
                drafts.append(draft(words, seed=number))
        except LyricsError:
            continue
        lines: dict[int, list[int]] = {}
        for note in sung_from_corpus(song).notes:
            lines.setdefault(song.syllables[note.syllable].line, []).append(note.pitch)
        for one in drafts:
            chosen, voice = one.settings, (one.settings.low, one.settings.high)
            asked.append(
                SongToSing(one.lyrics, one.rhythm, one.plan, chosen.key, voice, chosen.style, one.seeds, one.rhymes)
            )
            people.add(key, chosen.style, lines.values())

    start = Taste(trials=1) if options.without_critic else fitted_taste()
    degrees, moves, turns, kinds = (np.array(getattr(start, name)) for name in ("degrees", "moves", "turns", "kinds"))
    best: dict[str, Table] = {}
    best_fit = 0.0
    for number in range(options.rounds + 1):
        tables: dict[str, Any] = {
            "degrees": rounded(degrees),
            "moves": rounded(moves),
            "turns": rounded(turns),
            "kinds": rounded(kinds),
        }
        taste = replace(start, **tables)
        ours = Statistics()
        for sung, melody in zip(asked, melodize_all(asked, taste=taste), strict=True):
            ours.add(sung.key, sung.style, melody)
        fits = [overlap(people.pitches, ours.pitches)] + [
            float(np.minimum(a / a.sum(), b / b.sum()).sum())
            for a, b in ((people.moves, ours.moves), (people.turns, ours.turns), (people.kinds, ours.kinds))
        ]
        print(
            f"round {number}: PD {fits[0]:.4f}, moves {fits[1]:.4f}, turns {fits[2]:.4f}, kinds {fits[3]:.4f}",
            flush=True,
        )
        if sum(fits) > best_fit:
            best, best_fit = tables, sum(fits)
        rate = options.rate / (1 + number / 4)
        for mode in (0, 1):
            degrees[mode] = _moved(degrees[mode], people.degrees[mode], ours.degrees[mode], rate, 0.004)
        for row in range(len(STYLES)):
            kinds[row] = _moved(kinds[row], people.kinds[row], ours.kinds[row], rate, 0.001)
        moves = _moved(moves, people.moves, ours.moves, rate, 0.001)
        turns = _moved(turns, people.turns, ours.turns, rate, 0.001)
    write_fitted(options.out, best)


if __name__ == "__main__":
    main()
