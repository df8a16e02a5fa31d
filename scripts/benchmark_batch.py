"""Time batches against the bare loop around `compose`, on this machine and in one run.

    python scripts/benchmark_batch.py [--songs 120] [--lines 24] [--memory 1000 10000]

Prints songs a second with one and two workers, with and without files; the cost of the engine over the bare loop, in
seconds of the processor; the speed-up from one worker to two; the peak memory of all processes for a short and a long
input; what passing the network's step over several songs at once would save; how fast the input is read; and, beside
them, the seconds a song of published systems. Every figure is the median of runs in turn, with the start-up (a batch of
one song) taken off. On a machine that others use, seconds on the clock mean little: look at those of the processor.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
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
start, cpu = time.perf_counter(), time.process_time()
for row in rows:
    song = compose(parse_lyrics(row.text, pronouncer))
    song.to_json(), features(row, song), render(song, formats)
print(time.perf_counter() - start, time.process_time() - cpu)
"""


def write_songs(path: Path, songs: int, lines: int) -> None:
    """Write lyrics in verses and choruses; the words change from song to song."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(songs):
            text = lyrics(lines).replace("Title: Benchmark", f"Title: Number {number}")
            for index, word in enumerate(WORDS[:9]):
                text = text.replace(f" {word} ", f" {WORDS[(index + number) % len(WORDS)]} ")
            file.write(json.dumps({"id": number, "lyrics": text}) + "\n")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took."""

    wall: float  # seconds
    cpu: float  # seconds of the processor, of all processes
    peak: float = 0.0  # MB

    def __sub__(self, other: "Cost") -> "Cost":
        """Take off a start-up."""
        return Cost(self.wall - other.wall, self.cpu - other.cpu)


def middle(costs: Sequence[Cost]) -> Cost:
    """Return the medians."""
    return Cost(median(cost.wall for cost in costs), median(cost.cpu for cost in costs))


def bare(source: Path, formats: str) -> Cost:
    """Run a loop that composes, describes and writes in memory, models loaded."""
    done = subprocess.run(
        [sys.executable, "-c", _BARE, str(source), formats], capture_output=True, text=True, check=True
    )
    return Cost(*map(float, done.stdout.split()))


def batch(source: Path, workers: int, formats: str, size: int, measure_memory: bool = False) -> Cost:
    """Run the command."""
    with tempfile.TemporaryDirectory() as out:
        options = ["-o", f"{out}/out", "-w", str(workers), "--shard-size", str(size), "--quiet"]
        options += ["--format", formats] if formats else []
        start = time.perf_counter()
        process = subprocess.Popen([*COMMAND, str(source), *options], stdout=subprocess.DEVNULL)
        peak = _Peak(process.pid) if measure_memory else None
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        if process.returncode:
            sys.exit(f"the batch ended with {process.returncode}")
        return Cost(seconds, usage.ru_utime + usage.ru_stime, peak.stop() if peak else 0.0)


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


def same_in_batches() -> bool:
    """Return whether a step over eight songs at once gives each the very numbers that it gets alone."""
    from melody.lstm import shipped_model

    weights = shipped_model()._recurrent
    hidden = np.random.default_rng(1).random((64, weights.shape[0]), dtype=np.float32)
    alone = np.concatenate([hidden[i : i + 8] @ weights for i in range(0, 64, 8)])
    return bool(np.array_equal(hidden @ weights, alone))


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
        single = folder / "one.jsonl"
        write_songs(single, 1, 1)
        print(
            f"{options.songs} songs of {options.lines} lines        songs/s  songs per processor second  cost of engine"
        )
        for formats, target in (("", 20), ("mid,musicxml", 10)):
            loop, begin, one, two, begin_two = [], [], [], [], []
            for _ in range(options.runs):  # in turn, so that a busy machine slows all
                loop.append(bare(source, formats))
                begin.append(batch(single, 1, formats, 1))
                one.append(batch(source, 1, formats, size))
                begin_two.append(batch(single, 2, formats, 1))
                two.append(batch(source, 2, formats, size))
            alone, both, bound = middle(one) - middle(begin), middle(two) - middle(begin_two), middle(loop)
            name = "+ MIDI, MusicXML" if formats else "document + features"
            for label, cost in ((f"{name}, bare loop", bound), ("1 worker", alone), ("2 workers", both)):
                extra = "" if cost is bound else f"{100 * (cost.cpu / bound.cpu - 1):15.1f} %"
                print(
                    f"  {label:31s} {options.songs / cost.wall:8.1f} {options.songs / cost.cpu:27.1f} {extra}",
                    flush=True,
                )
            print(
                f"  speed-up 1 -> 2: {alone.wall / both.wall:.2f} (target 1.7); target {target} songs/s with 2 workers"
            )
            print(f"  start-up: {middle(begin).wall:.1f} s, {middle(begin_two).wall:.1f} s with a pool")
        print("\npeak memory of all processes, 2 workers, one-line songs")
        peaks = []
        for rows in options.memory:
            short = folder / "short.jsonl"
            with short.open("w") as file:
                for number in range(rows):
                    file.write(json.dumps({"id": number, "lyrics": f"O {WORDS[number % len(WORDS)]} {number}"}) + "\n")
            peaks.append(batch(short, 2, "", 100, measure_memory=True).peak)
            print(f"  {rows:7,d} rows {peaks[-1]:7.0f} MB")
        print(f"  ratio {peaks[1] / peaks[0]:.3f} (target: 1.10 at most)")
        from pipeline.batch.inputs import open_source, read_rows
        from pipeline.batch.job import Job
        from pipeline.batch.shards import rows_digest

        start_reading = time.perf_counter()
        rows_digest(read_rows(open_source(str(source)), Job()))
        print(f"\nreading and checking rows: {options.songs / (time.perf_counter() - start_reading):,.0f} a second")
    print("\nthe network's step for several songs at once")
    timings = step_in_batches()
    for songs, milliseconds in timings:
        times = timings[0][1] / milliseconds
        print(f"  {songs:2d} songs {milliseconds:7.3f} ms per song and step, {times:.2f} times as fast")
    print(f"  the same numbers to the last bit as for each song alone: {'yes' if same_in_batches() else 'no'}")
    print("\nseconds a song of 24 lines, other systems on two cores")
    for name, seconds in PEERS.items():
        print(f"  {seconds:6.1f}  {name}")


if __name__ == "__main__":
    main()
