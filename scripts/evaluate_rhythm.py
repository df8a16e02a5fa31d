"""Set the words of held-out songs anew and print the rhythm's figures beside those of the human settings.

    python scripts/evaluate_rhythm.py DATA/songs_open.parquet

Every verse of a song in the held-out groups is one lyric, given with its song's metre and style; both columns are
measured by the same code. Definitions:

- pair: a syllable with primary stress and an unstressed neighbour in the same word; its strength is the metrical
  strength (`Meter.strength`) of its first onset
- strong beat: strength 4 or 5, that is beats 1 and 3 of 4/4, both felt beats of 6/8, the downbeat of 3/4 and 2/4
- function words on strong beats: of all monosyllabic function words, those that begin there; content monosyllables
  alike; "share" is that of function words among all syllables that begin on a strong beat
- last ÷ other notes: median duration of the last notes of lines over that of all other notes, pooled
- DD, IOI: overlap (sum of minima) of the pooled histograms of note durations, and of note-to-note inter-onset
  intervals, in ticks, with those of the human settings of the same words. Ceiling: human settings of the training
  groups in the same mix of metres and styles. Floor: durations drawn evenly from the ten usual values.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

from align.corpus import CorpusSong, read_corpus
from align.meter import Meter
from align.rhythm import Rhythm
from align.search import align_lyrics
from lyrics.cmudict import bare
from lyrics.document import Lyrics, LyricsError
from lyrics.function_words import is_function_word
from lyrics.parse import parse_lyrics


@dataclass
class Column:
    """Counts of one column of the table."""

    lyrics: int = 0
    pairs: Counter[str] = field(default_factory=Counter)
    strong: Counter[str] = field(default_factory=Counter)
    all: Counter[str] = field(default_factory=Counter)
    last: list[int] = field(default_factory=list)
    other: list[int] = field(default_factory=list)
    durations: Counter[int] = field(default_factory=Counter)
    gaps: Counter[int] = field(default_factory=Counter)
    notes: int = 0
    syllables: int = 0
    rests_in_words: int = 0
    wrong: int = 0  # syllables not sung exactly once and in order
    breaths: int = 0
    lines: int = 0

    def add_word(self, stresses: Sequence[int | None], strengths: Sequence[int], function: bool) -> None:
        """Count a word's stresses and its place."""
        for i in range(len(stresses) - 1):
            if {stresses[i], stresses[i + 1]} == {0, 1}:
                rise = (strengths[i] - strengths[i + 1]) * (1 if stresses[i] == 1 else -1)
                self.pairs["stronger" if rise > 0 else "equal" if rise == 0 else "weaker"] += 1
        for strength in strengths:
            self.all["syllable"] += 1
            self.strong["syllable"] += strength >= 4
            if function:
                self.strong["of strong"] += strength >= 4
        if len(stresses) == 1:
            kind = "function" if function else "content"
            self.all[kind] += 1
            self.strong[kind] += strengths[0] >= 4

    def add_notes(self, notes: Sequence[tuple[int, int, bool]]) -> None:
        """Count notes: onset, duration, whether it is the last of its line."""
        for _, duration, last in notes:
            (self.last if last else self.other).append(duration)
            self.durations[duration] += 1
        for (onset, duration, last), (following, _, _) in pairwise(notes):
            self.gaps[following - onset] += 1
            if last:
                self.lines += 1
                self.breaths += following - (onset + duration) >= 240
        self.notes += len(notes)


def add_human(column: Column, song: CorpusSong) -> None:
    """Measure the human setting of a song."""
    column.lyrics += 1
    column.syllables += len(song.syllables)
    first: dict[int, int] = {}
    final: dict[int, int] = {}
    for index, note in enumerate(song.notes):
        first.setdefault(note.syllable, index)
        final[song.syllables[note.syllable].line] = index
    words: dict[int, list[int]] = {}
    for index, syllable in enumerate(song.syllables):
        words.setdefault(syllable.word, []).append(index)
    for word, members in words.items():
        strengths = [song.meter.strength(song.notes[first[i]].place) for i in members if i in first]
        if len(strengths) == len(members):
            stresses = [song.syllables[i].stress for i in members]
            column.add_word(stresses, strengths, is_function_word(bare(song.words[word])))
    ends = set(final.values())
    column.add_notes([(note.onset, note.duration, index in ends) for index, note in enumerate(song.notes)])


