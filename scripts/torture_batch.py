"""Kill batches at random moments, finish them, and compare the outcome byte for byte with an undisturbed run.

    python scripts/torture_batch.py [--trials 50] [--cold 20] [--ray 5] [--rows 16] [--seed 1]

Each trial starts the command, sends SIGKILL to its whole process group at a random moment after a number of shards
drawn at random (none and all included) is done, and repeats that up to three times; then it lets the command finish.
Runs with one worker are forked from this process, which has the models loaded, so that the kills fall into the work and
not into the imports; runs with two workers are commands of their own. The Ray trials kill one of two workers instead,
while the run goes on.

Prints a table, and exits with 1 if any trial differs.
"""

import argparse
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import psutil
from benchmark import WORDS

from pipeline.cli import app  # sets the threads of the linear algebra library; what needs it is imported later

COMMAND = [sys.executable, "-c", "from pipeline.cli import app; app()", "batch"]
NOT_EXACT = re.compile(r"log\.txt|timing/.*")  # what tells of time


def write_rows(path: Path, rows: int) -> None:
    """Write lyrics of three lines, each row other ones; one in twenty is empty and fails."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            lines = []
            for line in range(number, number + 3):
                a, b, c = (WORDS[line * step % len(WORDS)] for step in (1, 5, 11))
                lines.append(f"The {a} and the {b} are gone to {c}")
            text = "" if number % 20 == 7 else "\n".join(lines)
            file.write(json.dumps({"id": f"song-{number}", "lyrics": text}) + "\n")


def contents(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of all exact files by name; what was left unfinished counts."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if not NOT_EXACT.fullmatch(name)
    }


class Run:
    """A batch in a process group of its own."""

    def __init__(self, arguments: list[str], *, fork: bool = False) -> None:
        """Start it."""
        self._command: subprocess.Popen[bytes] | None = None
        self._forked: Any = None
        if fork:
            self._forked = get_context("fork").Process(target=_run_forked, args=(arguments,))
            self._forked.start()
            self.pid = int(self._forked.pid)
        else:
            self._command = subprocess.Popen([*COMMAND, *arguments], start_new_session=True, stdout=subprocess.DEVNULL)
            self.pid = self._command.pid

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for its end; return the exit code, None if it has not ended by then."""
        if self._command is None:
            self._forked.join(seconds)
            return cast(int | None, self._forked.exitcode)
        try:
            return self._command.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Kill it and its workers."""
        os.killpg(self.pid, signal.SIGKILL)
        self.wait()


def _run_forked(arguments: list[str]) -> None:
    os.setsid()
    sys.stdout = open(os.devnull, "w")
    app(["batch", *arguments])


def preload() -> None:
    """Load what forked runs need."""
    import matplotlib.figure  # noqa: F401

    from lyrics.pronounce import Pronouncer
    from pipeline.batch.job import Job
    from pipeline.batch.rows import rehearse

    rehearse(Job(), Pronouncer())


def finish(arguments: list[str], *, fork: bool) -> float:
    """Run a batch to its end; return the seconds it took."""
    began = time.monotonic()
    code = Run(arguments, fork=fork).wait()
    if code != 3:  # some rows fail on purpose
        sys.exit(f"the batch ended with {code}")
    return time.monotonic() - began


def killed_and_resumed(
    arguments: list[str], out: Path, shards: int, rng: random.Random, *, fork: bool
) -> tuple[int, list[int]]:
    """Kill a run up to three times, then let it finish; return how often, and how many shards each kill left."""
    left = []
    for _ in range(rng.randint(1, 3)):
        run = Run(arguments, fork=fork)
        wanted = rng.randint(0, shards)
        while run.wait(0.005) is None:
            done = len(list((out / "shards").glob("*.json")))
            if done >= wanted and (out / "manifest.json").exists():
                if run.wait(rng.uniform(0, 0.2)) is None:  # into the next shard, or the summary
                    run.kill()
                    left.append(len(list((out / "shards").glob("*.json"))))
                break
        else:
            continue
    finish(arguments, fork=fork)
    return len(left), left


def ray_worker_killed(arguments: list[str], out: Path, shards: int, rng: random.Random) -> int:
    """Kill one of the workers of a run on Ray when some shards are done, and let the run go on; return the kills."""
    run = Run(arguments)
    wanted = rng.randint(0, shards - 2)
    kills = 0
    while run.wait(0) is None:
        time.sleep(0.05)
        if kills == 0 and len(list((out / "shards").glob("*.json"))) >= wanted:
            actors = [
                child
                for child in psutil.Process(run.pid).children(recursive=True)
                if "ray::MapWorker" in " ".join(_command(child))
            ]
            if len(actors) >= 2:
                rng.choice(actors).kill()
                kills = 1
    if run.wait() != 3:  # Ray itself may not survive it, if the machine is busy; then the run is resumed
        finish(arguments, fork=False)
    return kills


def _command(process: psutil.Process) -> list[str]:
    try:
        return [process.name(), *process.cmdline()]
    except psutil.Error:
        return []


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--cold", type=int, default=20, help="of these, trials with two workers")
    parser.add_argument("--ray", type=int, default=5, help="trials with two Ray workers, one of them killed")
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ.setdefault("RAY_worker_register_timeout_seconds", "600")  # on a machine that has other things to do
    rng = random.Random(options.seed)
    differ = 0
    size = 2
    shards = -(-options.rows // size)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_rows(folder / "in.jsonl", options.rows)
        common = [str(folder / "in.jsonl"), "--shard-size", str(size), "--format", "mid", "--quiet"]
        preload()
        finish([*common, "-o", str(folder / "warm"), "-w", "1"], fork=True)
        seconds = {
            1: finish([*common, "-o", str(folder / "whole"), "-w", "1"], fork=True),
            2: finish([*common, "-o", str(folder / "two"), "-w", "2"], fork=False),
        }
        whole = contents(folder / "whole")
        print(
            f"{options.rows} rows in {shards} shards, {len(whole)} exact files; undisturbed {seconds[1]:.1f} s, "
            f"{seconds[2]:.1f} s from a cold start with two workers"
        )
        print("\nworkers  trials  kills  killed before/within/after the shards  equal byte for byte")
        for workers, trials in ((1, options.trials - options.cold), (2, options.cold)):
            equal = kills = 0
            when: Counter[str] = Counter()
            for trial in range(trials):
                out = folder / f"out-{workers}-{trial}"
                arguments = [*common, "-o", str(out), "-w", str(workers)]
                killed, left = killed_and_resumed(arguments, out, shards, rng, fork=workers == 1)
                kills += killed
                for done in left:
                    when["before" if done == 0 else "after" if done == shards else "within"] += 1
                equal += contents(out) == whole
                print(f"trial {trial + 1}: kills {kills}, {dict(when)}, equal {equal}", file=sys.stderr, flush=True)
            differ += trials - equal
            moments = "/".join(str(when[name]) for name in ("before", "within", "after"))
            print(f"{workers:7d}  {trials:6d}  {kills:5d}  {moments:>37s}  {equal} of {trials}", flush=True)
        equal = kills = 0
        for trial in range(options.ray):
            out = folder / f"ray-{trial}"
            arguments = [*common, "-o", str(out), "-w", "2", "--engine", "ray"]
            kills += ray_worker_killed(arguments, out, shards, rng)
            equal += contents(out) == whole
            print(f"Ray trial {trial + 1}: kills {kills}, equal {equal}", file=sys.stderr, flush=True)
        differ += options.ray - equal
        if options.ray:
            print(f"  2 Ray  {options.ray:6d}  {kills:5d}  {'-':>37s}  {equal} of {options.ray}")
    sys.exit(differ > 0)


if __name__ == "__main__":
    main()
