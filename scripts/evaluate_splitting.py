"""Measure how well words are divided and pronounced, on songs and dictionary words that nothing was learned from.

    python scripts/evaluate_splitting.py DATA.parquet [--part held-out|training] [--show 40] [--no-model]

Songs: the words of the English songs of `songs_open.parquet`, art songs left out, put together again from their
printed syllables; `held-out` means `CorpusSong.held_out`. A word's number of syllables agrees if it is that of our
choice or of any of its dictionary pronunciations; the choice alone is given as well. The parts agree if, sung in the
engraver's number of syllables, the word is divided at the same letters. Engravers differ among themselves: beside ours
stands how often the commonest division in the training songs agrees, for words of two or more syllables known there.

Left out by rule: rows typed without hyphens (`train_splitting.is_broken`), words with letters that are not Latin, and
tokens that hold no letter. The model's own figures are those of CMUdict's held-out tenth (see train_g2p.py).
"""

import argparse
import re
from collections import Counter
from pathlib import Path

from train_g2p import fold_of, read_dictionary, score
from train_splitting import STYLES, divisions_of, is_broken, sung_words, words_of

from align.corpus import CorpusSong, read_corpus
from lyrics import g2p, spelling
from lyrics.cmudict import pronunciations
from lyrics.pronounce import Pronouncer, UnpronounceableError, fold
from lyrics.syllable import count_syllables


def letters_of(part: str) -> str:
    """Letters a-z alone: dashes and apostrophes go to either side in print."""
    return re.sub("[^a-z]", "", fold(part))


class Tally:
    """Counts of agreement over words."""

    def __init__(self, name: str) -> None:
        """Start at zero."""
        self.name = name
        self.counts: Counter[str] = Counter()

    def add(self, parts: tuple[str, ...], counts: set[int], chosen: int, same_parts: bool, times: int) -> None:
        """Add a word printed in `parts`, `times` times."""
        agrees = len(parts) in counts
        self.counts["words"] += times
        self.counts["count"] += agrees * times
        self.counts["chosen"] += (chosen == len(parts)) * times
        self.counts["parts"] += (agrees and same_parts) * times
        if len(parts) > 1:
            self.counts["long"] += times
            self.counts["long count"] += agrees * times
            self.counts["long parts"] += (agrees and same_parts) * times

    def row(self) -> str:
        """One line of the table."""
        n = self.counts
        shares = (
            n["count"] / max(1, n["words"]),
            n["chosen"] / max(1, n["words"]),
            n["parts"] / max(1, n["count"]),
            n["long count"] / max(1, n["long"]),
            n["long parts"] / max(1, n["long count"]),
        )
        return f"{self.name:28}{n['words']:8}" + "".join(f"{100 * share:9.2f}" for share in shares)


def printed_words(songs: list[CorpusSong]) -> tuple[Counter[tuple[str, ...]], int]:
    """How often each word was printed in which parts, and the number of rows left out."""
    printed: Counter[tuple[str, ...]] = Counter()
    broken = 0
    for song in songs:
        words = words_of(song)
        if is_broken(words):
            broken += 1
            continue
        printed.update(parts for parts in words if all(letters_of(part) for part in parts))
    return printed, broken


def others(data: Path, songs: list[CorpusSong]) -> tuple[float, float]:
    """Agreement in per cent of our parts, and of the training songs' commonest, on words of two or more syllables."""
    training = [song for song in read_corpus(data, styles=STYLES) if not song.held_out]
    learned = divisions_of(sung_words(training, once=True))
    ours = commonest = total = 0
    for (letters, count), division in divisions_of(sung_words(songs, once=False)).items():
        if (letters, count) in learned:
            printed = learned[letters, count].printed
            ours += division.printed[spelling.split(letters, division.phones)]
            commonest += division.printed[max(printed, key=lambda parts: (printed[parts], parts))]
            total += division.printed.total()
    return 100 * ours / total, 100 * commonest / total


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--part", choices=["held-out", "training"], default="held-out")
    parser.add_argument("--show", type=int, default=0, help="list so many disagreements of each kind")
    parser.add_argument("--no-model", action="store_true", help="leave out the CMUdict figures, which take a minute")
    options = parser.parse_args()

    songs = [song for song in read_corpus(options.data) if song.held_out == (options.part == "held-out")]
    printed, broken = printed_words(songs)
    pronouncer = Pronouncer()
    tallies = [Tally("all words"), Tally("in CMUdict"), Tally("built from known words"), Tally("guessed")]
    wrong_counts: Counter[str] = Counter()
    wrong_parts: Counter[str] = Counter()
    skipped = 0
    for parts, times in sorted(printed.items()):
        word = "".join(parts)
        try:
            sung = pronouncer.syllables(word)
        except UnpronounceableError:
            skipped += times
            continue
        known = pronunciations(word)
        counts = {len(sung), *map(count_syllables, known)}
        if len(sung) != len(parts):  # our parts, had we chosen the engraver's number
            readings = [phones for phones in known if count_syllables(phones) == len(parts)]
            sung = pronouncer.divide(word, readings[0]) if readings else sung
        same = [letters_of(part) for part in parts] == [letters_of(syllable.text) for syllable in sung]
        group = 1 if known else 2 if pronouncer.knows(word) else 3
        chosen = len(pronouncer.syllables(word))
        for tally in (tallies[0], tallies[group]):
            tally.add(parts, counts, chosen, same, times)
        ours = "-".join(syllable.text for syllable in sung)
        if len(parts) not in counts:
            wrong_counts[f"{'-'.join(parts)} (we: {ours})"] += times
        elif not same:
            wrong_parts[f"{'-'.join(parts)} (we: {ours})"] += times
    print(f"{options.part} songs: {len(songs)} rows, {broken} left out as broken, {skipped} words not Latin")
    print(f"{'':28}{'':8}{'all words':>27}{'2 and more syllables':>21}")
    print(f"{'':28}{'words':>8}{'count':>9}{'chosen':>9}{'parts':>9}{'count':>9}{'parts':>9}")
    for tally in tallies:
        print(tally.row())
    for title, wrong in (("Another number of syllables", wrong_counts), ("Other parts", wrong_parts)):
        if options.show:
            print(f"{title}: " + "; ".join(f"{text} {times}" for text, times in wrong.most_common(options.show)))
    print(
        "words known to the training songs: {:.2f} % of parts agree, of the commonest there {:.2f} %".format(
            *others(options.data, songs)
        )
    )
    if not options.no_model:
        held_out = {word: entries for word, entries in read_dictionary().items() if fold_of(word) == 0}
        print("grapheme-to-phoneme model on held-out CMUdict:")
        for name, value in score(held_out, g2p.load()).items():
            print(f"  {name}: {value:.4f}" if value < 2 else f"  {name}: {value:.0f}")


if __name__ == "__main__":
    main()
