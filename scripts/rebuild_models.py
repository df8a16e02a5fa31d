"""Train again, in one go, every model that composing uses, from the published songs and the dictionary.

    python scripts/rebuild_models.py songs_open.parquet [--first STEP | --only STEP ...] [--run DIR]

The steps run in the order in which models build on each other, each by the command that is printed before it, and write
into the folders of this checkout that songwright loads them from. Everything is seeded and none of it depends on what
was there before: on one kind of machine the same files come out every time. At the end every file is compared with the
one before. `git checkout -- lyrics align melody` brings the shipped models back. Needs the extra `train`; about an hour
of one core.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from align.scorer import MODEL as RHYTHM
from lyrics.g2p import FOLDER as G2P
from lyrics.model_files import SUMS, write_model_files
from lyrics.spelling import DATA as SPELLING
from melody.critic import MODEL as CRITIC

ROOT = Path(__file__).parents[1]
HARMONY, LISTENING, LSTM, JOINT = (
    ROOT / "melody" / "data" / name for name in ("harmony", "listening", "lstm", "joint")
)
FOLDERS = (G2P, SPELLING, RHYTHM, CRITIC, HARMONY, LISTENING, LSTM, JOINT)


def steps(data: Path, run: Path) -> dict[str, list[str]]:
    """Return the commands by step; the joint network is trained in the folder `run`."""

    def script(name: str, *arguments: object) -> list[str]:
        return [sys.executable, f"scripts/{name}.py", *map(str, arguments)]

    songwright = [sys.executable, "-c", "from pipeline.cli import app; app()"]
    return {
        "g2p": script("train_g2p", "--part", "held-out"),
        "splitting": script("train_splitting", data),
        "rhythm": script("train_rhythm", data, RHYTHM, "--seed", 0),
        "harmony": script("train_harmony", data),
        "listening": script("train_listening", data),
        "pitch": script("train_melody", data, LSTM, "--seed", 0),
        "rhythm-tables": script("fit_rhythm", data, "--without-critic", "--rounds", 14, "--rate", 0.5),
        "rhythm-critic": script("train_critics", "rhythm", data, RHYTHM),
        "rhythm-tables-with-critic": script("fit_rhythm", data, "--times", 2, "--rounds", 5),
        "melody-tables": script("fit_melody", data, "--without-critic", "--rounds", 10, "--rate", 0.6),
        "melody-critic": script("train_critics", "melody", data, CRITIC),
        "melody-tables-with-critic": script("fit_melody", data, "--words-alone", "--rounds", 8, "--rate", 0.3),
        "joint": [*songwright, "train", "melody", "--data", str(data), "--config", "full", "--out", str(run)],
    }


def sums() -> dict[str, str]:
    """Return the SHA-256 of every file in the folders of the models, cards left out."""
    files = sorted(
        path for folder in FOLDERS for path in folder.iterdir() if path.name != SUMS and path.suffix != ".md"
    )
    return {str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main() -> None:
    """Run the steps, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = list(steps(Path(), Path()))
    parser.add_argument("data", type=Path, help="songs_open.parquet")
    parser.add_argument("--first", choices=names, default=names[0], help="the step to begin with")
    parser.add_argument("--only", choices=names, nargs="+", help="no steps but these")
    parser.add_argument("--run", type=Path, help="folder for the joint network's training, which goes on if it was cut")
    options = parser.parse_args()
    if not options.data.is_file():
        parser.error(f"there is no file {options.data}")

    before = sums()
    with tempfile.TemporaryDirectory() as scratch:
        run = (options.run or Path(scratch)).absolute()
        commands = steps(options.data.absolute(), run)
        for name in options.only or names[names.index(options.first) :]:
            print(f"\n=== {name}: {' '.join(commands[name][1:])}", flush=True)
            began = time.monotonic()
            subprocess.run(commands[name], cwd=ROOT, check=True)
            if name == "joint":
                weights, config = ((run / file).read_bytes() for file in ("gan.safetensors", "config.json"))
                write_model_files(JOINT, {"model.safetensors": weights, "config.json": config})
            print(f"=== {name}: {time.monotonic() - began:.0f} s", flush=True)
    print()
    for path, digest in sums().items():
        print(f"{'as it was' if before.get(path) == digest else 'differs':10}{path}")


if __name__ == "__main__":
    main()
