"""Training of the joint network by likelihood (needs the extra `train`); the adversarial stage is in melody/gan.py."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import save
from torch import Tensor, nn

from melody import checkpoint
from melody.joint import JointConfig
from melody.joint_data import (
    LINES,
    OPEN,
    DataError,
    JointExample,
    Veil,
    encode_lines,
    find_table,
    make_batch,
    read_lines,
    read_open,
    veiled,
    window,
)
from melody.joint_features import CONDITIONS
from melody.joint_network import JointNetwork, Tensors, nats

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GanConfig:
    """The adversarial stage, see melody/gan.py."""

    rounds: int = 40  # metrics are taken, and a checkpoint is written, after each
    steps: int = 20  # of the generator, in a round
    batch: int = 64
    window: int = 32  # notes that the discriminator sees at a time
    channels: int = 64
    generator_rate: float = 3e-5  # at 1e-4 the statistics swing from round to round
    discriminator_rate: float = 2e-3  # spectral normalisation bears it
    discriminator_steps: int = 2  # for each step of the generator
    warm_up: int = 40  # steps of the discriminator before the generator's first: an untrained judge teaches nothing
    temperature: float = 1.0  # of Gumbel-softmax
    likelihood: float = 0.5  # weight of the likelihood that is kept beside the adversarial loss; 0: a plain GAN
    patience: int = 12  # rounds without a better validation score, after which training stops
    samples: int = 512  # melodies that are sung for the validation score
    pretrained: bool = True  # False: from random weights, for comparison


@dataclass(frozen=True, slots=True)
class TrainJointConfig:
    """Everything that decides a run but its data; saved as run.json beside the weights."""

    vocabulary: str = "open"  # "open": keys and bars are known; "lines": the 20-note lines of the literature
    hidden: int = 192
    head: int = 96
    key: int = 32
    epochs: int = 40
    batch: int = 16  # songs
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    dropout: float = 0.4
    input_dropout: float = 0.1
    longest: int = 160  # notes of a song that are read at a time
    lyricless: float = 0.15  # share of songs that hide their words; so for the others
    lineless: float = 0.15
    chordless: float = 0.4
    styleless: float = 0.1
    endless: float = 0.5
    without: tuple[str, ...] = ("meaning",)  # conditions left out altogether, see CONDITIONS, "harmony" and "copying"
    max_songs: int = 0  # 0: all
    seed: int = 0
    gan: GanConfig = field(default_factory=GanConfig)

    def __post_init__(self) -> None:
        """Raise ValueError where a value makes no sense; JSON lists and objects become tuples and configs."""
        if isinstance(self.gan, Mapping):
            object.__setattr__(self, "gan", GanConfig(**self.gan))
        object.__setattr__(self, "without", tuple(self.without))
        known = {*CONDITIONS, "harmony", "copying"}
        if not set(self.without) <= known:
            raise ValueError(f"without must be some of {', '.join(sorted(known))}, got {', '.join(self.without)}")
        if self.vocabulary not in ("open", "lines"):
            raise ValueError(f'vocabulary must be "open" or "lines", got {self.vocabulary!r}')
        for name in ("hidden", "head", "key", "epochs", "batch", "longest"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(f"{name} must be a whole number from 1, got {getattr(self, name)!r}")

    @property
    def model(self) -> JointConfig:
        """Return the shape of the network."""
        base = OPEN if self.vocabulary == "open" else LINES
        return replace(base, hidden=self.hidden, head=self.head, key=self.key)

    def veil(self, generator: np.random.Generator | None = None) -> Veil:
        """Return what is hidden from the network: always, and by chance if a generator is given."""
        blocks = tuple(block for name in self.without for block in CONDITIONS.get(name, ()))
        veil = Veil(chords="harmony" in self.without, blocks=blocks)
        if generator is None:
            return veil
        words, lines, chords, style, end = generator.random(5)
        return replace(
            veil,
            words=bool(words < self.lyricless),
            lines=bool(lines < self.lineless),
            chords=veil.chords or bool(chords < self.chordless),
            style=bool(style < self.styleless),
            end=self.vocabulary == "lines" or bool(end < self.endless),
        )


# What `songwright train melody --config` knows by name.
CONFIGS: Mapping[str, TrainJointConfig] = {
    "full": TrainJointConfig(),
    "lines": TrainJointConfig(
        vocabulary="lines",
        hidden=160,
        epochs=12,
        batch=64,
        dropout=0.3,
        weight_decay=0.05,
        longest=20,
        lyricless=0,
        lineless=0,
        chordless=0,
        styleless=0,
        endless=1,
        gan=GanConfig(window=20, rounds=10, steps=8, batch=32, patience=8),
    ),
    "tiny": TrainJointConfig(
        hidden=32,
        head=24,
        key=8,
        epochs=4,
        max_songs=160,
        longest=64,
        dropout=0.1,
        gan=GanConfig(rounds=2, steps=2, warm_up=10, batch=16, channels=16, window=24, samples=32),
    ),
}


def parse_config(text: str, base: TrainJointConfig | None = None) -> TrainJointConfig:
    """Read a config from JSON, which names only what differs from `base`; ValueError for what it does not know."""
    base = base or CONFIGS["full"]
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("a config is a JSON object")
    unknown = sorted(set(values) - {item.name for item in fields(TrainJointConfig)})
    if unknown:
        raise ValueError(f"unknown in a config: {', '.join(unknown)}")
    if isinstance(values.get("gan"), dict):
        unknown = sorted(set(values["gan"]) - {item.name for item in fields(GanConfig)})
        if unknown:
            raise ValueError(f"unknown in the config of the GAN: {', '.join(unknown)}")
        values["gan"] = replace(base.gan, **values["gan"])
    return replace(base, **values)


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What is learned from, and what chooses the epoch."""

    training: Sequence[JointExample]
    validation: Sequence[JointExample]

    @property
    def fingerprint(self) -> str:
        """Return a short hash of all notes, so that a run is never continued on other data."""
        digest = hashlib.sha256()
        for part in (self.training, self.validation):
            for item in part:
                digest.update(item.song_id.encode())
                digest.update(np.concatenate((item.rest, item.duration, item.pitch)).tobytes())
        return digest.hexdigest()[:16]


