"""The joint network in torch (needs the extra `train`): the same numbers as `melody.joint`, for whole songs at once."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from melody.joint import HEADS, NUM_AGES, NUM_INTERVALS, NUM_LINES, REACH, JointConfig, JointModel
from melody.joint_data import JointBatch


@dataclass(frozen=True, slots=True, eq=False)
class Tensors:
    """A `JointBatch` in torch."""

    features: Tensor
    ends: Tensor
    onsets: Tensor
    chords: Tensor
    rest: Tensor
    duration: Tensor
    pitch: Tensor
    interval: Tensor
    line: Tensor
    place: Tensor
    matches: Tensor
    longest: Tensor
    scale: Tensor
    weight: Tensor

    @classmethod
    def of(cls, batch: JointBatch, device: torch.device | str = "cpu") -> "Tensors":
        """Move a batch to a device."""
        return cls(*(torch.from_numpy(getattr(batch, item.name)).to(device) for item in fields(batch)))


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """What was sung, as one-hot rows through which gradients may flow. (B, T, classes)."""

    rest: Tensor
    duration: Tensor
    pitch: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Log-probabilities of every class at every note, (B, T, classes)."""

    rest: Tensor
    duration: Tensor
    pitch: Tensor


class CopyHead(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Scores of earlier notes for copying one attribute, (B, T, T)."""

    def __init__(self, config: JointConfig, num_tokens: int) -> None:
        """Begin with copying less likely than any class, more so from notes that follow no match."""
        super().__init__()
        self.size = config.key
        self.query = nn.Linear(config.head, config.key + 1)
        self.key = nn.Linear(config.head, config.key, bias=False)
        self.token = nn.Linear(num_tokens, config.key, bias=False)
        self.age = nn.Parameter(torch.full((NUM_AGES,), -2.0))
        self.line = nn.Parameter(torch.zeros(NUM_LINES))
        self.match = nn.Parameter(torch.linspace(0, 2, 9))
        self.place = nn.Parameter(torch.zeros(2))

    def forward(self, units: Tensor, tokens: Tensor, batch: Tensors, by_place: bool) -> Tensor:
        """`units` (B, T, U) of the head, `tokens` (B, T, classes) one-hot."""
        query = self.query(units)
        keys = self.key(units) + self.token(tokens)
        scores = query[..., : self.size] @ keys.transpose(1, 2) / self.size**0.5
        length = units.shape[1]
        steps = torch.arange(length, device=units.device)
        ages = (steps[:, None] - steps[None, :]).clamp(1, NUM_AGES) - 1
        scores = scores + self.age[ages]
        scores = scores + self.line[(batch.line[:, :, None] - batch.line[:, None, :]).abs().clamp(max=NUM_LINES - 1)]
        scores = scores + self.match[batch.matches] * query[..., self.size :].exp()
        if by_place:
            scores = scores + self.place[(batch.place[:, :, None] == batch.place[:, None, :]).long()]
        return scores.masked_fill(steps[:, None] <= steps[None, :], -1e9)


class JointNetwork(nn.Module):  # type: ignore[misc]
    """Log-probabilities of rests, durations and pitches, every note given all notes before it."""

    def __init__(self, config: JointConfig, dropout: float = 0.0, input_dropout: float = 0.0) -> None:
        """Weights as torch initialises them; call torch.manual_seed before."""
        super().__init__()
        self.config = config
        rests, durations, pitches = len(config.rests), len(config.durations), config.num_pitches
        self.lstm = nn.LSTM(sum(config.blocks.values()), config.hidden, batch_first=True)
        shapes = config.shapes
        for name in ("rest", "duration", "pitch"):
            self.add_module(f"{name}_in", nn.Linear(*reversed(shapes[f"{name}_in.weight"])))
            self.add_module(f"{name}_out", nn.Linear(*reversed(shapes[f"{name}_out.weight"])))
        tokens = {"rest": rests, "duration": durations, "pitch": pitches, "interval": NUM_INTERVALS}
        self.copy = nn.ModuleDict({name: CopyHead(config, tokens[name]) for name in HEADS})
        self.dropout = nn.Dropout(dropout)
        self.input_dropout = nn.Dropout(input_dropout)
        classes = torch.arange(pitches)
        interval_of = (classes[None, :] - classes[:, None]).clamp(-REACH, REACH) + REACH
        circle = torch.arange(12)
        self.register_buffer("interval_of", interval_of, persistent=False)
        self.register_buffer("pitch_class", (classes + config.lowest) % 12, persistent=False)
        self.register_buffer("above", (circle[:, None] + circle[None, :]) % 12, persistent=False)
        self.register_buffer("below", (circle[:, None] - circle[None, :]) % 12, persistent=False)

    def forbid_copying(self) -> None:
        """Take from all heads the way to copy earlier notes, for comparison; the weights keep their shapes."""
        for head in self.copy.values():
            nn.init.constant_(head.age, -80.0)
            nn.init.zeros_(head.match)
            for parameter in head.parameters():
                parameter.requires_grad_(False)
            head.query.weight.data.zero_()
            head.query.bias.data.zero_()

    def choices(self, batch: Tensors) -> Choices:
        """Return what a batch sang, one-hot."""
        config = self.config
        return Choices(
            nn.functional.one_hot(batch.rest, len(config.rests)).float(),
            nn.functional.one_hot(batch.duration, len(config.durations)).float(),
            nn.functional.one_hot(batch.pitch, config.num_pitches).float(),
        )

    def forward(self, batch: Tensors, sung: Choices | None = None) -> Scores:
        """Score every note; `sung` replaces the batch's own one-hot notes by ones that carry gradients."""
        config = self.config
        sung = sung or self.choices(batch)
        intervals = nn.functional.one_hot(batch.interval, NUM_INTERVALS).float()
        intervals[:, 0] = 0
        share = batch.scale / batch.scale.sum(dim=2, keepdim=True).clamp(min=1)
        last_class = self.pitch_class[batch.pitch.roll(1, dims=1)]
        relative = share.gather(2, self.above[last_class])
        longest = nn.functional.one_hot(batch.longest, config.blocks["match"]).float()
        before = torch.cat((sung.rest, sung.duration, sung.pitch, intervals), dim=2)
        before = nn.functional.pad(before, (0, 0, 1, 0))[:, :-1]
        inner = torch.cat((before, relative, longest), dim=2)
        start = torch.zeros_like(inner[..., :1])
        start[:, 0] = 1
        inner[:, 0] = 0
        inputs = torch.cat((self.input_dropout(batch.features), batch.ends, self.input_dropout(inner), start), dim=2)
        hidden = self.dropout(self.lstm(inputs)[0])
        rest_units = self.rest_in(hidden).relu()
        duration_units = self.duration_in(torch.cat((hidden, sung.rest, batch.onsets), dim=2)).relu()
        pitch_units = self.pitch_in(
            torch.cat((hidden, sung.rest, sung.duration, batch.onsets, batch.chords), dim=2)
        ).relu()
        rests = self._with_copies(self.rest_out(rest_units), {"rest": rest_units}, sung, batch)
        durations = self._with_copies(self.duration_out(duration_units), {"duration": duration_units}, sung, batch)
        outputs = self.pitch_out(pitch_units)
        num = config.num_pitches
        previous = batch.pitch.roll(1, dims=1)
        by_interval = outputs[..., num : num + NUM_INTERVALS].gather(2, self.interval_of[previous])
        degrees, tones = outputs[..., num + NUM_INTERVALS :].split(12, dim=2)
        by_scale = torch.einsum("btck,btk->btc", share[..., self.above], degrees)[..., self.pitch_class]
        after_first = torch.ones_like(by_interval[..., :1])
        after_first[:, 0] = 0
        by_chord = torch.einsum("btr,btcr->btc", batch.chords[..., :12], tones[..., self.below])[..., self.pitch_class]
        scores = outputs[..., :num] + (by_interval + by_scale) * after_first + by_chord
        pitches = self._with_copies(scores, {"pitch": pitch_units, "interval": pitch_units}, sung, batch)
        return Scores(rests, durations, pitches)

    def _with_copies(self, scores: Tensor, units: dict[str, Tensor], sung: Choices, batch: Tensors) -> Tensor:
        """Let earlier notes compete with the classes."""
        found = {}
        tokens = {"rest": sung.rest, "duration": sung.duration, "pitch": sung.pitch}
        for name, unit in units.items():
            if name == "interval":
                token = nn.functional.one_hot(batch.interval, NUM_INTERVALS).float()
            else:
                token = tokens[name]
            found[name] = (self.copy[name](unit, token, batch, name != "rest"), token)
        top = scores.amax(dim=2)
        for copies, _ in found.values():
            top = torch.maximum(top, copies.amax(dim=2))
        top = top.detach()[..., None]
        mass = (scores - top).exp()
        for name, (copies, token) in found.items():
            weight = (copies - top).exp()
            if name == "interval":
                token = token.clone()
                token[:, 0] = 0  # nothing led to the first note
                moved = weight @ token  # (B, T, intervals)
                mass = mass + moved.gather(2, self.interval_of[batch.pitch.roll(1, dims=1)]) * self._reachable(batch)
            else:
                mass = mass + weight @ token
        mass = mass.clamp(min=1e-30)
        return (mass / mass.sum(dim=2, keepdim=True)).log()

    def _reachable(self, batch: Tensors) -> Tensor:
        """Return 1 for the classes at most REACH from the note before, else 0; (B, T, classes)."""
        classes = torch.arange(self.config.num_pitches, device=batch.pitch.device)
        distance = (classes - batch.pitch.roll(1, dims=1)[..., None]).abs()
        return (distance <= REACH).float()

    def export(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights under the names of `JointConfig.shapes`."""
        return {name: value.detach().cpu().contiguous().numpy() for name, value in self.state_dict().items()}

    def model(self) -> JointModel:
        """Return the numpy model of these weights (a copy)."""
        return JointModel(self.config, {name: value.copy() for name, value in self.export().items()})


@dataclass(frozen=True, slots=True, eq=False)
class Nats:
    """Negative log-likelihoods of the sung notes, (B, T)."""

    rest: Tensor
    duration: Tensor
    pitch: Tensor

    @property
    def total(self) -> Tensor:
        """Return the sum over attributes."""
        return self.rest + self.duration + self.pitch


def nats(scores: Scores, batch: Tensors) -> Nats:
    """Return what each note of a batch costs."""
    return Nats(
        -scores.rest.gather(2, batch.rest[..., None])[..., 0],
        -scores.duration.gather(2, batch.duration[..., None])[..., 0],
        -scores.pitch.gather(2, batch.pitch[..., None])[..., 0],
    )
