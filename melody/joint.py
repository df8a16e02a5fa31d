"""The joint network: rest, duration and pitch of every note, one after the other, run in numpy.

It fills a rhythm with pitches, invents rhythm and pitch for bare syllables, and continues a melody, because it is an
exact model of the whole sequence: p(rest, duration, pitch | everything before) = p(rest) p(duration | rest)
p(pitch | rest, duration). An LSTM reads the note before, the words and the place in bar and form; each of the three
heads then adds what the choice before it revealed (the onset, and with it the place in the bar and the chord).

What people do and such networks do not is to repeat themselves, beyond two or three notes. So every head may also
*copy* (Gu et al., "Incorporating Copying Mechanism in Sequence-to-Sequence Learning", 2016): earlier notes compete
with the classes in one softmax. A note is a good one to copy from if the network was in a like state there, if it lies
at a like distance, and above all if the notes just before it were the notes just sung: the length of that match is
counted exactly (`matches`). Pitches are copied as such or as the interval that led to them, that is, transposed.

Letters in shapes: B melodies side by side, T notes so far, H hidden units, U units of a head.
"""

import json
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from lyrics.model_files import read_model_file
from melody.joint_features import BLOCKS, NUM_CHORD, NUM_FEATURES, NUM_PLACE
from melody.lstm import ModelError

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

VERSION = 1  # of inputs and architecture together; weights of another one are refused
REACH = 24  # intervals of -24 .. 24 semitones; wider ones count as the widest
NUM_INTERVALS = 2 * REACH + 1
NUM_AGES = 34  # how many notes ago a copied note was, the last class for all older ones
NUM_LINES = 10  # how many lines ago, likewise
LONGEST_MATCH = 8
HEADS = ("rest", "duration", "pitch", "interval")  # the four ways of copying

_SHIPPED = Path(__file__).parent / "data" / "joint"