def read_data(path: Path, config: TrainJointConfig) -> Data:
    """Read the table that a config's vocabulary wants, from a file or a folder; DataError where that fails."""
    table = find_table(path, config.vocabulary)
    meaning = "meaning" not in config.without
    if config.vocabulary == "open":
        return Data(*read_open(table, config.model, meaning=meaning, max_songs=config.max_songs))
    parts = [read_lines(table, split) for split in ("train", "valid")]
    if not all(parts):
        raise DataError(f'{table} has no rows with paper_split "train" or none with "valid"')
    training, validation = (encode_lines(part[: config.max_songs or None], meaning=meaning) for part in parts)
    return Data(training, validation)


def batches_of(
    examples: Sequence[JointExample], config: TrainJointConfig, generator: np.random.Generator
) -> list[list[JointExample]]:
    """One verse of one song of every group, veiled by chance, in batches of like length, in random order."""
    groups: dict[str, dict[str, list[JointExample]]] = {}
    if config.vocabulary == "lines":
        drawn = [examples[index] for index in generator.permutation(len(examples)).tolist()]
    else:
        for item in examples:
            groups.setdefault(item.group, {}).setdefault(item.song_id, []).append(item)
        songs = [[list(verses) for verses in members.values()] for members in groups.values()]
        drawn = []
        for index in generator.permutation(len(songs)).tolist():
            verses = songs[index][int(generator.integers(len(songs[index])))]
            drawn.append(verses[int(generator.integers(len(verses)))])
    cut = []
    for item in drawn:
        start = int(generator.integers(max(1, len(item) - config.longest + 1)))
        cut.append(veiled(window(item, start, start + config.longest), config.veil(generator)))
    pool = 8 * config.batch
    batches: list[list[JointExample]] = []
    for begin in range(0, len(cut), pool):
        alike = sorted(cut[begin : begin + pool], key=len)
        batches.extend(alike[i : i + config.batch] for i in range(0, len(alike), config.batch))
    return [batches[i] for i in generator.permutation(len(batches)).tolist()]


