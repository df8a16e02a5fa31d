"""Training of the conditional LSTM (needs the extra `train`): the same network as `melody.lstm`, in torch."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from align.corpus import CorpusSong
from lyrics.model_files import write_model_files
from melody.features import (
    LOWEST,
    LYRIC_COLUMNS,
    NUM_CLASSES,
    NUM_INTERVALS,
    NUM_STATIC,
    STATIC,
    Copies,
    Frame,
    anchor_pitch,
    copy_sources,
    corpus_frame,
    sequence_table,
    static_features,
)
from melody.lstm import (
    NUM_INPUTS,
    NUM_OUTPUTS,
    NUM_SOURCES,
    START,
    ModelConfig,
    copied_classes,
    dynamic_inputs,
    interval_columns,
    previous_copies,
)
from melody.theory import ChordSpan, Key

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How the shipped model is trained."""

    hidden: int = 128
    epochs: int = 25
    batch_songs: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 0.3
    dropout: float = 0.6  # of the LSTM's output: 60 thousand notes are few
    input_dropout: float = 0.15
    lyric_dropout: float = 0.1  # songs that are read without lyric features, so that the model works without them too
    max_seconds: float = 1200.0
    seed: int = 0
    blank: tuple[str, ...] = ()  # names of STATIC feature blocks left out, for ablations


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A song ready for the network. Arrays have N rows."""

    song_id: str
    group: str
    inputs: NDArray[np.float16]  # (N, NUM_INPUTS)
    classes: NDArray[np.int64]  # (N,)
    gathers: NDArray[np.int64]  # (N, C): chord expert's column of each class
    copied: NDArray[np.int64]  # (N, K)
    moved: NDArray[np.int64]  # (N, K): class that continues each source's motion along the scale


def example(song: CorpusSong, key: Key, chords: Sequence[ChordSpan], refrain: frozenset[int] | None = None) -> Example:
    """Encode a song of the corpus."""
    frame = corpus_frame(song, key, chords, refrain)
    pitches = np.array([note.pitch for note in song.notes])
    anchor = anchor_pitch(float(np.median(pitches)), key.tonic)
    classes = np.clip(pitches - anchor - LOWEST, 0, NUM_CLASSES - 1)
    return encode(frame, copy_sources(frame), classes, song.song_id, song.group)


def encode(frame: Frame, copies: Copies, classes: NDArray[np.int64], song_id: str = "", group: str = "0") -> Example:
    """Lay out a frame and its classes for the network."""
    copied = copied_classes(copies, classes)
    previous = previous_copies(frame, copied)
    before = np.append(START, classes[:-1])
    moved = np.full_like(copied, START)
    known = (copied < START) & (previous < START) & (before < START)[:, None]
    rows = np.nonzero(known)
    moved[rows] = sequence_table(frame.minor)[before[rows[0]], previous[rows], copied[rows]]
    roots = np.where(frame.chord_root == 12, 0, frame.chord_root)
    chord = (np.arange(NUM_CLASSES)[None, :] + LOWEST - roots[:, None]) % 12
    inputs = np.concatenate((static_features(frame, copies), dynamic_inputs(frame, copies, classes)), axis=1)
    return Example(song_id, group, inputs.astype(np.float16), classes, chord, copied, moved)


def without_chords(item: Example) -> Example:
    """Take the chord from an example's chord expert, for the ablation without chords."""
    return replace(item, gathers=np.broadcast_to((np.arange(NUM_CLASSES) + LOWEST) % 12, item.gathers.shape))


