"""Fit the weights of the signs that a mood is read from, on couplets labelled for this project.

    python scripts/train_mood.py           # writes lyrics/data/mood.json, prints how well it does on couplets left out
    python scripts/train_mood.py --deep    # writes lyrics/data/meaning: the same from what transformers read

Ridge regression of the labels (-1 or 1 on both axes) on the signs of `lyrics.mood.Signs`, without a constant, so that a
text of which nothing is known lies in the middle. Exclamation marks are too rare to learn from: their weight is given.
The models of `lyrics.meaning` are ridge regressions with a constant, which also learn from more couplets and from the
first four files of passages: those were looked at while the method was made, and judge nothing any more. Their
penalties and scales were chosen by texts left out.
"""

import argparse
import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from evaluate_mood import FOLDER, Passage, read_passages
from numpy.typing import NDArray
from safetensors.numpy import save

from lyrics.document import Line
from lyrics.embedding import SIZE, embed
from lyrics.meaning import FOLDER as DEEP
from lyrics.meaning import describe, expect_words, reader
from lyrics.mood import WEIGHTS, Signs, lexicon, read_signs
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer

COUPLETS = Path(__file__).parent / "mood" / "couplets.tsv"
DEEP_FILES = (
    COUPLETS,
    COUPLETS.with_name("more_couplets.tsv"),
    *(FOLDER / f"{name}.tsv" for name in ("first", "second", "third", "fourth")),
)
_PENALTY = 0.3
_SIGNS = 0.1  # their spread beside embeddings
_EXPECTED = 120  # words whose probabilities are weighed
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
    """Judge by texts left out, fit on all of them, write both models, and print the SHA-256 for lyrics/meaning.py."""
    passages = [passage for file in DEEP_FILES for passage in read_passages(file)]
    embed([line for passage in passages for line in passage.text.split("\n")])  # in batches; remembered
    pronouncer = Pronouncer()
    labels = targets(passages)
    rows = np.stack([describe(lines_of(passage, pronouncer)) for passage in passages]).astype(float)
    # One penalty for all: signs, each by its own spread, count for less than the numbers of the embedding.
    scales = np.ones(rows.shape[1])
    scales[SIZE:] = _SIGNS / np.maximum(rows[:, SIZE:].std(0), 1e-6)
    tensors = fit_deep("meaning", rows, scales, labels, 3.0)

    model = reader()
    candidates = [entry for entry in lexicon() if " " not in entry and len(model.encode(f" {entry}")) == 1]
    expected = np.stack([expect_words(model, passage.text.split("\n"), candidates) for passage in passages])
    likely = np.argsort(-np.exp(expected).mean(0))[:_EXPECTED]
    expected = expected[:, likely].astype(float)
    scales = np.concatenate((scales, np.full(_EXPECTED, expected.var(0).sum() ** -0.5)))
    tensors |= fit_deep("model", np.hstack((rows, expected)), scales, labels, 1.0)
    words = "\n".join(candidates[index] for index in likely)
    content = save(tensors | {"words": np.frombuffer(words.encode(), np.uint8)})
    DEEP.mkdir(parents=True, exist_ok=True)
    (DEEP / "model.safetensors").write_bytes(content)
    print(f"SHA-256 {hashlib.sha256(content).hexdigest()}")


def fit_deep(name: str, rows: Floats, scales: Floats, labels: Floats, penalty: float) -> dict[str, NDArray[np.float32]]:
    """Fit weights and bias by a ridge regression on scaled rows; before, print how well it does on texts left out."""

    def fit(chosen: NDArray[np.intp]) -> tuple[Floats, Floats]:
        middle, mean = rows[chosen].mean(0), labels[chosen].mean(0)
        solution = ridge((rows[chosen] - middle) * scales, labels[chosen] - mean, penalty) * scales[:, None]
        return solution, mean - middle @ solution

    def judge(chosen: NDArray[np.intp], left_out: NDArray[np.intp]) -> Floats:
        solution, bias = fit(chosen)
        return np.asarray(rows[left_out] @ solution + bias, float)

    print(name, end=": ")
    print_left_out(judge, labels)
    solution, bias = fit(np.arange(len(rows)))
    return {f"{name}.weights": solution.astype(np.float32), f"{name}.bias": bias.astype(np.float32)}


def train_signs() -> None:
    """Judge by couplets left out, fit on all of them and write the weights."""
    passages = read_passages(COUPLETS)
    signs, labels = features(passages), targets(passages)
    print_left_out(lambda rest, left_out: signs[left_out] @ ridge(signs[rest], labels[rest], _PENALTY), labels)
    names = [field.name for field in dataclasses.fields(Signs)]
    solution = ridge(signs, labels, _PENALTY)
    weights = {
        axis: {name: round(float(solution[row, column]), 3) for row, name in enumerate(names)}
        | {"shouted": _SHOUTED[axis]}
        for column, axis in enumerate(("valence", "energy"))
    }
    WEIGHTS.write_text(json.dumps(weights, indent=1) + "\n", encoding="utf-8")


def print_left_out(judge: Callable[[NDArray[np.intp], NDArray[np.intp]], Floats], labels: Floats) -> None:
    """Fit on nine tenths and judge the last, ten times; `judge` takes the rows of both, and fits anew."""
    order = np.random.default_rng(0).permutation(len(labels))
    judged = np.zeros_like(labels)
    for fold in range(_FOLDS):
        left_out = order[fold::_FOLDS]
        judged[left_out] = judge(np.setdiff1d(order, left_out), left_out)
    right = np.sign(judged) == labels
    print(f"{len(labels)} texts, left out in turn: quadrant {right.all(1).mean():.1%}, ", end="")
    print(f"valence {right[:, 0].mean():.1%}, energy {right[:, 1].mean():.1%}")


def features(passages: list[Passage]) -> Floats:
    """Return the signs of each passage, a row each."""
    pronouncer = Pronouncer()
    return np.array([dataclasses.astuple(read_signs(lines_of(passage, pronouncer))[0]) for passage in passages])


def lines_of(passage: Passage, pronouncer: Pronouncer) -> list[Line]:
    """Return the lines of a passage."""
    return [line for section in parse_lyrics(passage.text, pronouncer).sections for line in section.lines]


def targets(passages: list[Passage]) -> Floats:
    """Return valence and energy of each label as -1 or 1."""
    return np.array([[1 if "glad" in p.label else -1, 1 if "excited" in p.label else -1] for p in passages], float)


def ridge(rows: Floats, labels: Floats, penalty: float) -> Floats:
    """Solve for the weights, a column per axis."""
    return np.asarray(np.linalg.solve(rows.T @ rows + penalty * np.eye(rows.shape[1]), rows.T @ labels), float)


if __name__ == "__main__":
    main()
