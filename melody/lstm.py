"""The conditional LSTM that says which pitch a singer would take next, run in numpy.

A recurrent product of experts (after Johnson, Keller and Weintraub, "Learning to Create Jazz Melodies Using a Product
of Experts", 2017): one LSTM layer reads what is known of a note (melody/features.py) and the pitch before it; its
output scores every pitch class as the sum of experts that look at the pitch in different ways:

- as a degree of the key in its register (36 classes around the tonic),
- as an interval from the note before (-12..12 semitones),
- as a tone of the chord that sounds (0..11 semitones above its root),
- as a copy of what earlier lines had at this place, at the same pitch or moved along the scale (a pointer, after
  Vinyals et al., "Pointer Networks", 2015).

Letters in shapes: B beam, N notes, H hidden units, F features, K copy sources, C pitch classes.
"""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from lyrics.errors import ModelFileError
from lyrics.model_files import read_model_file
from melody.features import LOWEST, NUM_CLASSES, NUM_INTERVALS, NUM_STATIC, SOURCES, Copies, Frame, sequence_table

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

NUM_SOURCES = len(SOURCES)
# Inputs after the static ones: copied pitches, then pitch before (NUM_CLASSES: none), interval before, "the note before
# was the copied one" for every source.
NUM_COPIED = NUM_SOURCES * NUM_CLASSES
NUM_PREVIOUS = NUM_CLASSES + 1 + NUM_INTERVALS + 1 + NUM_SOURCES
NUM_INPUTS = NUM_STATIC + NUM_COPIED + NUM_PREVIOUS
NUM_OUTPUTS = NUM_CLASSES + NUM_INTERVALS + 12 + 2 * NUM_SOURCES
START = NUM_CLASSES  # the "pitch before" of the first note, and of a place that no earlier line has

_SHIPPED = Path(__file__).parent / "data" / "lstm"

ModelError = ModelFileError  # weights that are missing, damaged or of another shape than the code


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shape of the network; saved as config.json beside the weights."""

    hidden: int = 128
    inputs: int = NUM_INPUTS
    outputs: int = NUM_OUTPUTS

    @classmethod
    def load(cls, path: Path) -> "ModelConfig":
        """Read config.json; ModelError if a key is unknown or the features have changed since training."""
        values = json.loads(path.read_text(encoding="utf-8"))
        try:
            config = cls(**values)
        except TypeError as error:
            raise ModelError(f"{path}: {error}") from error
        if (config.inputs, config.outputs) != (NUM_INPUTS, NUM_OUTPUTS):
            raise ModelError(
                f"{path}: the model was trained on other features; train it again (scripts/train_melody.py)"
            )
        return config

    def save(self, path: Path) -> None:
        """Write config.json."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


class State(NamedTuple):
    """What the network carries from note to note."""

    hidden: Floats  # (..., B, H)
    cell: Floats  # (..., B, H)


class Prepared(NamedTuple):
    """What one line's notes contribute whatever is sung before: computed for the whole line at once.

    Lines of several songs may be stacked (see `melody.beam`): S then stands after N.
    """

    gates: Floats  # (N, 4H)
    skip: Floats  # (N, outputs): straight from features to experts
    copied: Ints  # (N, K): class sung at the same place of earlier lines, START where there is none
    copied_at: Floats  # (N, K, C + 1): one-hot of `copied`; the last class takes what is not there
    moved: (
        Ints  # (N, K, C + 1): class that continues a source's motion, by the class sung before; C where there is none
    )
    chord_columns: Ints  # (N, C): the chord expert of each class

    def first(self, songs: int) -> "Prepared":
        """Keep the first so many songs of a stack."""
        return Prepared._make(array[:, :songs] for array in self)