class PitchNetwork(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """The network of `melody.lstm` over whole songs: inputs (B, T, NUM_INPUTS) to scores (B, T, C)."""

    def __init__(self, hidden: int, dropout: float = 0.0, input_dropout: float = 0.0) -> None:
        """Weights as torch initialises them; call torch.manual_seed before."""
        super().__init__()
        self.lstm = nn.LSTM(NUM_INPUTS, hidden, batch_first=True)
        self.experts = nn.Linear(hidden, NUM_OUTPUTS)
        self.skip = nn.Linear(NUM_STATIC, NUM_OUTPUTS, bias=False)
        nn.init.zeros_(self.skip.weight)
        self.dropout = nn.Dropout(dropout)
        self.input_dropout = nn.Dropout(input_dropout)
        columns = torch.from_numpy(interval_columns())
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, batch: "Batch") -> Tensor:
        """Score every class at every note."""
        inputs = self.input_dropout(batch.inputs)
        hidden, _ = self.lstm(inputs)
        outputs = self.experts(self.dropout(hidden)) + self.skip(inputs[..., :NUM_STATIC])
        num = NUM_CLASSES + NUM_INTERVALS
        scores = outputs[..., :NUM_CLASSES] + outputs.gather(2, num + batch.chord)
        intervals = outputs.gather(2, NUM_CLASSES + self.columns[batch.before])
        scores = scores + intervals * (batch.before < START).unsqueeze(2)
        # One spare class takes the copies that do not exist.
        spare = scores.new_zeros((*scores.shape[:2], 1))
        scores = torch.cat((scores, spare), dim=2)
        scores = scores.scatter_add(2, batch.copied, outputs[..., num + 12 : num + 12 + NUM_SOURCES])
        scores = scores.scatter_add(2, batch.moved, outputs[..., num + 12 + NUM_SOURCES :])
        return scores[..., :NUM_CLASSES]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Songs padded to the longest; `weight` is 0 on padding."""

    inputs: Tensor  # (B, T, NUM_INPUTS)
    classes: Tensor  # (B, T)
    before: Tensor  # (B, T)
    chord: Tensor  # (B, T, C)
    copied: Tensor  # (B, T, K)
    moved: Tensor  # (B, T, K)
    weight: Tensor  # (B, T)


def make_batch(examples: Sequence[Example], blank: NDArray[np.int64] | None = None, lyricless: float = 0.0) -> Batch:
    """Pad examples to one length.

    The columns `blank` are set to zero, in a share `lyricless` of the songs (drawn by torch) the lyric features too.
    """
    length = max(len(item.classes) for item in examples)

    def pad(arrays: Sequence[NDArray[np.int64]], fill: int) -> Tensor:
        out = np.full((len(arrays), length, *arrays[0].shape[1:]), fill)
        for row, array in zip(out, arrays, strict=True):
            row[: len(array)] = array
        return torch.from_numpy(out)

    inputs = np.zeros((len(examples), length, NUM_INPUTS), dtype=np.float32)
    weight = np.zeros((len(examples), length), dtype=np.float32)
    for row, item in enumerate(examples):
        inputs[row, : len(item.classes)] = item.inputs
        weight[row, : len(item.classes)] = 1
    if lyricless:
        without = np.flatnonzero((torch.rand(len(examples)) < lyricless).numpy())
        inputs[np.ix_(without, np.arange(length), blank_columns(LYRIC_COLUMNS))] = 0
    if blank is not None:
        inputs[:, :, blank] = 0
    return Batch(
        torch.from_numpy(inputs),
        pad([item.classes for item in examples], 0),
        pad([np.append(START, item.classes[:-1]) for item in examples], START),
        pad([item.gathers for item in examples], 0),
        pad([item.copied for item in examples], START),
        pad([item.moved for item in examples], START),
        torch.from_numpy(weight),
    )


def blank_columns(names: Sequence[str]) -> NDArray[np.int64]:
    """Positions of static feature blocks among the inputs."""
    ends = dict(zip(STATIC, np.cumsum(list(STATIC.values())).tolist(), strict=True))
    return np.array([column for name in names for column in range(ends[name] - STATIC[name], ends[name])], dtype=int)


def mean_loss(network: PitchNetwork, batch: Batch) -> Tensor:
    """Mean negative log-likelihood of the sung classes, in nats per note."""
    losses = nn.functional.cross_entropy(network(batch).flatten(0, 1), batch.classes.flatten(), reduction="none")
    return (losses * batch.weight.flatten()).sum() / batch.weight.sum()


@torch.no_grad()  # type: ignore[untyped-decorator]
def evaluate(network: PitchNetwork, examples: Sequence[Example], blank: Sequence[str] = ()) -> float:
    """Nats per note over all notes of the examples."""
    network.eval()
    total = notes = 0.0
    columns = blank_columns(blank)
    for start in range(0, len(examples), 32):
        batch = make_batch(examples[start : start + 32], blank=columns)
        total += float(mean_loss(network, batch)) * float(batch.weight.sum())
        notes += float(batch.weight.sum())
    return total / notes


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The best network of a training run and its record."""

    network: PitchNetwork
    validation: float  # nats per note
    history: tuple[tuple[float, float], ...]  # training and validation nats per note by epoch