def add_ours(column: Column, lyrics: Lyrics, rhythm: Rhythm) -> None:
    """Measure our setting."""
    column.lyrics += 1
    notes: list[tuple[int, int, bool]] = []
    for line_rhythm in rhythm.lines:
        line = lyrics.sections[line_rhythm.section].lines[line_rhythm.line]
        sung = [note for note in line_rhythm.notes if not note.held]
        column.syllables += len(line.syllables)
        column.wrong += [note.syllable for note in sung] != list(range(len(line.syllables)))
        index = 0
        for word in line.words:
            strengths = [rhythm.strength(note.onset) for note in sung[index : index + len(word.syllables)]]
            column.add_word([s.stress for s in word.syllables], strengths, not word.content)
            index += len(word.syllables)
        starts = {id(word.syllables[0]) for word in line.words}
        for before, note in pairwise(line_rhythm.notes):
            inside = note.held or id(line.syllables[note.syllable]) not in starts
            column.rests_in_words += inside and before.onset + before.duration != note.onset
        last = line_rhythm.notes[-1]
        notes.extend((note.onset, note.duration, note is last) for note in line_rhythm.notes)
    column.add_notes(notes)


def overlap(one: Counter[int], other: Counter[int]) -> float:
    """Overlap of two histograms: 1 where they are equal, 0 where they have nothing in common."""
    totals = sum(one.values()), sum(other.values())
    return sum(min(one[value] / totals[0], other[value] / totals[1]) for value in one)


def lyric_text(song: CorpusSong) -> str:
    """Give the words of a verse, line by line as printed, or by phrases where the source has no lines."""
    if song.lines_text:
        return "\n".join(song.lines_text)
    line_of_word: dict[int, int] = {}
    for syllable in song.syllables:
        line_of_word.setdefault(syllable.word, syllable.line)
    lines: dict[int, list[str]] = {}
    for index, word in enumerate(song.words):
        lines.setdefault(line_of_word[index], []).append(word)
    return "\n".join(" ".join(words) for words in lines.values())


def ratio(part: int, whole: int) -> float:
    """Percentage, 0 of nothing."""
    return 100 * part / max(1, whole)


def report(human: Column, ours: Column, ceiling: tuple[float, float], seconds: float) -> None:
    """Print the table."""
    print(f"{human.lyrics} verses of held-out songs; {ours.lyrics} settings of ours in {seconds:.1f} s\n")
    print(f"{'':58}{'human':>9}{'ours':>9}")

    def row(name: str, *values: float, form: str = ".1f") -> None:
        print(f"{name:58}" + "".join(f"{value:>9{form}}" for value in values))

    both = (human, ours)
    print(f"{'lines whose syllables are not sung once and in order':58}{'-':>9}{ours.wrong:>9}")
    print(f"{'rests inside a word':58}{'-':>9}{ours.rests_in_words:>9}")
    for kind in ("stronger", "equal", "weaker"):
        row(f"stressed syllable {kind}, % of pairs", *(ratio(c.pairs[kind], c.pairs.total()) for c in both))
    row("pairs (ours: of all settings)", *(c.pairs.total() for c in both), form=".0f")
    row("function monosyllables on strong beats, %", *(ratio(c.strong["function"], c.all["function"]) for c in both))
    row("content monosyllables on strong beats, %", *(ratio(c.strong["content"], c.all["content"]) for c in both))
    row(
        "share of function words on strong beats, %",
        *(ratio(c.strong["of strong"], c.strong["syllable"]) for c in both),
    )
    row("last / other notes, median duration", *(median(c.last) / median(c.other) for c in both), form=".2f")
    row("last / other notes, mean duration", *(mean(c.last) / mean(c.other) for c in both), form=".2f")
    row("notes per syllable", *(c.notes / c.syllables for c in both), form=".3f")
    row("rest of an eighth or more after a line, %", *(ratio(c.breaths, c.lines) for c in both))
    row("DD, overlap of durations (ceiling, ours), %", 100 * ceiling[0], 100 * overlap(human.durations, ours.durations))
    row("IOI, overlap of onset intervals (ceiling, ours), %", 100 * ceiling[1], 100 * overlap(human.gaps, ours.gaps))
    print("\nduration in quarters: human %, ours %")
    for value, _ in (human.durations + ours.durations).most_common(14):
        shares = [ratio(c.durations[value], c.notes) for c in both]
        gaps = [ratio(c.gaps[value], c.gaps.total()) for c in both]
        print(
            f"  {value / 480:6.2f}   durations {shares[0]:5.1f} {shares[1]:5.1f}"
            f"   intervals {gaps[0]:5.1f} {gaps[1]:5.1f}"
        )


