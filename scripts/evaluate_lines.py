"""Print the published statistics of real 20-note lines, of another sample of real lines, and of random notes.

    python scripts/evaluate_lines.py lmd_paper20.parquet

The table is in the form of the published lyrics-melody matrices (columns pitch, dur, rest, paper_split). "Real" is the
validation split, "human" as many lines of the training split, which are not in the index of copied runs; "random
notes" are drawn from the training split. Any other system stands between the last two columns.
"""

import argparse
from pathlib import Path

import numpy as np

from melody.sequence_metrics import compare, index_lines, random_notes, read_paper_lines


def main() -> None:
    """Read options, measure, print the columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="chooses the human lines and the random notes")
    options = parser.parse_args()
    real, training = read_paper_lines(options.data, "valid"), read_paper_lines(options.data, "train")
    order = np.random.default_rng(options.seed).permutation(len(training))
    human, rest = training[order[: len(real)]], training[order[len(real) :]]
    index = index_lines(rest)
    columns = {
        "real": compare(real, real, index),
        "human": compare(human, real, index),
        "random notes": compare(random_notes(training, len(real), options.seed), real, index),
    }
    print(f"{len(real)} lines of {real.pitch.shape[1]} notes each; {len(rest)} training lines to copy from")
    print(f"{'':36}" + "".join(f"{name:>14}" for name in columns))
    for name in columns["real"]:
        print(f"{name:36}" + "".join(f"{column[name]:14.4f}" for column in columns.values()))


if __name__ == "__main__":
    main()
