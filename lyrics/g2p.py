"""Pronunciations of words outside the dictionary: a small grapheme-to-phoneme model of ours.

Each letter sounds as zero, one or two phones; a letter with its phones is a graphone. The model is a 7-gram over the
graphones of a word, read from its end, because English stress is reckoned from there. A beam search finds the most
probable graphones for the letters with exactly one primary stress. Trained by scripts/train_g2p.py on CMUdict; scores
and limits are in data/g2p/CARD.md.

Sources: Bisani and Ney (2008), "Joint-sequence models for grapheme-to-phoneme conversion"; Chen and Goodman (1998)
for the smoothing; Stolcke (1998) for the pruning.

An n-gram is stored as the upper half of a 64-bit hash (32 bits; a false hit is as rare as 1 in 50,000 look-ups), with
its log probability in 1/16 nats.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lyrics.model_files import read_model_file

FOLDER = Path(__file__).parent / "data" / "g2p"
ORDER = 7
STEP = 1 / 16  # nats: resolution of the stored log probabilities
BACKOFF_SHIFT = 2.0  # nats added to back-off weights, so that the few above 0 can be stored
BOUNDARY = 0  # graphone number of the word's end, where reading starts
START = 1  # graphone number of the word's start, where reading ends
BEAM = 10
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIXER = np.uint64(0xD6E8FEB86659FD93)
_UNSEEN = -12.0  # nats for a graphone that the unigrams lack
_IMPOSSIBLE = -1e9

Keys = NDArray[np.uint64]
Floats = NDArray[np.float64]


class Level(NamedTuple):
    """N-grams of one length: sorted hashes and log probabilities (nats); their contexts and back-off weights."""

    keys: NDArray[np.uint32]
    values: Floats
    contexts: NDArray[np.uint32]
    backoffs: Floats


class Choices(NamedTuple):
    """What one letter may sound like: graphone numbers, phones, and how many primary stresses these hold."""

    numbers: Keys
    phones: tuple[tuple[str, ...], ...]
    primary: NDArray[np.int64]


@dataclass(frozen=True)
class Model:
    """The n-grams by length, from 1, and the choices by letter."""

    levels: tuple[Level, ...]
    choices: dict[str, Choices]


def extend(context: Keys, number: Keys) -> Keys:
    """Hash of a sequence of graphones with one more at its end; the empty sequence is 0."""
    return context * _MULTIPLIER + number + np.uint64(1)


def stored(hashes: Keys) -> NDArray[np.uint32]:
    """Mix hashes and keep the upper half, as in the model file."""
    return ((hashes * _MIXER) >> np.uint64(32)).astype(np.uint32)


@cache
def load(folder: Path = FOLDER) -> Model:
    """Read the model, once. Raises ModelFileError if a file is missing or the SHA-256 differs."""
    from safetensors.numpy import load as load_tensors

    tensors = load_tensors(read_model_file(folder / "model.safetensors"))
    config: dict[str, Any] = json.loads(read_model_file(folder / "config.json"))
    levels = tuple(
        Level(
            tensors[f"keys{n}"],
            tensors[f"values{n}"] * -STEP,
            tensors[f"contexts{n}"],
            BACKOFF_SHIFT - tensors[f"backoffs{n}"] * STEP,
        )
        for n in range(1, ORDER + 1)
    )
    numbered: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
    for number, (letter, phones) in enumerate(config["graphones"], 2):
        numbered.setdefault(letter, []).append((number, tuple(phones.split())))
    return Model(
        levels,
        {
            letter: Choices(
                np.array([number for number, _ in graphones], np.uint64),
                tuple(phones for _, phones in graphones),
                np.array([sum(phone[-1] == "1" for phone in phones) for _, phones in graphones]),
            )
            for letter, graphones in numbered.items()
        },
    )


def guess(letters: str, model: Model | None = None) -> tuple[str, ...]:
    """Pronounce a word of the letters a-z: ARPAbet phones with stress digits, one primary stress.

    Raises ValueError for an empty word or another character.

    >>> guess("blick")
    ('B', 'L', 'IH1', 'K')
    """
    model = model or load()
    if not letters or not all(letter in model.choices for letter in letters):
        raise ValueError(f"a word of the letters a-z is needed, got {letters!r}")
    history = np.full((1, 1), BOUNDARY, np.uint64)
    scores = np.zeros(1)
    stressed = np.zeros(1, np.int64)
    spoken: list[tuple[str, ...]] = [()]  # phones from the end of the word, reversed
    for letter in reversed(letters):
        choices = model.choices[letter]
        total = scores[:, None] + log_probabilities(model.levels, history, choices.numbers)
        count = stressed[:, None] + choices.primary
        total[count > 1] = _IMPOSSIBLE
        best = np.argsort(-total, axis=None, kind="stable")[:BEAM]
        rows, columns = np.divmod(best, len(choices.numbers))
        scores, stressed = total.ravel()[best], count.ravel()[best]
        history = np.column_stack((history[rows], choices.numbers[columns]))[:, -(ORDER - 1) :]
        spoken = [
            spoken[row] + choices.phones[column][::-1]
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
    scores = scores + log_probabilities(model.levels, history, np.array([START], np.uint64))[:, 0]
    scores[stressed != 1] += _IMPOSSIBLE
    phones = spoken[int(np.argmax(scores))][::-1]
    return phones if any(phone[-1] == "1" for phone in phones) else _stressed(phones)


def _stressed(phones: tuple[str, ...]) -> tuple[str, ...]:
    """Put the primary stress on the first vowel; letters that sound no vowel at all get one before them."""
    for index, phone in enumerate(phones):
        if phone[-1].isdigit():
            return (*phones[:index], phone[:-1] + "1", *phones[index + 1 :])
    return ("AH1", *phones)


def log_probabilities(levels: tuple[Level, ...], history: Keys, numbers: Keys) -> Floats:
    """Log P(graphone | history) in nats, shape (B, C), for B histories (B, H), newest last, and C graphones.

    The longest n-gram that the model knows counts, less the back-off weights of the longer contexts.
    """
    num_rows, length = history.shape
    result = np.full((num_rows, len(numbers)), np.nan)
    backoff = np.zeros(num_rows)
    for n in range(min(len(levels), length + 1), 0, -1):
        level = levels[n - 1]
        context = np.zeros(num_rows, np.uint64)
        for column in range(length - n + 1, length):
            context = extend(context, history[:, column])
        places, known = _find(level.contexts, stored(context))
        if known.any():
            rows = np.flatnonzero(known)
            hits, found = _find(level.keys, stored(extend(context[rows, None], numbers)))
            part = result[rows]
            new = found & np.isnan(part)
            part[new] = (level.values[hits] + backoff[rows, None])[new]
            result[rows] = part
            backoff[rows] += level.backoffs[places[rows]]
            if not np.isnan(result).any():
                return result
    missing = np.isnan(result)
    result[missing] = np.broadcast_to(backoff[:, None] + _UNSEEN, result.shape)[missing]
    return result


def _find(table: NDArray[np.uint32], keys: NDArray[np.uint32]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    places = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return places, table[places] == keys
