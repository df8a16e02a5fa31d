"""The mood of a lyric by its meaning: linear functions of what transformers make of the lines.

`find_mood_by_meaning` reads stretches of lines with the encoder of `lyrics.embedding`, adapted to moods: some thousand
short texts that were labelled for this project taught it a change of low rank to its weights.
`find_deep_mood` lets the language model read the lines too: "The mood of this song is" stands behind them, and
the state from which it would go on is weighed beside the encoder's judgement. Both are right where the words alone say
little ("The phone in the hallway hasn't rung in a week"); see data/meaning/CARD.md for how often. Both need the extra
[lm].
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lyrics.document import Line
from lyrics.model_files import read_model_file
from lyrics.mood import Mood, find_mood

if TYPE_CHECKING:
    from lyrics.lm import LanguageModel

FOLDER = Path(__file__).parent / "data" / "meaning"
QUESTION = "\n\nThe mood of this song is"
_LINES_AT_A_TIME = 4  # that the encoder reads; it learned from one to four
_LINES_OF_MODEL = 8  # that the language model reads at a time

Floats = NDArray[np.float32]


class MoodModel:
    """What was learned about moods: a change to the encoder, and linear functions of what is read off lines."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Take all that was learned, as scripts/train_mood.py writes it.

        Each layer that changes has "LAYER.up" (out, rank) and "LAYER.down" (rank, in); both readers, "meaning" and
        "model", have weights (N, 2) and bias (2,). Raises what `lyrics.embedding.embed` does.
        """
        from lyrics.embedding import load_encoder

        self._tokenizer, encoder = load_encoder()
        layers = [name.removesuffix(".up") for name in weights if name.endswith(".up")]
        halves = {name: [weights[f"{name}.{half}"].astype(np.float32) for half in ("up", "down")] for name in layers}
        self._encoder = encoder.adapted({name: (up, down) for name, (up, down) in halves.items()})
        self._weights = weights

    def judge(self, lines: Sequence[str]) -> Floats:
        """Return valence and energy, (2,), as logits: the mean over stretches, each as heavy as it is long."""
        stretches = _stretches(lines, _LINES_AT_A_TIME)
        states = self._encoder([self._tokenizer.encode(" ".join(stretch)).ids for stretch in stretches])
        means = np.stack([of_stretch.mean(0) for of_stretch in states])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        return self._weigh("meaning", np.average(means, axis=0, weights=[len(stretch) for stretch in stretches]))

    def judge_deeply(self, lines: Sequence[str], model: "LanguageModel") -> Floats:
        """Return the same with what the language model is about to say of the lines."""
        return self.judge(lines) + self._weigh("model", read_state(model, lines))

    def _weigh(self, reader: str, row: NDArray[Any]) -> Floats:
        found: Floats = (row @ self._weights[f"{reader}.weights"] + self._weights[f"{reader}.bias"]).astype(np.float32)
        return found


def find_mood_by_meaning(lines: Iterable[Line], *, num_words: int = 12) -> Mood:
    """Judge the mood of lines by the adapted encoder; the words named are those that `find_mood` finds.

    Raises MissingExtraError without the extra [lm], ModelFileError if a model is not the one that was tested.
    """
    sung = list(lines)
    return _mood(sung, load_mood_model().judge([line.text for line in sung]), "meaning", num_words)


def find_deep_mood(lines: Iterable[Line], *, num_words: int = 12) -> Mood:
    """Judge the mood of lines as `find_mood_by_meaning` does, and by what the default language model makes of them.

    Loads that model, which takes some seconds (and fetches it if it is not there); raises what `load_model` does too.
    """
    sung = list(lines)
    judged = load_mood_model().judge_deeply([line.text for line in sung], reader())
    return _mood(sung, judged, "model", num_words)


def read_state(model: "LanguageModel", lines: Sequence[str]) -> Floats:
    """Return the state of the model, (E,), from which it would go on after `QUESTION`; the mean over stretches."""
    texts = ["\n".join(stretch) + QUESTION for stretch in _stretches(lines, _LINES_OF_MODEL)]
    states = [model.read(None, text).state.float().cpu().numpy() for text in texts]
    found: Floats = np.mean(states, axis=0, dtype=np.float32)
    return found


@cache
def reader() -> "LanguageModel":
    """Load the language model that reads, without our adapter, which knows nothing but verse."""
    from lyrics.lm import load_model

    return load_model().bare


@cache
def load_mood_model() -> MoodModel:
    """Load the shipped model, once.

    Raises what `MoodModel` does, and ModelFileError if the file is missing or not that of this version.
    """
    from safetensors.numpy import load

    return MoodModel(load(read_model_file(FOLDER / "model.safetensors")))


def _mood(lines: Sequence[Line], judged: Floats, by: str, num_words: int) -> Mood:
    valence, energy = (round(float(value), 3) for value in np.tanh(judged / 2))  # chance of the one less of the other
    return replace(find_mood(lines, num_words=num_words), valence=valence, energy=energy, by=by)


def _stretches(lines: Sequence[str], size: int) -> list[Sequence[str]]:
    return [lines[start : start + size] for start in range(0, len(lines), size)]