def train(training: Sequence[Example], validation: Sequence[Example], config: TrainConfig) -> Trained:
    """Train on one song of every group per epoch, so that groups weigh alike; keep the epoch that validates best.

    Stops after `config.max_seconds` at the end of an epoch. Same examples and config give the same weights on one
    machine as long as time does not cut it short.
    """
    torch.manual_seed(config.seed)
    generator = np.random.Generator(np.random.PCG64(config.seed))
    groups: dict[str, dict[str, list[Example]]] = {}
    for item in training:
        groups.setdefault(item.group, {}).setdefault(item.song_id, []).append(item)
    songs_of_groups = [[list(verses) for verses in songs.values()] for songs in groups.values()]
    network = PitchNetwork(config.hidden, config.dropout, config.input_dropout)
    optimizer = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    batches_per_epoch = -(-len(groups) // config.batch_songs)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.epochs * batches_per_epoch + 1, pct_start=0.15
    )
    blank = blank_columns(config.blank)
    best, best_weights = float("inf"), network.state_dict()
    history = []
    began = time.monotonic()
    for epoch in range(config.epochs):
        network.train()
        epoch_loss = 0.0
        batches = _epoch_batches(songs_of_groups, config.batch_songs, generator)
        for batch_examples in batches:
            batch = make_batch(batch_examples, blank=blank, lyricless=config.lyric_dropout)
            loss = mean_loss(network, batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            epoch_loss += float(loss.detach()) / len(batches)
        score = evaluate(network, validation, config.blank)
        history.append((epoch_loss, score))
        logger.info("epoch %d: training %.4f, validation %.4f nats per note", epoch + 1, epoch_loss, score)
        if score < best:
            best = score
            best_weights = {name: value.clone() for name, value in network.state_dict().items()}
        if time.monotonic() - began > config.max_seconds:
            break
    network.load_state_dict(best_weights)
    network.eval()
    return Trained(network, best, tuple(history))


def _epoch_batches(
    groups: Sequence[Sequence[Sequence[Example]]], size: int, generator: np.random.Generator
) -> list[list[Example]]:
    """One verse of one song of every group, in batches of songs of like length (little padding), in random order."""
    drawn = []
    for index in generator.permutation(len(groups)).tolist():
        songs = groups[index]
        verses = songs[int(generator.integers(len(songs)))]
        drawn.append(verses[int(generator.integers(len(verses)))])
    pool = 8 * size
    batches: list[list[Example]] = []
    for start in range(0, len(drawn), pool):
        alike = sorted(drawn[start : start + pool], key=lambda item: len(item.classes))
        batches.extend(alike[i : i + size] for i in range(0, len(alike), size))
    return [batches[i] for i in generator.permutation(len(batches)).tolist()]


def export(network: PitchNetwork, folder: Path) -> None:
    """Write model.safetensors and config.json."""
    content = save({name: value.contiguous() for name, value in network.state_dict().items()})
    write_model_files(folder, {"model.safetensors": content})
    ModelConfig(hidden=network.lstm.hidden_size).save(folder / "config.json")


def baselines(training: Sequence[Example], validation: Sequence[Example]) -> dict[str, float]:
    """Nats per note of counting models of the class alone, and of the class given the class before (add-0.1)."""
    weight: dict[str, int] = {}
    for item in training:
        weight[item.group] = weight.get(item.group, 0) + 1
    counts = np.full((NUM_CLASSES + 1, NUM_CLASSES), 0.0)
    for item in training:
        np.add.at(counts, (np.append(START, item.classes[:-1]), item.classes), 1 / weight[item.group])
    bigram = counts + 0.1
    bigram /= bigram.sum(axis=1, keepdims=True)
    unigram = counts.sum(axis=0) + 0.1
    unigram /= unigram.sum()
    notes = sum(len(item.classes) for item in validation)
    return {
        "unigram": -sum(float(np.log(unigram[item.classes]).sum()) for item in validation) / notes,
        "bigram": -sum(
            float(np.log(bigram[np.append(START, item.classes[:-1]), item.classes]).sum()) for item in validation
        )
        / notes,
    }
