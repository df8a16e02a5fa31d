"""Time batches against the bare loop around `compose`, on this machine and in one run.

    python scripts/benchmark_batch.py [--songs 120] [--lines 24] [--memory 1000 10000]

Prints songs a second with one and two workers, with and without files; the cost of the engine, in seconds of the
processor, over a bare loop that composes as many songs at a time; the speed-up from one worker to two; the peak memory
of all processes for a short and a long input; what searching the pitches of several songs in step saves; how fast the
input is read; and, beside them, the seconds a song of published systems. Every figure is the median of runs in turn,
with the start-up (a batch of one song) taken off. On a machine that others use, seconds on the clock mean little: look
at those of the processor.
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
from itertools import islice
from pathlib import Path
from statistics import median

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
from pipeline.compose import compose, draft, sing
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer
from pipeline.batch.rows import features
from pipeline.render import render
rows = list(read_rows(open_source(sys.argv[1]), Job()))
formats, together = tuple(filter(None, sys.argv[2].split(","))), int(sys.argv[3])
pronouncer = Pronouncer()
compose("Sing along")
start, cpu = time.perf_counter(), time.process_time()
for first in range(0, len(rows), together):
    some = rows[first : first + together]
    for row, song in zip(some, sing([draft(parse_lyrics(row.text, pronouncer)) for row in some])):
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


def bare(source: Path, formats: str, together: int) -> Cost:
    """Run a loop that composes so many songs together, describes and writes in memory, models loaded."""
    command = [sys.executable, "-c", _BARE, str(source), formats, str(together)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
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


def sung_in_step(source: Path) -> tuple[list[tuple[int, float]], bool]:
    """Return (songs at once, milliseconds of the processor per song) of the search for pitches.

    The second value says whether all songs came out the same.
    """
    from pipeline.batch.inputs import open_source, read_rows
    from pipeline.batch.job import Job
    from pipeline.compose import draft, sing

    drafts = [draft(row.text) for row in islice(read_rows(open_source(str(source)), Job()), 48)]
    first = [song for made in drafts for song in sing([made])]
    same, result = True, []
    for together in (1, 2, 4, 8, 16):
        times = []
        for _ in range(3):
            start = time.process_time()
            songs = [song for i in range(0, len(drafts), together) for song in sing(drafts[i : i + together])]
            times.append(time.process_time() - start)
            same = same and songs == first
        result.append((together, 1000 * median(times) / len(drafts)))
    return result, same


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
            loop, loop_together, begin, one, two, begin_two = [], [], [], [], [], []
            for _ in range(options.runs):  # in turn, so that a busy machine slows all
                loop.append(bare(source, formats, 1))
                loop_together.append(bare(source, formats, 16))
                begin.append(batch(single, 1, formats, 1))
                one.append(batch(source, 1, formats, size))
                begin_two.append(batch(single, 2, formats, 1))
                two.append(batch(source, 2, formats, size))
            alone, both = middle(one) - middle(begin), middle(two) - middle(begin_two)
            bound = middle(loop_together)
            name = "+ MIDI, MusicXML" if formats else "document + features"
            for label, cost in (
                (f"{name}, bare loop", middle(loop)),
                ("bare loop, 16 songs at a time", bound),
                ("1 worker", alone),
                ("2 workers", both),
            ):
                extra = f"{100 * (cost.cpu / bound.cpu - 1):15.1f} %" if cost in (alone, both) else ""
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
        timings, same = sung_in_step(source)
        print("\nthe search for pitches, songs in step")
        for songs, milliseconds in timings:
            times = timings[0][1] / milliseconds
            print(f"  {songs:2d} songs {milliseconds:7.1f} ms a song, {times:.2f} times as fast")
        print(f"  the same songs: {'yes' if same else 'no'}")
        from pipeline.batch.inputs import open_source, read_rows
        from pipeline.batch.job import Job
        from pipeline.batch.shards import rows_digest

        start_reading = time.perf_counter()
        rows_digest(read_rows(open_source(str(source)), Job()))
        print(f"\nreading and checking rows: {options.songs / (time.perf_counter() - start_reading):,.0f} a second")
    print("\nseconds a song of 24 lines, other systems on two cores")
    for name, seconds in PEERS.items():
        print(f"  {seconds:6.1f}  {name}")


if __name__ == "__main__":
    main()