@dataclass(frozen=True, slots=True)
class JointConfig:
    """Vocabulary and shape of the network; saved as config.json beside the weights."""

    rests: tuple[int, ...]  # ticks between the end of the note before and this one
    durations: tuple[int, ...]  # ticks
    num_pitches: int
    lowest: int  # pitch of class 0: semitones from the anchor of the song, or a MIDI number where keys are not known
    anchored: bool = True  # pitches count from the tonic (see melody.features.anchor_pitch), not from MIDI 0
    hidden: int = 192
    head: int = 96
    key: int = 32
    version: int = VERSION
    features: int = NUM_FEATURES

    def __post_init__(self) -> None:
        """Make tuples of the lists that JSON has, so that equal configs are equal."""
        object.__setattr__(self, "rests", tuple(self.rests))
        object.__setattr__(self, "durations", tuple(self.durations))

    @property
    def blocks(self) -> dict[str, int]:
        """Widths of the parts of the LSTM's input, in order."""
        return {
            "features": NUM_FEATURES,
            "place": NUM_PLACE,
            "rest": len(self.rests),
            "duration": len(self.durations),
            "pitch": self.num_pitches,
            "interval": NUM_INTERVALS,
            "scale": 12,
            "match": LONGEST_MATCH + 1,
            "start": 1,
        }

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of all weights."""
        rests, durations, pitches = len(self.rests), len(self.durations), self.num_pitches
        hidden, head, key = self.hidden, self.head, self.key
        shapes: dict[str, tuple[int, ...]] = {
            "lstm.weight_ih_l0": (4 * hidden, sum(self.blocks.values())),
            "lstm.weight_hh_l0": (4 * hidden, hidden),
            "lstm.bias_ih_l0": (4 * hidden,),
            "lstm.bias_hh_l0": (4 * hidden,),
        }
        extra = {
            "rest": 0,
            "duration": rests + NUM_PLACE,
            "pitch": rests + durations + NUM_PLACE + NUM_CHORD,
        }
        outputs = {"rest": rests, "duration": durations, "pitch": pitches + NUM_INTERVALS + 24}
        for name, width in extra.items():
            shapes[f"{name}_in.weight"] = (head, hidden + width)
            shapes[f"{name}_in.bias"] = (head,)
            shapes[f"{name}_out.weight"] = (outputs[name], head)
            shapes[f"{name}_out.bias"] = (outputs[name],)
        tokens = {"rest": rests, "duration": durations, "pitch": pitches, "interval": NUM_INTERVALS}
        for name in HEADS:
            shapes[f"copy.{name}.query.weight"] = (key + 1, head)  # the last unit scales the bonus of matches
            shapes[f"copy.{name}.query.bias"] = (key + 1,)
            shapes[f"copy.{name}.key.weight"] = (key, head)
            shapes[f"copy.{name}.token.weight"] = (key, tokens[name])
            shapes[f"copy.{name}.age"] = (NUM_AGES,)
            shapes[f"copy.{name}.line"] = (NUM_LINES,)
            shapes[f"copy.{name}.match"] = (LONGEST_MATCH + 1,)
            shapes[f"copy.{name}.place"] = (2,)
        return shapes

    @classmethod
    def load(cls, path: Path) -> "JointConfig":
        """Read config.json; ModelError where it is none, or of another version of the network."""
        try:
            values: Any = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise ModelError(f"{path} is not the config of a melody model: {error}") from error
        known = {item.name for item in fields(cls)}
        required = {"rests", "durations", "num_pitches", "lowest"}
        if not isinstance(values, dict) or not required <= set(values) or not set(values) <= known:
            raise ModelError(f"{path} is not the config of a joint melody model")
        if values.get("version") != VERSION or values.get("features") != NUM_FEATURES:
            raise ModelError(f"{path}: made by another version of songwright; train the model again")
        return cls(**values)

    def to_json(self) -> str:
        """Return what config.json holds."""
        return json.dumps(asdict(self), indent=2) + "\n"


@cache
def _eye(size: int) -> Floats:
    return np.eye(size, dtype=np.float32)


def _doubled(array: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate((array, np.zeros_like(array)), axis=1)


def extend_matches(matches: Ints, tokens: Ints, latest: Ints) -> Ints:
    """Return how many notes before each earlier note equal the notes just sung, (B, T + 1), after one more note.

    `matches` (B, T) is the answer before note T was sung; `tokens` (B, T) name the T earlier notes and `latest` (B,)
    the new one (equal numbers: equal interval and duration). Entry j of the answer is the length of the longest common
    suffix of notes[:j] and notes[:T + 1], at most LONGEST_MATCH; the last entry, for j = T, compares with itself
    shifted by one.
    """
    grown = np.zeros((matches.shape[0], matches.shape[1] + 1), dtype=np.int64)
    # notes[:j + 1] and notes[:T + 1] share one more than notes[:j] and notes[:T] where note j equals note T.
    grown[:, 1:] = np.where(tokens == latest[:, None], np.minimum(matches + 1, LONGEST_MATCH), 0)
    return grown


def token_numbers(intervals: Ints, durations: Ints) -> Ints:
    """Name notes so that those of equal interval (clipped, from -REACH) and duration class have equal numbers."""
    return durations * NUM_INTERVALS + intervals


class JointModel:
    """Weights of the joint network. `session` walks through melodies note by note."""

    def __init__(self, config: JointConfig, weights: dict[str, Floats]) -> None:
        """Take weights as `melody.joint_network` exports them."""
        if {name: array.shape for name, array in weights.items()} != config.shapes:
            raise ModelError("the weights do not have the shapes that config.json promises")
        self.config = config
        hidden = config.hidden
        # tanh(x / 2) for the gates that are sigmoids: one tanh serves all four, see Session.
        halves = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], dtype=np.float32), hidden)
        into = weights["lstm.weight_ih_l0"].T * halves
        bounds = np.cumsum(list(config.blocks.values()))[:-1]
        self.into = dict(zip(config.blocks, np.split(into, bounds), strict=True))
        self.recurrent = np.ascontiguousarray(weights["lstm.weight_hh_l0"].T * halves)
        self.bias = (weights["lstm.bias_ih_l0"] + weights["lstm.bias_hh_l0"]) * halves
        self.weights = {
            name: np.ascontiguousarray(array.T if array.ndim == 2 else array) for name, array in weights.items()
        }
        classes = np.arange(config.num_pitches)
        self.interval_of = np.clip(classes[None, :] - classes[:, None], -REACH, REACH) + REACH  # [before, class]
        self.pitch_class = (classes + config.lowest) % 12

    def session(self, batch: int = 1) -> "Session":
        """Begin `batch` melodies side by side."""
        return Session(self, batch)


class Session:
    """Melodies in the making: `rests`, `durations`, `pitches` and `sing`, in this order for every note.

    Each returns log-probabilities, (B, classes). Every row goes its own way; rows that have ended may be fed anything.
    """

    def __init__(self, model: JointModel, batch: int) -> None:
        """Begin with nothing sung."""
        self.model = model
        config = model.config
        self.batch = batch
        self._hidden = np.zeros((batch, config.hidden), dtype=np.float32)
        self._cell = np.zeros((batch, config.hidden), dtype=np.float32)
        self._room = 64
        self.num_notes = 0
        # What copying needs of earlier notes; grown by doubling.
        self._keys = {name: np.zeros((batch, self._room, config.key), dtype=np.float32) for name in HEADS}
        self._tokens = {name: np.zeros((batch, self._room), dtype=np.int64) for name in (*HEADS, "line", "place")}
        self._matches = np.zeros((batch, 0), dtype=np.int64)
        self._scale = np.zeros((batch, 12), dtype=np.float32)
        self._units: dict[str, Floats] = {}
        self._queries: dict[str, Floats] = {}
        self._now: dict[str, Ints] = {}
        self._rest = self._duration = np.zeros(batch, dtype=np.int64)

    def rests(self, features: Floats, place: Floats, line: Ints) -> Floats:
        """Read the next note's `features` (B, F) and where the note before ended (B, NUM_PLACE); score its rest.

        `line` (B,) counts the lines of the words, for copying from the line before; 0 where there are none.
        """
        model = self.model
        into = model.into
        gates = self._hidden @ model.recurrent
        gates += features @ into["features"]
        gates += place @ into["place"]
        gates += model.bias
        if self.num_notes:
            last = self.num_notes - 1
            pitch = self._tokens["pitch"][:, last]
            gates += into["rest"][self._tokens["rest"][:, last]]
            gates += into["duration"][self._tokens["duration"][:, last]]
            gates += into["pitch"][pitch]
            if self.num_notes > 1:
                gates += into["interval"][self._tokens["interval"][:, last]]
            gates += self._relative_scale(pitch) @ into["scale"]
            gates += into["match"][self._matches.max(axis=1)]
        else:
            gates += into["start"][0]
        hidden = model.config.hidden
        np.tanh(gates, out=gates)
        candidate = gates[:, 2 * hidden : 3 * hidden].copy()
        gates += 1
        gates *= 0.5
        self._cell = gates[:, hidden : 2 * hidden] * self._cell + gates[:, :hidden] * candidate
        self._hidden = gates[:, 3 * hidden :] * np.tanh(self._cell)
        self._now["line"] = line
        self._units["rest"] = self._head("rest", [])
        scores = self._units["rest"] @ model.weights["rest_out.weight"] + model.weights["rest_out.bias"]
        return self._with_copies(scores, ("rest",))

    def durations(self, rest: Ints, place: Floats, bar_place: Ints) -> Floats:
        """Score the duration, given the rest class (B,), the onset's place (B, NUM_PLACE) and its tick in the bar."""
        self._rest = rest
        self._onset_place = place
        self._now["place"] = bar_place
        config, weights = self.model.config, self.model.weights
        self._units["duration"] = self._head("duration", [_eye(len(config.rests))[rest], place])
        scores = self._units["duration"] @ weights["duration_out.weight"] + weights["duration_out.bias"]
        return self._with_copies(scores, ("duration",))

    def pitches(self, duration: Ints, chord: Floats) -> Floats:
        """Score the pitch, given the duration class (B,) and the chord at the onset (B, NUM_CHORD)."""
        self._duration = duration
        config, weights = self.model.config, self.model.weights
        self._units["pitch"] = self._units["interval"] = self._head(
            "pitch",
            [_eye(len(config.rests))[self._rest], _eye(len(config.durations))[duration], self._onset_place, chord],
        )
        outputs = self._units["pitch"] @ weights["pitch_out.weight"] + weights["pitch_out.bias"]
        num = config.num_pitches
        scores = outputs[:, :num].copy()
        model = self.model
        degrees = outputs[:, num + NUM_INTERVALS : num + NUM_INTERVALS + 12]
        if self.num_notes:
            before = self._tokens["pitch"][:, self.num_notes - 1]
            rows = np.arange(self.batch)[:, None]
            scores += outputs[rows, num + model.interval_of[before]]
            scores += scale_scores(self._scale, degrees)[:, model.pitch_class]
        scores += chord_scores(chord, outputs[:, num + NUM_INTERVALS + 12 :])[:, model.pitch_class]
        return self._with_copies(scores, ("pitch", "interval"))

    def sing(self, pitch: Ints) -> None:
        """Take the note: the rest and duration given before, and this pitch class (B,)."""
        model = self.model
        if self.num_notes == self._room:
            self._room *= 2
            self._keys = {name: _doubled(array) for name, array in self._keys.items()}
            self._tokens = {name: _doubled(array) for name, array in self._tokens.items()}
        now = self.num_notes
        interval = np.full(self.batch, REACH)
        if now:
            before = self._tokens["pitch"][:, now - 1]
            interval = model.interval_of[before, pitch]
        values = {
            "rest": self._rest,
            "duration": self._duration,
            "pitch": pitch,
            "interval": interval,
            "line": self._now["line"],
            "place": self._now["place"],
        }
        for name, value in values.items():
            self._tokens[name][:, now] = value
        for name in HEADS:
            key = self._units[name] @ model.weights[f"copy.{name}.key.weight"]
            self._keys[name][:, now] = key + model.weights[f"copy.{name}.token.weight"][values[name]]
        numbers = token_numbers(self._tokens["interval"], self._tokens["duration"])
        self._matches = extend_matches(self._matches, numbers[:, :now], numbers[:, now])
        self._scale[np.arange(self.batch), model.pitch_class[pitch]] += 1
        self.num_notes += 1

    def take(self, rows: Ints) -> None:
        """Let row i go on as row `rows[i]` went so far: some melodies are multiplied, others given up."""
        self._hidden, self._cell = self._hidden[rows], self._cell[rows]
        self._scale, self._matches = self._scale[rows], self._matches[rows]
        self._keys = {name: array[rows] for name, array in self._keys.items()}
        self._tokens = {name: array[rows] for name, array in self._tokens.items()}
        self._units = {name: array[rows] for name, array in self._units.items()}
        self._now = {name: array[rows] for name, array in self._now.items()}

    def _relative_scale(self, pitch: Ints) -> Floats:
        """Share of each pitch class so far, counted from the last pitch, (B, 12)."""
        share = self._scale / np.float32(self.num_notes)
        index = (self.model.pitch_class[pitch][:, None] + np.arange(12)) % 12
        relative: Floats = np.take_along_axis(share, index, axis=1)
        return relative

    def _head(self, name: str, given: list[Floats]) -> Floats:
        weights = self.model.weights
        inputs = np.concatenate((self._hidden, *given), axis=1)
        units: Floats = np.maximum(inputs @ weights[f"{name}_in.weight"] + weights[f"{name}_in.bias"], 0)
        return units

    def _with_copies(self, scores: Floats, names: tuple[str, ...]) -> Floats:
        """Let earlier notes compete with the classes: log-probabilities (B, classes)."""
        top = scores.max(axis=1)
        copies = {name: self._copy_scores(name) for name in names} if self.num_notes else {}
        for found in copies.values():
            top = np.maximum(top, found.max(axis=1))
        mass = np.exp(scores - top[:, None])
        rows = np.arange(self.batch)[:, None]
        for name, found in copies.items():
            weight = np.exp(found - top[:, None])
            tokens = self._tokens[name][:, : self.num_notes]
            if name == "interval":
                weight[:, 0] = 0  # nothing led to the first note
                target = self._tokens["pitch"][:, self.num_notes - 1][:, None] + tokens - REACH
                weight = np.where((target >= 0) & (target < mass.shape[1]), weight, 0)
                tokens = np.clip(target, 0, mass.shape[1] - 1)
            index = (rows * mass.shape[1] + tokens).ravel()
            mass += np.bincount(index, weights=weight.ravel(), minlength=mass.size).reshape(mass.shape)
        mass = np.maximum(mass, 1e-30)
        scored: Floats = np.log(mass / mass.sum(axis=1, keepdims=True))
        return scored

    def _copy_scores(self, name: str) -> Floats:
        """How much each earlier note offers itself for copying, (B, T)."""
        weights, now = self.model.weights, self.num_notes
        query = self._units[name] @ weights[f"copy.{name}.query.weight"] + weights[f"copy.{name}.query.bias"]
        keys = self._keys[name][:, :now]
        size = self.model.config.key
        scores: Floats = np.matmul(keys, query[:, :size, None])[:, :, 0] / np.float32(np.sqrt(size))
        age = np.minimum(np.arange(now, 0, -1), NUM_AGES) - 1
        scores += weights[f"copy.{name}.age"][age]
        lines = np.minimum(np.abs(self._now["line"][:, None] - self._tokens["line"][:, :now]), NUM_LINES - 1)
        scores += weights[f"copy.{name}.line"][lines]
        scores += weights[f"copy.{name}.match"][self._matches[:, :now]] * np.exp(query[:, size:])
        if name != "rest":
            same = (self._now["place"][:, None] == self._tokens["place"][:, :now]).astype(np.int64)
            scores += weights[f"copy.{name}.place"][same]
        return scores


