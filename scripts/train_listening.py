"""Count what a listener must know about keys and metres, and measure how often they are found.

    python scripts/train_listening.py DATA/songs_open.parquet

writes melody/data/listening/tables.safetensors from the training songs (first verses, all languages, no art songs) and
prints its hash. `--evaluate` measures the shipped tables instead: on held-out songs, whole and cut after 8 bars, how
often key, metre and the place of the first note are found from the notes alone; the key finder of Krumhansl and
Schmuckler (profiles of Krumhansl and Kessler, 1982) stands beside it. `--validation` measures on training groups kept
for tuning.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

import numpy as np
from safetensors.numpy import save

from align.corpus import CorpusSong, read_corpus
from align.meter import GRID
from lyrics.model_files import write_model_files
from melody.corpus import song_key
from melody.listening import METERS, MODES, NUM_STEPS, TuneNote, find_key, find_meter, find_place, loudness
from melody.theory import Key

# Krumhansl and Kessler (1982), as printed in Krumhansl, Cognitive Foundations of Musical Pitch (1990), page 30.
_KRUMHANSL = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}

_PLACES = 17


def tune(song: CorpusSong, bars: int | None = None) -> list[TuneNote]:
    """Return the notes of a song, or of its first full bars."""
    bar, first = song.meter.bar_ticks, song.notes[0]
    start = first.onset - first.place + (bar if 2 * first.place >= bar else 0)
    end = start + bar * (10_000 if bars is None else bars)
    return [TuneNote(n.onset, n.duration, n.pitch) for n in song.notes if n.onset < end]


def count(songs: Sequence[CorpusSong]) -> dict[str, np.ndarray]:
    """Count the tables: Laplace smoothing, and for steps a pull to what is usual anywhere."""
    degree, first, last = np.full((2, 12), 0.5), np.full((2, 12), 0.3), np.full((2, 12), 0.3)
    mode, meter = np.zeros(2), np.zeros(len(METERS))
    start = np.full((len(METERS), _PLACES), 0.3)
    step = np.zeros((len(METERS), _PLACES, NUM_STEPS))
    for song in songs:
        key = song_key(song)
        m = MODES.index(key.mode)
        mode[m] += 1
        for note in song.notes:
            degree[m, (note.pitch - key.tonic) % 12] += loudness(note.duration)
        first[m, (song.notes[0].pitch - key.tonic) % 12] += 1
        last[m, (song.notes[-1].pitch - key.tonic) % 12] += 1
        if song.meter in METERS:
            kind = METERS.index(song.meter)
            meter[kind] += 1
            steps = np.diff([note.onset for note in song.notes])
            steps = np.where((steps % GRID == 0) & (steps > 0), np.minimum(steps // GRID, NUM_STEPS - 1), 0)
            places = np.array([note.place for note in song.notes])
            rows = np.where(places % GRID == 0, places // GRID, _PLACES - 1)
            np.add.at(step[kind], (rows[:-1], steps), 1)
            start[kind, rows[0]] += 1
    usual = step.sum(axis=1, keepdims=True) + 0.1
    step += 8 * usual / usual.sum(axis=2, keepdims=True)
    counts = {"degree": degree, "first": first, "last": last, "start": start, "step": step}
    tables = {name: np.log(array / array.sum(axis=-1, keepdims=True)) for name, array in counts.items()}
    return tables | {"mode": np.log(mode / mode.sum()), "meter": np.log(meter / meter.sum())}


def krumhansl(notes: Sequence[TuneNote]) -> Key:
    """Return the key whose profile correlates best with the durations of the pitch classes."""
    sounds = np.zeros(12)
    for note in notes:
        sounds[note.pitch % 12] += note.duration
    scores = {
        Key(tonic, mode): float(np.corrcoef(np.roll(sounds, -tonic), profile)[0, 1])
        for mode, profile in _KRUMHANSL.items()
        for tonic in range(12)
    }
    return max(scores, key=lambda key: scores[key])


def evaluate(songs: Sequence[CorpusSong]) -> None:
    """Print how often key, metre and place are found."""
    print(f"{len(songs)} songs; share found from the notes alone, %")
    print(f"{'':52}{'whole':>8}{'8 bars':>8}")

    def row(name: str, hit: Callable[[CorpusSong, list[TuneNote]], bool], part: Sequence[CorpusSong]) -> None:
        shares = [100 * mean(hit(song, tune(song, bars)) for song in part) for bars in (None, 8)]
        print(f"{name:52}" + "".join(f"{share:8.1f}" for share in shares))

    def place(song: CorpusSong, notes: list[TuneNote], said: int, trust: float | None = None) -> bool:
        return find_place([n.onset for n in notes], song.meter, said, trust) == song.notes[0].place

    known = [song for song in songs if song.meter in METERS]
    row("key, Krumhansl and Schmuckler", lambda s, n: krumhansl(n) == song_key(s), songs)
    row("key, ours", lambda s, n: find_key(n) == song_key(s), songs)
    row("metre", lambda s, n: find_meter([x.onset for x in n])[0] == s.meter, known)
    row("bar length, a 4/4 bar being as good as two of 2/4", lambda s, n: _alike(_found(n), s), known)
    pickups = [song for song in known if song.notes[0].place]
    row("place of the first note, metre given", lambda s, n: place(s, n, 0, 0.0), known)
    row("the same in a file with these bar lines", lambda s, n: place(s, n, s.notes[0].place), known)
    row("the same if it begins its bars with the pick-up", lambda s, n: place(s, n, 0), pickups)


def _found(notes: list[TuneNote]) -> str:
    return str(find_meter([note.onset for note in notes])[0])


def _alike(found: str, song: CorpusSong) -> bool:
    return found == str(song.meter) or {found, str(song.meter)} == {"4/4", "2/4"}


def main() -> None:
    """Read options; count and write, or evaluate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="songs_open.parquet")
    parser.add_argument("--evaluate", action="store_true", help="measure the shipped tables on held-out songs")
    parser.add_argument("--validation", action="store_true", help="with --evaluate: on the training groups for tuning")
    parser.add_argument("--out", type=Path, default=Path("melody/data/listening"))
    options = parser.parse_args()
    songs = list({song.song_id: song for song in read_corpus(options.data, language=None)}.values())
    if options.evaluate:
        evaluate([s for s in songs if (int(s.group, 16) % 10 == 1 if options.validation else s.held_out)])
        return
    training = [song for song in songs if int(song.group, 16) % 10 > 1]
    tables = count(training)
    data = save({name: array.astype(np.float32) for name, array in tables.items()})
    print(f"{len(training)} songs")
    write_model_files(options.out, {"tables.safetensors": data})


if __name__ == "__main__":
    main()
