"""Fit the weights of the signs that a mood is read from, on couplets labelled for this project.

    python scripts/train_mood.py           # writes lyrics/data/mood.json, prints how well it does on couplets left out
    python scripts/train_mood.py --deep    # writes lyrics/data/meaning: the same from sentence embeddings

Ridge regression of the labels (-1 or 1 on both axes) on the signs of `lyrics.mood.Signs`, without a constant, so that a
text of which nothing is known lies in the middle. Exclamation marks are too rare to learn from: their weight is given.
The deep model is a ridge regression with a constant, on the mean embedding of the lines; it also learns from the first
and the second file of passages, which were looked at while the method was made, and judge nothing any more.
"""

import argparse
import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
from evaluate_mood import FOLDER, Passage, read_passages
from numpy.typing import NDArray
from safetensors.numpy import save

from lyrics.embedding import embed
from lyrics.meaning import FOLDER as DEEP
from lyrics.mood import WEIGHTS, Signs, read_signs
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer

COUPLETS = Path(__file__).parent / "mood" / "couplets.tsv"
_PENALTY = 0.3
_DEEP_PENALTY = 3.0
_FOLDS = 10
_SHOUTED = {"valence": 0.0, "energy": 0.3}

Floats = NDArray[np.float64]


def main() -> None:
    """Fit the one or the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deep", action="store_true")
    if parser.parse_args().deep:
        train_deep()
    else:
        train_signs()


def train_deep() -> None:
    """Fit the linear model on embeddings, write it, and print its SHA-256 for lyrics/meaning.py."""
    files = (COUPLETS, FOLDER / "first.tsv", FOLDER / "second.tsv")
    passages = [passage for file in files for passage in read_passages(file)]
    embed(
        [line for passage in passages for line in passage.text.split("\n")]
    )  # in batches; remembered for the next line
    rows = np.stack([embed(passage.text.split("\n")).mean(0) for passage in passages]).astype(float)
    labels = targets(passages)
    middle = rows.mean(0)
    centred = rows - middle
    penalty = _DEEP_PENALTY * np.eye(rows.shape[1])
    solution = np.linalg.solve(centred.T @ centred + penalty, centred.T @ (labels - labels.mean(0)))
    bias = labels.mean(0) - middle @ solution
    content = save({"weights": solution.astype(np.float32), "bias": bias.astype(np.float32)})
    DEEP.mkdir(parents=True, exist_ok=True)
    (DEEP / "model.safetensors").write_bytes(content)
    print(f"{len(passages)} passages; SHA-256 {hashlib.sha256(content).hexdigest()}")


def train_signs() -> None:
    """Fit on all couplets and write the weights; before, fit on nine tenths and judge the last, ten times."""
    passages = read_passages(COUPLETS)
    signs, labels = features(passages), targets(passages)
    order = np.random.default_rng(0).permutation(len(passages))
    judged = np.zeros_like(labels)
    for fold in range(_FOLDS):
        left_out = order[fold::_FOLDS]
        rest = np.setdiff1d(order, left_out)
        judged[left_out] = signs[left_out] @ fit(signs[rest], labels[rest])
    right = np.sign(judged) == labels
    print(f"{len(passages)} couplets, left out in turn: quadrant {right.all(1).mean():.1%}, ", end="")
    print(f"valence {right[:, 0].mean():.1%}, energy {right[:, 1].mean():.1%}")
    names = [field.name for field in dataclasses.fields(Signs)]
    solution = fit(signs, labels)
    weights = {
        axis: {name: round(float(solution[row, column]), 3) for row, name in enumerate(names)}
        | {"shouted": _SHOUTED[axis]}
        for column, axis in enumerate(("valence", "energy"))
    }
    WEIGHTS.write_text(json.dumps(weights, indent=1) + "\n", encoding="utf-8")


def features(passages: list[Passage]) -> Floats:
    """Return the signs of each passage, a row each."""
    pronouncer = Pronouncer()
    rows = []
    for passage in passages:
        sections = parse_lyrics(passage.text, pronouncer).sections
        signs, _ = read_signs(line for section in sections for line in section.lines)
        rows.append(dataclasses.astuple(signs))
    return np.array(rows)


def targets(passages: list[Passage]) -> Floats:
    """Return valence and energy of each label as -1 or 1."""
    return np.array([[1 if "glad" in p.label else -1, 1 if "excited" in p.label else -1] for p in passages], float)


def fit(signs: Floats, labels: Floats) -> Floats:
    """Solve for the weights, a column per axis."""
    penalty = _PENALTY * np.eye(signs.shape[1])
    return np.asarray(np.linalg.solve(signs.T @ signs + penalty, signs.T @ labels), float)


if __name__ == "__main__":
    main()
