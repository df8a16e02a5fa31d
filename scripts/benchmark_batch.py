"""Time batches against the bare loop around `compose`, on this machine and in one run.

    python scripts/benchmark_batch.py [--songs 120] [--lines 24] [--memory 1000 10000]

Prints songs a second with one and two workers, with and without files; the cost of the engine over the bare loop; the
speed-up from one worker to two; the peak memory of all processes for a short and a long input; what passing the
network's step over several songs at once would save; how fast the input is read; and, beside them, the seconds a song
of published systems. On a shared machine only the ratios mean much: every figure is the median of runs in turn.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from benchmark import WORDS, lyrics

COMMAND = [sys.executable, "-c", "from pipeline.cli import app; app()", "batch"]

# Seconds a song of 24 lines, released weights, CPU, a cold process; measured anew on two cores.
PEERS = {"LSTM-GAN (2021)": 8.8, "the larger sibling of the interpretable GAN (2022-23)": 190.0}

_BARE = """
import sys, time
import pipeline.commands.common
from pipeline.batch.inputs import open_source, read_rows
from pipeline.batch.job import Job
from pipeline.compose import compose
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer
from pipeline.batch.rows import features
from pipeline.render import render
rows = list(read_rows(open_source(sys.argv[1]), Job()))
formats = tuple(filter(None, sys.argv[2].split(",")))
pronouncer = Pronouncer()
compose("Sing along")
start = time.perf_counter()
for row in rows:
    song = compose(parse_lyrics(row.text, pronouncer))
    song.to_json(), features(row, song), render(song, formats)
print(time.perf_counter() - start)
"""


def write_songs(path: Path, songs: int, lines: int) -> None:
    """Write lyrics in verses and choruses; the words change from song to song."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(songs):
            text = lyrics(lines).replace("Title: Benchmark", f"Title: Number {number}")
            for index, word in enumerate(WORDS[:9]):
                text = text.replace(f" {word} ", f" {WORDS[(index + number) % len(WORDS)]} ")
            file.write(json.dumps({"id": number, "lyrics": text}) + "\n")


