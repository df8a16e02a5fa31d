"""Judge continuations: the first bars of held-out songs are given, and what follows is compared with what people wrote.

    python scripts/evaluate_extend.py DATA/songs_open.parquet

The true continuation stands beside ours (`songwright extend` without words), beside what the joint network
(melody/joint.py) sings after the same notes with no plan of form and no chords, and beside a random one: as many notes
as the true one has, drawn from the pitches (above the tonic) and durations of the training songs. Overlaps are of
pooled histograms; under "people" stands the overlap of the true continuations of one half of the songs with those of
the other: what finite samples allow. A motif is three neighbouring (interval, duration) pairs.
`--validation` uses training groups kept for tuning.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np

from align.corpus import CorpusSong, read_corpus
from melody.corpus import song_key
from melody.distances import overlap
from melody.features import anchor_pitch
from melody.joint import shipped_joint_model
from melody.joint_features import Clock, no_text, text_features
from melody.joint_generate import PlainNote, Task, generate
from melody.listening import METERS, TuneNote
from melody.theory import Key
from melody.tune_phrases import first_bar_line
from pipeline.extend import extend
from pipeline.tune import Tune

Line = Sequence[TuneNote]


@dataclass(frozen=True, slots=True)
class Case:
    """A song cut in two."""

    tune: Tune
    rest: tuple[TuneNote, ...]  # what people sang next; times count as in the tune


def cut(song: CorpusSong, bars: int) -> Case | None:
    """Give the first bars of a song, and as many after them; None for songs too short or barred irregularly."""
    bar, first = song.meter.bar_ticks, song.notes[0]
    if song.meter not in METERS:
        return None
    shift = first.onset - first.place
    notes = [TuneNote(n.onset - shift, n.duration, n.pitch) for n in song.notes]
    if any(note.onset % bar != n.place for note, n in zip(notes, song.notes, strict=True)):
        return None
    pickup = bar - first.place if 2 * first.place >= bar else 0
    middle = (bar if pickup else 0) + bars * bar - pickup
    given = tuple(note for note in notes if note.onset < middle)
    rest = tuple(note for note in notes if middle <= note.onset < middle + bars * bar)
    if len(given) < 8 or len(rest) < 8 or notes[-1].end < middle + (bars - 1) * bar:
        return None
    tune = Tune(given, (None,) * len(given), song.meter, song_key(song), 100.0, song.song_id, ())
    return Case(tune, rest)


def ours(case: Case, bars: int, seed: int) -> tuple[TuneNote, ...]:
    """Continue a tune."""
    song = extend(case.tune, bars=bars, seed=seed)
    new = [note for line in song.sections[1].lines for note in line.notes]
    shift = case.tune.notes[0].onset - song.lines[0].notes[0].onset
    return tuple(TuneNote(note.onset + shift, note.duration, note.pitch) for note in new)


def joint(cases: Sequence[Case], bars: int, seed: int) -> list[tuple[TuneNote, ...]]:
    """Let the joint network go on by itself."""
    tasks = []
    for case in cases:
        notes, bar = case.tune.notes, case.tune.meter.bar_ticks
        until = first_bar_line(notes[0].onset, case.tune.meter) + 2 * bars * bar
        until -= max(0, first_bar_line(notes[0].onset, case.tune.meter) - notes[0].onset)
        text = no_text(4 * len(notes) + 40, case.tune.meter, "folk", case.tune.key.mode == "minor")
        middle = (min(n.pitch for n in notes) + max(n.pitch for n in notes)) / 2
        tasks.append(
            Task(
                text_features(text),
                text.line,
                Clock(case.tune.meter, 0, until),
                anchor=anchor_pitch(middle, case.tune.key.tonic),
                seed=seed,
                prefix=tuple(PlainNote(n.onset, n.duration, n.pitch) for n in notes),
                start=notes[-1].end,
                low=min(n.pitch for n in notes) - 2,
                high=max(n.pitch for n in notes) + 2,
                until=until,
                grid=120,
                first_rest=True,
            )
        )
    return [
        tuple(TuneNote(n.onset, n.duration, n.pitch) for n in new) for new in generate(shipped_joint_model(), tasks)
    ]


def at_random(case: Case, pool: Sequence[tuple[int, int]], rng: np.random.Generator) -> tuple[TuneNote, ...]:
    """Draw notes from (pitch above the tonic's octave, duration) of the training songs."""
    tonic = 60 + case.tune.key.tonic
    now, notes = case.rest[0].onset, []
    for _ in case.rest:
        pitch = pool[int(rng.integers(len(pool)))][0] + tonic
        duration = pool[int(rng.integers(len(pool)))][1]
        notes.append(TuneNote(now, duration, pitch))
        now += duration
    return tuple(notes)


def tokens(line: Line) -> list[tuple[int, int]]:
    """Return (interval from the note before, duration in sixteenths)."""
    return [(b.pitch - a.pitch, max(1, round(b.duration / 120))) for a, b in itertools.pairwise(line)]


def motifs(line: Line) -> list[tuple[tuple[int, int], ...]]:
    """Return all runs of three tokens."""
    sequence = tokens(line)
    return [tuple(sequence[i : i + 3]) for i in range(len(sequence) - 2)]


def cells(line: Line, bar: int) -> list[tuple[int, ...]]:
    """Return the onsets within each bar that has any."""
    found: dict[int, list[int]] = {}
    for note in line:
        found.setdefault(note.onset // bar, []).append(note.onset % bar)
    return [tuple(cell) for cell in found.values()]


def reused(of: Sequence[object], known: Sequence[object]) -> float:
    """Return the share of items that are among the known ones."""
    return mean(item in set(known) for item in of) if of else 0.0


def longest_copy(line: Line, given: Line) -> int:
    """Return the length, in notes, of the longest run of the line that stands in the given tune."""
    ours_, theirs = tokens(line), tokens(given)
    best = 0
    for i in range(len(ours_)):
        for j in range(len(theirs)):
            length = 0
            while i + length < len(ours_) and j + length < len(theirs) and ours_[i + length] == theirs[j + length]:
                length += 1
            best = max(best, length)
    return best + 1 if best else 0


def in_scale(line: Line, key: Key) -> float:
    """Return the share of sung time on notes of the key, in minor with the raised sixth and seventh."""
    scale = set(key.scale) | ({(key.tonic + 9) % 12, (key.tonic + 11) % 12} if key.mode == "minor" else set())
    return sum(n.duration for n in line if n.pitch % 12 in scale) / sum(n.duration for n in line)


def main() -> None:
    """Read options, continue, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="songs_open.parquet")
    parser.add_argument("--bars", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validation", action="store_true", help="measure on a tenth of the training groups")
    options = parser.parse_args()
    songs = list({song.song_id: song for song in read_corpus(options.data, language=None)}.values())
    held_out = [s for s in songs if (int(s.group, 16) % 10 == 1 if options.validation else s.held_out)]
    pool = [
        (note.pitch - 60 - song_key(song).tonic, note.duration)
        for song in songs
        if int(song.group, 16) % 10 > 1
        for note in song.notes
    ]
    cases = [case for song in held_out if (case := cut(song, options.bars)) is not None]
    rng = np.random.Generator(np.random.PCG64(options.seed))
    began = time.process_time()
    new = [ours(case, options.bars, options.seed) for case in cases]
    seconds = (time.process_time() - began) / len(cases)
    human = [case.rest for case in cases]
    columns: list[Sequence[Line]] = [
        human,
        new,
        joint(cases, options.bars, options.seed),
        [at_random(case, pool, rng) for case in cases],
    ]
    print(f"{len(cases)} songs, {options.bars} bars given and {options.bars} continued; {seconds:.2f} s of CPU each")
    print(f"{'':58}{'people':>9}{'ours':>9}{'joint':>9}{'random':>9}")

    def row(name: str, measure: Callable[[Line, Case], float]) -> None:
        values = [mean(measure(line, case) for line, case in zip(c, cases, strict=True)) for c in columns]
        print(f"{name:58}" + "".join(f"{value:9.3f}" for value in values))

    def overlapping(name: str, pooled: Callable[[Line, Case], Sequence[object]]) -> None:
        def all_of(lines: Sequence[Line], which: slice = slice(None)) -> list[object]:
            return [item for line, case in list(zip(lines, cases, strict=True))[which] for item in pooled(line, case)]

        ceiling = overlap(all_of(human, slice(0, None, 2)), all_of(human, slice(1, None, 2)))
        values = [ceiling, *(overlap(all_of(lines), all_of(human)) for lines in columns[1:])]
        print(f"{name:58}" + "".join(f"{value:9.3f}" for value in values))

    overlapping("overlap of intervals (people: another half)", lambda line, _: [b for b, _ in tokens(line)])
    overlapping("overlap of durations", lambda line, _: [d for _, d in tokens(line)])
    overlapping(
        "overlap of scale degrees, by mode",
        lambda line, c: [(c.tune.key.mode, (n.pitch - c.tune.key.tonic) % 12) for n in line],
    )
    overlapping(
        "overlap of places in the bar",
        lambda line, c: [(str(c.tune.meter), n.onset % c.tune.meter.bar_ticks) for n in line],
    )
    row("notes in key, share of time", lambda line, c: in_scale(line, c.tune.key))
    row("notes inside the range of what was given", lambda line, c: mean(_inside(n, c.tune.notes) for n in line))
    row(
        "motifs (3 intervals and durations) that were given", lambda line, c: reused(motifs(line), motifs(c.tune.notes))
    )
    row("bars whose rhythm was given", lambda line, c: reused(cells(line, _bar(c)), cells(c.tune.notes, _bar(c))))
    row("longest run copied from what was given, notes", lambda line, c: longest_copy(line, c.tune.notes))
    row("notes for each given one", lambda line, c: len(line) / len(c.tune.notes))
    row("last note on the tonic", lambda line, c: float(line[-1].pitch % 12 == c.tune.key.tonic))


def _inside(note: TuneNote, given: Line) -> bool:
    return min(n.pitch for n in given) <= note.pitch <= max(n.pitch for n in given)


def _bar(case: Case) -> int:
    return case.tune.meter.bar_ticks


if __name__ == "__main__":
    main()
