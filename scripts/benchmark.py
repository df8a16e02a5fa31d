"""Time `songwright compose` as a user meets it: a cold process, lyrics in, files out.

Prints, as medians of several runs: seconds and peak memory for a 24-line song, the bare time of importing the modules
of other projects that it loads, their ratio, and seconds by number of lines (the cost must grow linearly).

    python scripts/benchmark.py [--runs 7] [--lines 24 250 500 1000 2000]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

WORDS = (
    "river morning silver window carry shadow winter hollow summer stone light water running over every paper yellow "
    "garden station thunder candle feather whisper tumble harbour lantern meadow ocean"
).split()


def lyrics(num_lines: int) -> str:
    """Return verses and choruses in turn, four lines each, `num_lines` in all, every line different."""
    lines = []
    for index in range(num_lines):
        if index % 4 == 0:
            lines.append("" if index else "Title: Benchmark")
            lines.append(f"[{'Chorus' if index % 8 == 4 else 'Verse'}]")
        a, b, c = (WORDS[(index * step + shift) % len(WORDS)] for step, shift in ((1, 0), (5, 3), (11, 7)))
        lines.append(f"The {a} and the {b} are {('gone', 'here', 'mine', 'long')[index // 7 % 4]} to the {c}")
    return "\n".join(lines) + "\n"


def run(command: list[str], cwd: Path) -> tuple[float, float]:
    """Return wall seconds and peak resident MB of one run of a command; raise CalledProcessError if it fails."""
    # After the first run of a user's, Python finds its modules compiled, here too.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)
    return seconds, usage.ru_maxrss / 1024


def libraries(cwd: Path) -> list[str]:
    """Return every module that composing has loaded when it ends, but for the project's own: what it imports."""
    program = (
        "import sys; from pipeline.cli import app\n"
        "try: app(['compose', 'lyrics.txt', '--force', '--quiet'])\n"
        "except SystemExit: pass\n"
        "own = ('lyrics', 'align', 'melody', 'pipeline', '__main__')\n"
        "print(*(name for name in sys.modules if name.partition('.')[0] not in own), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stderr.split()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--lines", type=int, nargs="*", default=[24, 250, 500, 1000, 2000])
    options = parser.parse_args()
    cli = "from pipeline.cli import app; app()"
    compose = [sys.executable, "-c", cli, "compose", "lyrics.txt", "--force", "--quiet"]
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder)
        bare, whole = [], []
        (cwd / "lyrics.txt").write_text(lyrics(24), encoding="utf-8")
        names = libraries(cwd)
        # Names such as typing.io are in sys.modules but cannot be imported: they are parts of other modules.
        program = (
            "from contextlib import suppress; from importlib import import_module\n"
            f"for name in {names!r}:\n"
            "    with suppress(ImportError): import_module(name)"
        )
        imports = [sys.executable, "-c", program]
        run(compose, cwd)
        for _ in range(options.runs):  # in turn, so that a busy machine slows both
            bare.append(run(imports, cwd))
            whole.append(run(compose, cwd))
        seconds = median(second for second, _ in whole)
        floor = median(second for second, _ in bare)
        print(f"24 lines, cold process          {seconds:6.2f} s    (target: 2 s at most)")
        print(f"importing its libraries         {floor:6.2f} s")
        print(f"ratio                           {seconds / floor:6.1f}      (target: 3 at most)")
        print(
            f"peak memory                     {max(memory for _, memory in whole):6.0f} MB   (target: 400 MB at most)"
        )
        print("\n lines  seconds  ms per line beyond the start-up")
        for num_lines in options.lines:
            (cwd / "lyrics.txt").write_text(lyrics(num_lines), encoding="utf-8")
            times = [run(compose, cwd)[0] for _ in range(3 if num_lines <= 500 else 1)]
            print(f"{num_lines:6d}  {median(times):7.2f}  {1000 * (median(times) - floor) / num_lines:7.2f}")


if __name__ == "__main__":
    main()