def bare(source: Path, formats: str) -> float:
    """Return the seconds of a loop that composes, describes and writes in memory, models loaded."""
    done = subprocess.run(
        [sys.executable, "-c", _BARE, str(source), formats], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def batch(source: Path, workers: int, formats: str, size: int) -> tuple[float, float, float]:
    """Run the command; return seconds in all, seconds once the first row was done, and peak MB of all processes."""
    with tempfile.TemporaryDirectory() as out:
        options = ["-o", f"{out}/out", "-w", str(workers), "--shard-size", str(size), "--quiet"]
        options += ["--format", formats] if formats else []
        start = time.perf_counter()
        process = subprocess.Popen([*COMMAND, str(source), *options], stdout=subprocess.DEVNULL)
        peak = _Peak(process.pid)
        code = process.wait()
        seconds = time.perf_counter() - start
        if code:
            sys.exit(f"the batch ended with {code}")
        # When the workers were ready: the first shard's first row.
        import pyarrow.parquet

        composing = 0.0
        for path in Path(out, "out", "timing").iterdir():
            composing += sum(pyarrow.parquet.read_table(path)["seconds"].to_pylist())
        return seconds, composing, peak.stop()


class _Peak:
    """Samples the memory of a process and its children: what is theirs alone, so that nothing counts twice."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._peak = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def _sample(self) -> None:
        while not self._ended.wait(0.2):
            try:
                family = [self._process, *self._process.children(recursive=True)]
                self._peak = max(self._peak, sum(member.memory_full_info().uss for member in family) / 1e6)
            except psutil.Error:
                continue

    def stop(self) -> float:
        self._ended.set()
        self._thread.join()
        return self._peak


def step_in_batches() -> list[tuple[int, float]]:
    """Return (songs at once, milliseconds of a step per song) of the network, the state of eight paths for each."""
    from melody.lstm import START, State, shipped_model

    model = shipped_model()
    rng = np.random.default_rng(0)
    gates, skip = model.project(rng.random((16, model._from_static.shape[0]), dtype=np.float32))
    copied = np.full((16, model._from_copied.shape[0]), START)
    line = model.prepare(gates, skip, copied, np.zeros(16, dtype=np.int64), False)
    result = []
    for songs in (1, 2, 4, 8, 16):
        paths = 8 * songs
        state = State(*(rng.random((paths, model.config.hidden), dtype=np.float32) for _ in range(2)))
        before, interval = np.full(paths, 20), np.full(paths, 12)
        for _ in range(50):
            model.step(line, 3, state, before, interval)
        times = []
        for _ in range(400 // songs):
            start = time.perf_counter()
            model.step(line, 3, state, before, interval)
            times.append(time.perf_counter() - start)
        result.append((songs, 1000 * median(times) / songs))
    return result


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=120)
    parser.add_argument("--lines", type=int, default=24)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs=2, default=[1000, 10000], metavar="ROWS")
    options = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    print(f"load before the run: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        source = folder / "in.jsonl"
        write_songs(source, options.songs, options.lines)
        size = max(1, options.songs // 8)
        startup = folder / "one.jsonl"
        write_songs(startup, 1, 1)
        print(
            f"{options.songs} songs of {options.lines} lines       songs/s  bare loop  cost of engine  speed-up 1 -> 2"
        )
        for formats, target in (("", 20), ("mid,musicxml", 10)):
            loop, one, two, begin = [], [], [], []
            for _ in range(options.runs):  # in turn, so that a busy machine slows all
                loop.append(bare(source, formats))
                begin.append(batch(startup, 1, formats, 1)[0])
                one.append(batch(source, 1, formats, size)[0])
                two.append(batch(source, 2, formats, size)[0])
            start = median(begin)
            alone, both = median(one) - start, median(two) - start
            name = "document + features" if not formats else "+ MIDI, MusicXML"
            print(
                f"  {name:20s} 1 worker {options.songs / alone:8.1f} {options.songs / median(loop):10.1f}"
                f" {100 * (alone / median(loop) - 1):17.1f} %"
            )
            print(
                f"  {name:20s} 2 workers{options.songs / both:8.1f} {'':10s} {'':19s} {alone / both:16.2f}"
                f"   (target {target} songs/s; start-up of {start:.1f} s left out)"
            )
        print("\npeak memory of all processes, 2 workers, one-line songs")
        peaks = []
        for rows in options.memory:
            short = folder / "short.jsonl"
            with short.open("w") as file:
                for number in range(rows):
                    file.write(json.dumps({"id": number, "lyrics": f"O {WORDS[number % len(WORDS)]} {number}"}) + "\n")
            peaks.append(batch(short, 2, "", 100)[2])
            print(f"  {rows:7,d} rows {peaks[-1]:7.0f} MB")
        print(f"  ratio {peaks[1] / peaks[0]:.3f} (target: 1.10 at most)")
        from pipeline.batch.inputs import open_source, read_rows
        from pipeline.batch.job import Job
        from pipeline.batch.shards import rows_digest

        start_reading = time.perf_counter()
        rows_digest(read_rows(open_source(str(source)), Job()))
        print(f"\nreading and checking rows: {options.songs / (time.perf_counter() - start_reading):,.0f} a second")
    print("\nthe network's step for several songs at once")
    (_, single), *_ = timings = step_in_batches()
    for songs, milliseconds in timings:
        print(f"  {songs:2d} songs {milliseconds:7.3f} ms per song and step, {single / milliseconds:.2f} times as fast")
    print("\nseconds a song of 24 lines, other systems on two cores")
    for name, seconds in PEERS.items():
        print(f"  {seconds:6.1f}  {name}")


if __name__ == "__main__":
    main()
