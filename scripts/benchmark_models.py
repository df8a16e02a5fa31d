"""Time the joint network in numpy: songs a second, many side by side, on one core and on two.

    python scripts/benchmark_models.py [--songs 64] [--lines 24] [--syllables 8]

A song is `lines` x `syllables` notes; the network chooses rest, duration and pitch of each, and may copy any earlier
note of the song. Seconds of processor time stand beside those on the clock, for machines that do other things as well.
"""

import os

# One thread per process: the matrices are small. It must be set before numpy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from align.meter import Meter
from melody.joint import shipped_joint_model
from melody.joint_features import Clock, no_text, text_features
from melody.joint_generate import Task, generate


def sing(songs: int, notes: int) -> tuple[float, float, int]:
    """Return seconds on the clock and of the processor for `songs` songs side by side, and the notes sung."""
    model = shipped_joint_model()
    meter = Meter(4, 4)
    text = no_text(notes, meter, "popular", minor=False)
    task = Task(text_features(text), text.line, Clock(meter), anchor=60)
    generate(model, [replace(task, features=task.features[:8], line=task.line[:8])])  # warm up
    clock, processor = time.perf_counter(), time.process_time()
    sung = generate(model, [replace(task, seed=seed) for seed in range(songs)])
    return time.perf_counter() - clock, time.process_time() - processor, sum(map(len, sung))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=64, help="songs side by side in a process")
    parser.add_argument("--lines", type=int, default=24)
    parser.add_argument("--syllables", type=int, default=8, help="of a line")
    options = parser.parse_args()
    notes = options.lines * options.syllables
    clock, processor, sung = sing(options.songs, notes)
    print(f"one process: {options.songs} songs of {options.lines} lines, {sung} notes")
    print(f"  {options.songs / clock:6.1f} songs a second by the clock, {options.songs / processor:6.1f} of processor")
    with ProcessPoolExecutor(2) as pool:
        results = list(pool.map(sing, [options.songs] * 2, [notes] * 2))
    clock = max(wall for wall, _, _ in results)
    processor = sum(cpu for _, cpu, _ in results)
    print(f"two processes: {2 * options.songs} songs    (target: 50 songs a second on two cores)")
    free = 4 * options.songs / processor
    print(f"  {2 * options.songs / clock:6.1f} songs a second by the clock, {free:6.1f} if both cores were free")


if __name__ == "__main__":
    main()