def share_of(batch: Sequence[JointExample], accelerator: Accelerator) -> list[JointExample]:
    """Return the part of a batch that this process works on: never nothing."""
    mine = list(batch[accelerator.process_index :: accelerator.num_processes])
    return mine or [window(batch[0], 0, 1)]


@torch.no_grad()  # type: ignore[untyped-decorator]
def evaluate(
    network: JointNetwork, examples: Sequence[JointExample], config: TrainJointConfig, device: Any = "cpu"
) -> dict[str, float]:
    """Nats per note of rests, durations, pitches and all three, over the notes of whole songs."""
    network.eval()
    sums = np.zeros(3)
    notes = 0.0
    whole = [veiled(item, config.veil()) for item in sorted(examples, key=len)]
    for start in range(0, len(whole), 32):
        batch = Tensors.of(make_batch(whole[start : start + 32], config.model), device)
        costs = nats(network(batch), batch)
        sums += [float((cost * batch.weight).sum()) for cost in (costs.rest, costs.duration, costs.pitch)]
        notes += float(batch.weight.sum())
    rest, duration, pitch = (sums / notes).tolist()
    return {"rest": rest, "duration": duration, "pitch": pitch, "total": rest + duration + pitch}


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The best network of a run and its record."""

    network: JointNetwork
    history: tuple[dict[str, float], ...]


def make_network(config: TrainJointConfig) -> JointNetwork:
    """Return a network with the random weights of a config's seed."""
    torch.manual_seed(config.seed)
    network = JointNetwork(config.model, config.dropout, config.input_dropout)
    if "copying" in config.without:
        network.forbid_copying()
    return network


def train_lstm(
    data: Data,
    config: TrainJointConfig,
    folder: Path,
    *,
    cpu: bool = False,
    progress: Callable[[str, float], None] = lambda text, share: None,
    stop_after: int | None = None,
) -> Trained:
    """Train by likelihood into a folder, going on from its last checkpoint; keep the epoch that validates best.

    Files: run.json, config.json and model.safetensors (the best so far), lstm.csv and lstm.png, and the checkpoint
    state.safetensors. Raises ModelError if the folder holds a run of another config or other data. Same data and
    config give the same weights on one machine, however often the run was interrupted. `stop_after` ends the call
    after so many epochs, as a kill would.
    """
    accelerator = Accelerator(cpu=cpu)
    network = make_network(config)
    optimizer = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    if accelerator.is_main_process:
        begin_run(folder, config)
    accelerator.wait_for_everyone()
    facts = open_run(folder, "lstm", config, data, {"network": network}, {"optimizer": optimizer})
    history: list[dict[str, float]] = facts["history"]
    best: float = facts["best"]
    network.to(accelerator.device)
    began = time.monotonic()
    for epoch in range(len(history), config.epochs):
        generator = np.random.default_rng((config.seed, epoch))
        torch.manual_seed(config.seed * 100_003 + epoch + accelerator.process_index)
        network.train()
        batches = batches_of(data.training, config, generator)
        loss_sum = notes_sum = 0.0
        for number, examples in enumerate(batches):
            rate = learning_rate((epoch + number / len(batches)) / config.epochs, config.learning_rate)
            for group in optimizer.param_groups:
                group["lr"] = rate
            notes = sum(map(len, examples))
            batch = Tensors.of(make_batch(share_of(examples, accelerator), config.model), accelerator.device)
            loss = (nats(network(batch), batch).total * batch.weight).sum() * (accelerator.num_processes / notes)
            descend(loss, network, optimizer, accelerator)
            loss_sum += float(loss.detach()) * notes / accelerator.num_processes
            notes_sum += notes
            share = (epoch + (number + 1) / len(batches)) / config.epochs
            progress(f"LSTM: epoch {epoch + 1} of {config.epochs}", share)
        if accelerator.num_processes > 1:
            loss_sum = float(accelerator.reduce(torch.tensor(loss_sum, device=accelerator.device), reduction="sum"))
        scores = evaluate(network, data.validation, config, accelerator.device)
        row = {"epoch": epoch + 1.0, "training: total": loss_sum / notes_sum}
        history.append(row | {f"validation: {name}": value for name, value in scores.items()})
        say = logger.info if accelerator.is_main_process else logger.debug
        say(
            "epoch %d: training %.4f, validation %.4f nats per note (rest %.3f, duration %.3f, pitch %.3f), %.0f s",
            epoch + 1, loss_sum / notes_sum, scores["total"], scores["rest"], scores["duration"], scores["pitch"],
            time.monotonic() - began,
        )  # fmt: skip
        improved = scores["total"] < best
        best = min(best, scores["total"])
        if accelerator.is_main_process:
            if improved:
                write_model(folder, network)
            checkpoint.write_history(folder, "lstm", history, draw=epoch % 5 == 4 or epoch + 1 == config.epochs)
            save_run(
                folder, "lstm", config, data, {"network": network}, {"optimizer": optimizer},
                {"history": history, "best": best},
            )  # fmt: skip
        accelerator.wait_for_everyone()
        if stop_after is not None and len(history) >= stop_after:
            break
    read_weights(folder, network)
    network.eval()
    return Trained(network, tuple(history))