class PitchModel:
    """The network's weights and one step of it."""

    def __init__(self, config: ModelConfig, weights: dict[str, Floats]) -> None:
        """Take weights as `melody.train_lstm` exports them."""
        hidden = config.hidden
        shapes = {
            "lstm.weight_ih_l0": (4 * hidden, NUM_INPUTS),
            "lstm.weight_hh_l0": (4 * hidden, hidden),
            "lstm.bias_ih_l0": (4 * hidden,),
            "lstm.bias_hh_l0": (4 * hidden,),
            "experts.weight": (NUM_OUTPUTS, hidden),
            "experts.bias": (NUM_OUTPUTS,),
            "skip.weight": (NUM_OUTPUTS, NUM_STATIC),
        }
        if {name: array.shape for name, array in weights.items()} != shapes:
            raise ModelError("the weights do not have the shapes that config.json promises")
        self.config = config
        # See `step`: tanh(x / 2) for the three gates that are sigmoids.
        halves = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], dtype=np.float32), hidden)
        # Rows together in memory: a product with few rows, and a pick of rows, are then four times as fast.
        into = np.ascontiguousarray(weights["lstm.weight_ih_l0"].T * halves)  # (inputs, 4H)
        self._from_static = into[:NUM_STATIC]
        self._from_copied = np.zeros((NUM_SOURCES, NUM_CLASSES + 1, 4 * hidden), dtype=np.float32)
        self._from_copied[:, :NUM_CLASSES] = into[NUM_STATIC : NUM_STATIC + NUM_COPIED].reshape(
            NUM_SOURCES, NUM_CLASSES, 4 * hidden
        )
        rest = NUM_STATIC + NUM_COPIED
        self._from_pitch = into[rest : rest + NUM_CLASSES + 1]
        rest += NUM_CLASSES + 1
        self._from_interval = into[rest : rest + NUM_INTERVALS + 1]
        self._from_agreement = into[rest + NUM_INTERVALS + 1 :]
        self._recurrent = np.ascontiguousarray(weights["lstm.weight_hh_l0"].T * halves)
        self._bias = (weights["lstm.bias_ih_l0"] + weights["lstm.bias_hh_l0"]) * halves
        self._experts = weights["experts.weight"].T.copy()
        self._experts_bias = weights["experts.bias"]
        self._skip = weights["skip.weight"].T.copy()

    def start(self) -> State:
        """State before the first note, for a beam of one."""
        zeros = np.zeros((1, self.config.hidden), dtype=np.float32)
        return State(zeros, zeros)

    def project(self, static: Floats) -> tuple[Floats, Floats]:
        """Carry the static features (N, F) of a whole song to gates (N, 4H) and experts (N, outputs)."""
        return static @ self._from_static + self._bias, static @ self._skip + self._experts_bias

    def prepare(self, gates: Floats, skip: Floats, copied: Ints, chord_root: Ints, minor: bool) -> Prepared:
        """Add what earlier lines sang at the same places; the arrays are the rows of one line."""
        with_copies = gates + self._from_copied[np.arange(NUM_SOURCES), copied].sum(axis=1)
        moved = np.full((*copied.shape, NUM_CLASSES + 1), START)
        notes, sources = np.nonzero((copied[1:] < START) & (copied[:-1] < START))
        moved[notes + 1, sources, :NUM_CLASSES] = sequence_table(minor)[
            :, copied[notes, sources], copied[notes + 1, sources]
        ].T
        return Prepared(with_copies, skip, copied, _one_hot()[copied], moved, _chord_columns()[chord_root])

    def step(self, line: Prepared, note: int, state: State, before: Ints, interval: Ints) -> tuple[Floats, State]:
        """Score every class for one note of a line: log-probabilities (B, C) and the state after reading its input.

        `before` (B,) is the class sung before (START at the beginning); `interval` (B,) the interval that led to it,
        plus 12, clipped to 0..24 (NUM_INTERVALS where there was none). For stacked lines, all of these have S in front.
        What a line gets does not depend on those beside it, to the last bit: each is multiplied by itself.
        """
        gates = state.hidden @ self._recurrent
        gates += line.gates[note][..., None, :]
        gates += self._from_pitch.take(before, axis=0)
        gates += self._from_interval.take(interval, axis=0)
        if note:
            agreement = (line.copied[note - 1][..., None, :] == before[..., None]) & (before < START)[..., None]
            gates += agreement.astype(np.float32) @ self._from_agreement
        hidden = self.config.hidden
        # torch's order of gates: input, forget, cell, output. sigmoid(x) = (1 + tanh(x / 2)) / 2; the weights of those
        # three gates were halved when loading, so that one tanh serves all four.
        np.tanh(gates, out=gates)
        candidate = gates[..., 2 * hidden : 3 * hidden].copy()
        gates += 1
        gates *= 0.5
        cell = gates[..., hidden : 2 * hidden] * state.cell
        candidate *= gates[..., :hidden]
        cell += candidate
        after = State(gates[..., 3 * hidden :] * np.tanh(cell), cell)
        outputs = after.hidden @ self._experts
        outputs += line.skip[note][..., None, :]
        scores = self._combine(outputs, before, line, note)
        scores -= scores.max(axis=-1, keepdims=True)
        scores -= np.log(np.exp(scores).sum(axis=-1, keepdims=True))
        return scores, after

    @staticmethod
    def _combine(outputs: Floats, before: Ints, line: Prepared, note: int) -> Floats:
        """Add up the experts: outputs (..., B, outputs) to scores of classes (..., B, C)."""
        experts = NUM_CLASSES + NUM_INTERVALS + 12
        rows = np.arange(0, outputs.size, NUM_OUTPUTS).reshape(before.shape)[..., None]
        flat = outputs.reshape(-1)
        scores = flat.take(rows + line.chord_columns[note][..., None, :])
        scores += outputs[..., :NUM_CLASSES]
        # Before the first note of a song there is nothing: all classes get the same.
        scores += flat.take(rows + _interval_outputs().take(before, axis=0))
        copies = outputs[..., experts : experts + NUM_SOURCES] @ line.copied_at[note]
        if note:
            # (..., K, B): the class that goes on with each source's motion
            sources = line.moved[note]
            first = np.arange(0, sources.size, NUM_CLASSES + 1).reshape(*sources.shape[:-1], 1)
            moved = sources.reshape(-1).take(first + before[..., None, :])
            weights = np.swapaxes(outputs[..., experts + NUM_SOURCES :], -1, -2)
            copies += (_one_hot().take(moved, axis=0) * weights[..., None]).sum(axis=-3)
        result: Floats = scores + copies[..., :NUM_CLASSES]
        return result


