"""The mood of a lyric by the meaning of its lines: a linear model on sentence embeddings.

Valence and energy of a line are two weighted sums of the numbers of its embedding, and those of a text the means over
its lines. Right where the words alone say little ("The phone in the hallway hasn't rung in a week"); see
data/meaning/CARD.md for how often. Needs the extra [lm], of which nothing heavy is imported.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lyrics.document import Line
from lyrics.errors import ModelFileError
from lyrics.mood import Mood, find_mood

FOLDER = Path(__file__).parent / "data" / "meaning"
SHA256 = "a6229a22cf66cdad47332d48c9ecef4f1a3f9a510d047ffd2968ab3a2e3d8518"


def find_deep_mood(lines: Iterable[Line], *, num_words: int = 12) -> Mood:
    """Judge the mood of lines by their meaning; the words named are those that `find_mood` finds."""
    from lyrics.embedding import embed

    sung = list(lines)
    weights, bias = _load()
    judged = embed([line.text for line in sung]).mean(axis=0) @ weights + bias
    valence, energy = (round(float(value), 3) for value in np.tanh(judged))
    return replace(find_mood(sung, num_words=num_words), valence=valence, energy=energy)


@cache
def _load() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read weights (384, 2) and bias (2,); ModelFileError if the file is missing or not that of this version."""
    from safetensors.numpy import load

    path = FOLDER / "model.safetensors"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read the mood model: {error}; install songwright again") from error
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ModelFileError(f"{path} has SHA-256 {found[:12]}…, not that of this version; install songwright again")
    tensors = load(content)
    return tensors["weights"], tensors["bias"]