def descend(loss: Tensor, module: nn.Module, optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> None:
    """Step down the gradient, averaged over the processes.

    The wrapper that averages gradients on its own (DistributedDataParallel) takes neither our batches nor two passes
    for one step, so they are averaged here.
    """
    optimizer.zero_grad()
    loss.backward()
    if accelerator.num_processes > 1:
        for parameter in module.parameters():
            if parameter.grad is not None:
                parameter.grad = accelerator.reduce(parameter.grad, reduction="mean")
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()


def learning_rate(share: float, peak: float) -> float:
    """One cycle: up over the first seventh, down along a cosine (Smith, "Super-Convergence", 2018)."""
    warm = 0.15
    if share < warm:
        return peak * (0.05 + 0.95 * share / warm)
    return float(peak * (0.001 + 0.999 * 0.5 * (1 + np.cos(np.pi * (share - warm) / (1 - warm)))))


def begin_run(folder: Path, config: TrainJointConfig) -> None:
    """Write run.json and config.json, unless a run has begun in the folder."""
    if not any(folder.glob(f"*-{checkpoint.STATE}")):
        checkpoint.write_whole(folder / "run.json", (json.dumps(asdict(config), indent=2) + "\n").encode())
        checkpoint.write_whole(folder / "config.json", config.model.to_json().encode())


def open_run(
    folder: Path,
    stage: str,
    config: TrainJointConfig,
    data: Data,
    modules: Mapping[str, torch.nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
) -> dict[str, Any]:
    """Load the last checkpoint of a stage if there is one; ModelError if it belongs to another run."""
    from melody.lstm import ModelError

    path = folder / f"{stage}-{checkpoint.STATE}"
    if not path.exists():
        return {"history": [], "best": float("inf")}
    known = checkpoint.read_facts(path)
    if known.get("config") != json.loads(json.dumps(asdict(config))) or known.get("data") != data.fingerprint:
        raise ModelError(
            f"{folder} holds the run of another configuration or of other data; "
            "train into another folder, or delete this one"
        )
    return checkpoint.unpack(path, modules, optimizers)


def save_run(
    folder: Path,
    stage: str,
    config: TrainJointConfig,
    data: Data,
    modules: Mapping[str, torch.nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
    facts: Mapping[str, Any],
) -> None:
    """Replace the checkpoint of a stage."""
    known = {**facts, "config": asdict(config), "data": data.fingerprint}
    checkpoint.write_whole(folder / f"{stage}-{checkpoint.STATE}", checkpoint.pack(modules, optimizers, known))


def write_model(folder: Path, network: JointNetwork, name: str = "model.safetensors") -> str:
    """Write the weights; return their SHA-256."""
    content = save({key: value.cpu().contiguous() for key, value in network.state_dict().items()})
    checkpoint.write_whole(folder / name, content)
    return hashlib.sha256(content).hexdigest()


def read_weights(folder: Path, network: JointNetwork, name: str = "model.safetensors") -> None:
    """Load weights that `write_model` wrote."""
    from safetensors.torch import load

    network.load_state_dict(load((folder / name).read_bytes()))