def mean(values: Sequence[int]) -> float:
    """Arithmetic mean."""
    return sum(values) / len(values)


def training_mix(songs: Iterable[CorpusSong], wanted: Counter[tuple[str, str]]) -> tuple[Counter[int], Counter[int]]:
    """Histograms of training songs, weighted to the held-out mix of metre and style (in thousandths)."""
    columns: dict[tuple[str, str], Column] = {}
    for song in songs:
        if not song.held_out:
            add_human(columns.setdefault((str(song.meter), song.style), Column()), song)
    durations: Counter[int] = Counter()
    gaps: Counter[int] = Counter()
    for kind, count in wanted.items():
        if kind in columns:
            column = columns[kind]
            for target, source in ((durations, column.durations), (gaps, column.gaps)):
                for value, number in source.items():
                    target[value] += round(1000 * count * number / source.total())
    return durations, gaps


def main() -> None:
    """Read options, set the lyrics, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="songs_open.parquet")
    parser.add_argument("--seeds", type=int, default=3, help="set every lyric so many times, and pool")
    parser.add_argument("--part", type=int, default=0, help="groups with this number modulo 10 (0: held out)")
    parser.add_argument("--whole", action="store_true", help="set all verses of a song as one lyric")
    options = parser.parse_args()
    songs = list(read_corpus(options.data))
    chosen = [song for song in songs if int(song.group, 16) % 10 == options.part]
    human, ours = Column(), Column()
    wanted: Counter[tuple[str, str]] = Counter()
    seconds = 0.0
    texts: dict[tuple[str, str, Meter], list[str]] = {}
    for song in chosen:
        add_human(human, song)
        key = (song.song_id, "" if options.whole else song.verse, song.meter)
        texts.setdefault(key, []).append(lyric_text(song))
        wanted[str(song.meter), song.style] += len(song.notes)
    styles = {song.song_id: song.style for song in chosen}
    for number, ((song_id, _, meter), verses) in enumerate(texts.items()):
        text = "\n\n".join(f"[Verse {index}]\n{verse}" for index, verse in enumerate(verses, 1))
        try:
            lyrics = parse_lyrics(text)
        except LyricsError as error:
            print(f"left out {song_id}: {error}")
            continue
        for seed in range(options.seeds):
            seeds = {
                f"{section.id}.{line}": seed * 1_000_003 + number * 1009 + 31 * index + line
                for index, section in enumerate(lyrics.sections)
                for line in range(1, len(section.lines) + 1)
            }
            start = time.perf_counter()
            rhythm = align_lyrics(lyrics, meter, styles[song_id], seeds)
            seconds += time.perf_counter() - start
            add_ours(ours, lyrics, rhythm)
    durations, gaps = training_mix(songs, wanted)
    ceiling = overlap(human.durations, durations), overlap(human.gaps, gaps)
    report(human, ours, ceiling, seconds)


if __name__ == "__main__":
    main()