def scale_scores(counts: Floats, degrees: Floats) -> Floats:
    """Score pitch classes by the scale so far: the sum over k of degrees[k] x share of the class k semitones above.

    `counts` (B, 12) of pitch classes sung, `degrees` (B, 12); returns (B, 12). Transposing one transposes the other.
    """
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    circle = (np.arange(12)[:, None] + np.arange(12)[None, :]) % 12  # [class, k]
    scores: Floats = np.einsum("bck,bk->bc", share[:, circle], degrees)
    return scores


def chord_scores(chord: Floats, experts: Floats) -> Floats:
    """Score pitch classes by their distance above the chord's root, (B, 12); 0 where no chord sounds."""
    circle = (np.arange(12)[:, None] - np.arange(12)[None, :]) % 12  # [class, root]
    scores: Floats = np.einsum("br,bcr->bc", chord[:, :12], experts[:, circle])
    return scores


def load_joint_model(folder: Path = _SHIPPED) -> JointModel:
    """Load a model folder; its SHA256SUMS, which the shipped one must have, is checked first.

    Raises ModelError where a file is missing, no model, of another version, or differs from its SHA-256.
    """
    path = folder / "model.safetensors"
    content = read_model_file(path, ours=folder == _SHIPPED)
    config = JointConfig.load(folder / "config.json")
    try:
        weights = load(content)
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as weights: {error}") from error
    return JointModel(config, {name: array.astype(np.float32) for name, array in weights.items()})


@cache
def shipped_joint_model() -> JointModel:
    """Return the joint model that comes with songwright, loaded once."""
    return load_joint_model()


assert sum(BLOCKS.values()) == NUM_FEATURES
