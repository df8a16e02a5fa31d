"""The mood of a lyric by its meaning: linear models on what transformers make of the lines.

`find_mood_by_meaning` sums up the mean sentence embedding of the lines and the signs of `lyrics.mood`.
`find_deep_mood` lets the language model read the lines too: "The mood of this song is" stands behind them, and the
probabilities that it gives to words of moods are weighed as well. Both are right where the words alone say little ("The
phone in the hallway hasn't rung in a week"); see data/meaning/CARD.md for how often. Both need the extra [lm].
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lyrics.document import Line
from lyrics.errors import ModelFileError
from lyrics.mood import Mood, find_mood, read_signs

if TYPE_CHECKING:
    from lyrics.lm import LanguageModel

FOLDER = Path(__file__).parent / "data" / "meaning"
SHA256 = "f1527ca1ef9be2b73c1c20758ea89332f76e6d6dd3fad1f4443a1383a8764291"
QUESTION = "\n\nThe mood of this song is"
_LINES_AT_A_TIME = 8  # that the language model reads; it learned from couplets and stanzas

Floats = NDArray[np.float32]


def find_mood_by_meaning(lines: Iterable[Line], *, num_words: int = 12) -> Mood:
    """Judge the mood of lines by their embeddings; the words named are those that `find_mood` finds.

    Raises MissingExtraError without the extra [lm], ModelFileError if a model is not the one that was tested.
    """
    sung = list(lines)
    return _judge(sung, describe(sung), "meaning", num_words)


def find_deep_mood(lines: Iterable[Line], *, num_words: int = 12) -> Mood:
    """Judge the mood of lines as `find_mood_by_meaning` does, and by what the default language model makes of them.

    Loads that model, which takes some seconds (and fetches it if it is not there); raises what `load_model` does too.
    """
    sung = list(lines)
    words = bytes(_load()["words"]).decode().split("\n")
    described = np.concatenate((describe(sung), expect_words(reader(), [line.text for line in sung], words)))
    return _judge(sung, described, "model", num_words)


def describe(lines: Sequence[Line]) -> Floats:
    """Return the mean embedding (384) of the lines, then their signs (8)."""
    from lyrics.embedding import embed

    signs, _ = read_signs(lines)
    return np.concatenate((embed([line.text for line in lines]).mean(axis=0), np.array(astuple(signs), np.float32)))


def expect_words(model: "LanguageModel", lines: Sequence[str], words: Sequence[str]) -> Floats:
    """Return the log probability of each word, of one token, after `QUESTION`; the mean over stretches of the lines."""
    tokens = [model.encode(f" {word}")[0] for word in words]
    stretches = ["\n".join(lines[start : start + _LINES_AT_A_TIME]) for start in range(0, len(lines), _LINES_AT_A_TIME)]
    found: Floats = np.mean(
        [model.read(None, stretch + QUESTION).log_probs[tokens] for stretch in stretches], axis=0, dtype=np.float32
    )
    return found


@cache
def reader() -> "LanguageModel":
    """Load the language model that reads, without our adapter, which knows nothing but verse."""
    from lyrics.lm import load_model

    return load_model().bare


def _judge(lines: Sequence[Line], described: Floats, by: str, num_words: int) -> Mood:
    weights = _load()
    judged = np.tanh(described @ weights[f"{by}.weights"] + weights[f"{by}.bias"])
    valence, energy = (round(float(value), 3) for value in judged)
    return replace(find_mood(lines, num_words=num_words), valence=valence, energy=energy, by=by)


@cache
def _load() -> dict[str, NDArray[Any]]:
    """Read the weights (N, 2) and biases (2,) of both models, and the words of the second one.

    Raises ModelFileError if the file is missing or not that of this version.
    """
    from safetensors.numpy import load

    path = FOLDER / "model.safetensors"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read the mood model: {error}; install songwright again") from error
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ModelFileError(f"{path} has SHA-256 {found[:12]}…, not that of this version; install songwright again")
    return load(content)