@cache
def _one_hot() -> Floats:
    return np.eye(NUM_CLASSES + 1, dtype=np.float32)


@cache
def _interval_outputs() -> Ints:
    return interval_columns() + NUM_CLASSES


@cache
def interval_columns() -> Ints:
    """Interval expert by (class before, class): the interval plus 12, clipped to 0..24; after START all alike."""
    classes = np.arange(NUM_CLASSES)
    columns = np.clip(classes[None, :] - classes[:, None], -12, 12) + 12
    return np.concatenate((columns, np.full((1, NUM_CLASSES), 12)))


@cache
def _chord_columns() -> Ints:
    """Chord expert of each class by root (12: no chord, where classes count from the tonic), (13, C)."""
    semitones = np.arange(NUM_CLASSES) + LOWEST
    return np.stack([(semitones - root) % 12 for root in [*range(12), 0]]) + (NUM_CLASSES + NUM_INTERVALS)


def copied_classes(copies: Copies, classes: Ints) -> Ints:
    """Class that each source sang at every note's place, (N, K), START where there is none; `classes` are (N,)."""
    return np.where(copies.note >= 0, classes[np.maximum(copies.note, 0)], START)


def dynamic_inputs(frame: Frame, copies: Copies, classes: Ints) -> Floats:
    """Return what notes are told of the notes before them, (N, NUM_COPIED + NUM_PREVIOUS): for training."""
    num_notes = len(classes)
    rows = np.arange(num_notes)
    copied = copied_classes(copies, classes)
    blocks = np.zeros((num_notes, NUM_SOURCES, NUM_CLASSES + 1), dtype=np.float32)
    blocks[rows[:, None], np.arange(NUM_SOURCES), copied] = 1
    before = np.append(START, classes[:-1])
    leap = np.clip(np.diff(classes, prepend=classes[:1]), -12, 12) + 12
    interval = np.concatenate(([NUM_INTERVALS, NUM_INTERVALS], leap[1:-1]))[:num_notes]
    agreement = (previous_copies(frame, copied) == before[:, None]) & (before < START)[:, None]
    return np.concatenate(
        (
            blocks[:, :, :NUM_CLASSES].reshape(num_notes, NUM_COPIED),
            np.eye(NUM_CLASSES + 1, dtype=np.float32)[before],
            np.eye(NUM_INTERVALS + 1, dtype=np.float32)[interval],
            agreement.astype(np.float32),
        ),
        axis=1,
    )


def previous_copies(frame: Frame, copied: Ints) -> Ints:
    """Return what sources sang at the place of the note before, (N, K); START at the first note of a line."""
    first = np.diff(frame.line, prepend=-1) != 0
    return np.where(first[:, None], START, np.concatenate((np.full((1, NUM_SOURCES), START), copied[:-1])))


def load_model(folder: Path = _SHIPPED) -> PitchModel:
    """Load a model folder; its SHA256SUMS, which the shipped one must have, is checked first.

    Raises ModelError where a file is missing, differs from what this version was made with, or has other shapes.
    """
    path = folder / "model.safetensors"
    content = read_model_file(path, ours=folder == _SHIPPED)
    config = ModelConfig.load(folder / "config.json")
    try:
        weights = load(content)
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    return PitchModel(config, {name: array.astype(np.float32) for name, array in weights.items()})


@cache
def shipped_model() -> PitchModel:
    """Return the model that comes with songwright, loaded once."""
    return load_model()
