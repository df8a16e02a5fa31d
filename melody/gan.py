"""The adversarial stage: the joint network as a generator against a discriminator that sees melody and words together.

The generator is the LSTM of `melody.joint_network`, pre-trained by likelihood (as in Yu et al., "SeqGAN", 2017, and in
the LSTM-GANs for melodies from lyrics) or not (`pretrained=False`: a plain GAN, for comparison). A round is `steps`
alternating updates:

1. The generator sings freely, note by note, with Gumbel noise kept for every choice (numpy, no gradients).
2. The same notes are scored again in torch, all at once; every choice becomes a straight-through Gumbel-softmax
   sample (Jang, Gu and Poole, 2017): one-hot forwards, the softmax of (scores + noise) / temperature backwards.
3. A second pass reads those samples as its past, so that the gradient of a late judgement reaches the choices that led
   to it through the recurrence: one step of unrolling for all earlier notes at once. It costs two parallel passes
   where unrolling note by note costs T sequential ones.
4. The discriminator judges what came out; its losses are hinge losses at three scales (note, line, section).

The discriminator is told the words and the place in the bar, and learns from three kinds of falsehood: what the
generator sang, and real melodies under the words of another song (Reed et al., "Generative Adversarial Text to Image
Synthesis", 2016). It is also shown directly which notes equal earlier ones: repetition is what generators lack most.

Failure signs are watched every round: the discriminator's accuracy (near 1: saturated; it then rests until it is
fooled again) and distinct-4 of what is sung against that of people (falling: modes collapse; training stops). The
stopping rule is the distance between statistics of sung and real validation melodies, see `distance`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from align.meter import TICKS_PER_BEAT
from melody import checkpoint
from melody.features import METERS
from melody.joint import NUM_INTERVALS, REACH, JointConfig, JointModel
from melody.joint_data import Floats, Ints, JointBatch, JointExample, history, make_batch, veiled, window
from melody.joint_features import NO_CHORD, NUM_FEATURES, NUM_PLACE, block_columns, places
from melody.joint_network import Choices, JointNetwork, Scores, Tensors, nats
from melody.sequence_metrics import NoteLines, distinct, divergences, statistics
from melody.train_joint import (
    Data,
    Trained,
    TrainJointConfig,
    batches_of,
    begin_run,
    descend,
    evaluate,
    make_network,
    open_run,
    read_weights,
    save_run,
    write_model,
)

logger = logging.getLogger(__name__)

LAGS = 16  # how far back the discriminator is shown equal notes
SATURATED = 0.95  # accuracy from which the discriminator is not trained further for now
COLLAPSED = 0.75  # share of people's distinct-4 under which training stops
_BAR_COLUMNS = slice(23, 27)  # of a place: the bar mod 4
_METER_COLUMNS = block_columns(("meter",))


@dataclass(frozen=True, slots=True, eq=False)
class Sung:
    """Melodies that the generator sang, with the noise of its choices."""

    batch: JointBatch
    rest_noise: Floats  # (B, T, classes)
    duration_noise: Floats
    pitch_noise: Floats


def windows(
    examples: Sequence[JointExample], config: TrainJointConfig, generator: np.random.Generator | None
) -> list[JointExample]:
    """Cut one window of `config.gan.window` notes out of every example that is long enough, from the start of a line.

    Without a generator: the first one. The chords are hidden, because new rhythms would meet other chords.
    """
    size = config.gan.window
    result = []
    for item in examples:
        if len(item) < size:
            continue
        starts = np.flatnonzero(np.diff(item.line, prepend=-1))
        starts = starts[starts <= len(item) - size]
        start = int(starts[0] if generator is None else starts[int(generator.integers(len(starts)))])
        veil = replace(config.veil(), chords=True)
        result.append(veiled(window(item, start, start + size), veil))
    return result


def sing(
    model: JointModel,
    items: Sequence[JointExample],
    generator: np.random.Generator,
    temperature: tuple[float, float, float] = (1.0, 1.0, 1.0),
    leaning: Floats | None = None,
) -> Sung:
    """Sing new melodies to the words of `items`, all of one length, beginning where these begin.

    `temperature` is that of rests, durations and pitches; training sings at 1, from what the network believes.
    `leaning` (NUM_INTERVALS,) is added to the scores of pitches by their interval from the note before.
    """
    config = model.config
    size = len(items[0])
    features = np.stack([item.features for item in items])
    line = np.stack([item.line for item in items])
    rests, durations = np.array(config.rests), np.array(config.durations)
    start = np.zeros(len(items), dtype=np.int64)
    meter = features[:, 0, _METER_COLUMNS].argmax(axis=1)
    bars = np.array([int(name.split("/")[0]) * 4 * TICKS_PER_BEAT // int(name.split("/")[1]) for name in METERS])[meter]
    if config.anchored:
        bar = np.array([item.onsets[0, _BAR_COLUMNS].argmax() for item in items])
        start = bar * bars + np.array([item.place[0] - config.rests[item.rest[0]] for item in items])
    end = start
    open_end = np.full(len(items), -1)
    shapes = {"rest": len(rests), "duration": len(durations), "pitch": config.num_pitches}
    noise = {
        name: generator.gumbel(size=(len(items), size, width)).astype(np.float32) for name, width in shapes.items()
    }
    chords = np.tile(NO_CHORD, (len(items), 1))
    session = model.session(len(items))
    columns: dict[str, list[Ints]] = {name: [] for name in ("rest", "duration", "pitch", "place")}
    ends, onsets = [], []
    for note in range(size):
        ends.append(places(end, meter, open_end))
        scores = session.rests(features[:, note], ends[-1], line[:, note])
        rest = (scores / temperature[0] + noise["rest"][:, note]).argmax(axis=1)
        onset = end + rests[rest]
        onsets.append(places(onset, meter, open_end))
        scores = session.durations(rest, onsets[-1], onset % bars)
        duration = (scores / temperature[1] + noise["duration"][:, note]).argmax(axis=1)
        scores = session.pitches(duration, chords)
        if note and leaning is not None:
            scores = scores + leaning[model.interval_of[columns["pitch"][-1]]]
        pitch = (scores / temperature[2] + noise["pitch"][:, note]).argmax(axis=1)
        session.sing(pitch)
        end = onset + durations[duration]
        for name, value in zip(columns, (rest, duration, pitch, onset % bars), strict=True):
            columns[name].append(value)
    done = {name: np.stack(values, axis=1) for name, values in columns.items()}
    batch = JointBatch(
        features,
        np.stack(ends, axis=1),
        np.stack(onsets, axis=1),
        np.broadcast_to(NO_CHORD, (*line.shape, len(NO_CHORD))).copy(),
        done["rest"],
        done["duration"],
        done["pitch"],
        *history(done["duration"], done["pitch"], line, done["place"], config.lowest),
        np.ones(line.shape, dtype=np.float32),
    )
    return Sung(batch, noise["rest"], noise["duration"], noise["pitch"])


def straight_through(scores: Scores, sung: Tensors, noise: Sequence[Tensor], temperature: float) -> Choices:
    """Return the sung notes one-hot, with the gradients of Gumbel-softmax."""

    def choose(score: Tensor, chosen: Tensor, gumbel: Tensor) -> Tensor:
        soft = ((score + gumbel) / temperature).softmax(dim=2)
        hard = nn.functional.one_hot(chosen, score.shape[2]).float()
        return hard + soft - soft.detach()

    return Choices(
        choose(scores.rest, sung.rest, noise[0]),
        choose(scores.duration, sung.duration, noise[1]),
        choose(scores.pitch, sung.pitch, noise[2]),
    )


class Discriminator(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Judges melodies under their words at the scale of notes, lines and the whole: (B, 3), higher is more human."""

    def __init__(self, config: JointConfig, channels: int) -> None:
        """Spectral normalisation throughout keeps the judge smooth (Miyato et al., 2018)."""
        super().__init__()
        width = len(config.rests) + len(config.durations) + NUM_INTERVALS + 12 + 2 * LAGS + NUM_PLACE
        self.config = config
        self.words = spectral_norm(nn.Linear(NUM_FEATURES, channels))
        self.notes = spectral_norm(nn.Linear(width, channels))
        self.near = spectral_norm(nn.Conv1d(2 * channels, channels, 3, padding=1))
        self.far = spectral_norm(nn.Conv1d(channels, channels, 5, padding=2))
        self.wide = spectral_norm(nn.Conv1d(channels, channels, 5, padding=8, dilation=4))
        self.note = spectral_norm(nn.Linear(channels, 1))
        self.line = spectral_norm(nn.Linear(2 * channels, 1))
        extra = 12 + NUM_INTERVALS + len(config.rests) + len(config.durations) + 2 * LAGS
        self.whole = nn.Sequential(
            spectral_norm(nn.Linear(2 * channels + extra, channels)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Linear(channels, 1)),
        )
        classes = torch.arange(config.num_pitches)
        self.register_buffer("fold", nn.functional.one_hot((classes + config.lowest) % 12, 12).float())

    def forward(self, batch: Tensors, sung: Choices) -> Tensor:
        """Judge `sung` where `batch` has words, places and lines."""
        intervals = soft_intervals(sung.pitch)
        pitch_class = sung.pitch @ self.fold
        if self.config.anchored:
            degree = pitch_class
        else:  # no keys: pitch classes counted from the first note
            turn = (torch.arange(12)[:, None] + torch.arange(12)[None, :]) % 12
            degree = torch.einsum("br,btrc->btc", pitch_class[:, 0], pitch_class[..., turn.to(sung.pitch.device)])
        same_pitch = equal_earlier(sung.pitch)
        same_move = equal_earlier(intervals) * equal_earlier(sung.duration)
        melody = torch.cat((sung.rest, sung.duration, intervals, degree, same_pitch, same_move, batch.onsets), dim=2)
        leaky = nn.functional.leaky_relu
        state = torch.cat((self.notes(melody), self.words(batch.features)), dim=2).transpose(1, 2)
        state = leaky(self.near(leaky(state, 0.2)), 0.2)
        state = state + leaky(self.far(state), 0.2)
        state = state + leaky(self.wide(state), 0.2)
        state = state.transpose(1, 2)  # (B, T, channels)
        note = self.note(state).mean(dim=1)
        # Lines: mean and maximum over the notes of each line.
        first = batch.line - batch.line[:, :1]
        member = nn.functional.one_hot(first.clamp(0, 15), 16).float()  # (B, T, lines)
        count = member.sum(dim=1)
        means = torch.einsum("btl,btc->blc", member, state) / count.clamp(min=1)[..., None]
        tops = (state[:, :, None, :] + (member[..., None] - 1) * 1e4).amax(dim=1)
        present = (count > 0).float()
        tops = tops * present[..., None]
        lines = self.line(torch.cat((means, tops), dim=2))[..., 0]
        line = (lines * present).sum(dim=1, keepdim=True) / present.sum(dim=1, keepdim=True)
        pooled = torch.cat((state.mean(dim=1), state.amax(dim=1)), dim=1)
        counts = torch.cat((degree, intervals, sung.rest, sung.duration, same_pitch, same_move), dim=2).mean(dim=1)
        return torch.cat((note, line, self.whole(torch.cat((pooled, counts), dim=1))), dim=1)


def soft_intervals(pitch: Tensor) -> Tensor:
    """Return the interval that leads to each note, (B, T, NUM_INTERVALS), of one-hot pitches with gradients.

    The first row is zero; intervals wider than REACH are zero rows.
    """
    padded = nn.functional.pad(pitch, (REACH, REACH))
    size = pitch.shape[2]
    before = pitch[:, :-1]
    moves = [(before * padded[:, 1:, k : k + size]).sum(dim=2) for k in range(NUM_INTERVALS)]
    return nn.functional.pad(torch.stack(moves, dim=2), (0, 0, 1, 0))


def equal_earlier(rows: Tensor) -> Tensor:
    """Return for every note whether it equals the one k before, (B, T, LAGS), k = 1 .. LAGS, with gradients."""
    length = rows.shape[1]
    found = []
    for lag in range(1, LAGS + 1):
        if lag < length:
            same = (rows[:, lag:] * rows[:, :-lag]).sum(dim=2)
            found.append(nn.functional.pad(same, (lag, 0)))
        else:
            found.append(rows.new_zeros(rows.shape[:2]))
    return torch.stack(found, dim=2)


def note_lines(batch: JointBatch, config: JointConfig) -> NoteLines:
    """Return the melodies of a batch as the published statistics see them; anchored ones around C4."""
    pitch = batch.pitch + config.lowest + (60 if config.anchored else 0)
    tonic = np.zeros(len(pitch), dtype=np.int64) if config.anchored else None
    duration = np.array(config.durations)[batch.duration] / TICKS_PER_BEAT
    rest = np.array(config.rests)[batch.rest] / TICKS_PER_BEAT
    return NoteLines(pitch, duration, rest, tonic)


def distance(sung: NoteLines, real: NoteLines) -> float:
    """Return how far the statistics of sung melodies lie from those of real ones: the stopping rule, 0 is best.

    The sum of the Jensen-Shannon divergences of pitch classes, intervals, durations and onset intervals (in hundredths
    of a bit) and of the relative errors of 2- and 3-note repetitions, self-repeated 4-grams (weighted by a half: they
    are few), span, unique pitches and notes without rest, (in tenths).
    """
    apart = divergences(sung, real)
    found, wanted = statistics(sung), statistics(real)
    weights = {
        "2-note repetitions": 1.0,
        "3-note repetitions": 1.0,
        "self-repeated 4-grams": 0.5,
        "span, semitones": 1.0,
        "unique pitches": 1.0,
        "notes without rest": 1.0,
    }
    error = sum(weight * abs(found[name] - wanted[name]) / max(1e-9, wanted[name]) for name, weight in weights.items())
    return 100 * sum(apart[name] for name in ("pitch class", "interval", "duration", "onset interval")) + 10 * error


def train_gan(
    data: Data,
    config: TrainJointConfig,
    folder: Path,
    *,
    cpu: bool = False,
    progress: Callable[[str, float], None] = lambda text, share: None,
    stop_after: int | None = None,
) -> Trained:
    """Train adversarially into a folder, going on from its last checkpoint of this stage; keep the best round.

    The generator begins with the folder's model.safetensors (of `train_lstm`) unless the config says otherwise. Files:
    gan.safetensors (the best round), discriminator.safetensors (of that round), gan.csv, gan.png and the checkpoint.
    Round 0, the generator as it came, takes part in choosing the best. `stop_after` ends the call after so many rounds.
    """
    accelerator = Accelerator(cpu=cpu)
    settings = config.gan
    network = make_network(config)
    if settings.pretrained:
        read_weights(folder, network)
    judge = Discriminator(config.model, settings.channels)
    optimizers = {
        "generator": torch.optim.Adam(network.parameters(), settings.generator_rate, betas=(0.5, 0.98)),
        "discriminator": torch.optim.Adam(judge.parameters(), settings.discriminator_rate, betas=(0.5, 0.98)),
    }
    modules = {"network": network, "discriminator": judge}
    if accelerator.is_main_process:
        begin_run(folder, config)
    accelerator.wait_for_everyone()
    facts = open_run(folder, "gan", config, data, modules, optimizers)
    rows: list[dict[str, float]] = facts["history"]
    best: float = facts["best"]
    device = accelerator.device
    network.to(device)
    judge.to(device)
    watched, num_different = _watched(data, config)
    real_lines = note_lines(make_batch(watched, config.model), config.model)
    people = distinct(real_lines[:num_different], 4)
    began = time.monotonic()
    stopped = bool(rows) and bool(_reason_to_stop(rows, settings.patience, people))
    for number in range(len(rows), settings.rounds + 1 if not stopped else 0):
        draws = np.random.default_rng((config.seed, 7, number, accelerator.process_index))
        torch.manual_seed(config.seed * 100_003 + 50_000 + number + accelerator.process_index)
        losses: dict[str, list[float]] = {"generator": [], "discriminator": [], "accuracy": [], "wrong words": []}
        for _ in range(settings.warm_up if number == 1 else 0):
            real = _draw(data.training, config, draws)
            _learn_judge(network, judge, optimizers["discriminator"], accelerator, real, config, draws, losses)
        for step in range(settings.steps if number else 0):  # round 0 only measures
            for _ in range(settings.discriminator_steps - 1):
                real = _draw(data.training, config, draws)
                _learn_judge(network, judge, optimizers["discriminator"], accelerator, real, config, draws, losses)
            real = _draw(data.training, config, draws)
            _learn_judge(network, judge, optimizers["discriminator"], accelerator, real, config, draws, losses)
            likely = batches_of_one(data, config, draws) if settings.likelihood else None
            _learn_generator(network, judge, optimizers["generator"], accelerator, real, likely, config, draws, losses)
            progress(f"GAN: round {number} of {settings.rounds}", (number - 1 + (step + 1) / settings.steps)
                     / settings.rounds)  # fmt: skip
        network.eval()
        nats_now = evaluate(network, data.validation, config, device)["total"]
        sung = sing(network.model(), watched, np.random.default_rng((config.seed, 8)))
        lines = note_lines(sung.batch, config.model)
        score = distance(lines, real_lines)
        varied = distinct(lines[:num_different], 4)
        means = {name: float(np.mean(values)) if values else 0.0 for name, values in losses.items()}
        rows.append(
            {
                "round": float(number),
                "distance": score,
                "nats per note": nats_now,
                "sung: distinct-4": varied,
                "people: distinct-4": people,
                "discriminator: loss": means["discriminator"],
                "generator: loss": means["generator"],
                "accuracy of the discriminator": means["accuracy"],
                "sung: self-repeated 4-grams": statistics(lines)["self-repeated 4-grams"],
                "people: self-repeated 4-grams": statistics(real_lines)["self-repeated 4-grams"],
            }
        )
        say = logger.info if accelerator.is_main_process else logger.debug
        say(
            "round %d: distance %.2f, %.4f nats, distinct-4 %.3f (people %.3f), accuracy %.2f, %.0f s",
            number, score, nats_now, varied, people, means["accuracy"], time.monotonic() - began,
        )  # fmt: skip
        improved = score < best
        best = min(best, score)
        reason = _reason_to_stop(rows, settings.patience, people)
        if accelerator.is_main_process:
            if improved:
                write_model(folder, network, "gan.safetensors")
                _write_judge(folder, judge)
            checkpoint.write_history(
                folder, "gan", rows, draw=number % 5 == 0 or number == settings.rounds or bool(reason)
            )
            save_run(folder, "gan", config, data, modules, optimizers, {"history": rows, "best": best})
        accelerator.wait_for_everyone()
        if reason:
            say("stopped after round %d: %s", number, reason)
            break
        if stop_after is not None and number >= stop_after:
            break
    read_weights(folder, network, "gan.safetensors")
    network.eval()
    return Trained(network, tuple(rows))


def _reason_to_stop(rows: Sequence[dict[str, float]], patience: int, people: float) -> str:
    """Why no further round is wanted, "" if one is."""
    scores = [row["distance"] for row in rows]
    if len(rows) > 1 and rows[-1]["sung: distinct-4"] < COLLAPSED * people:
        return "modes collapse (distinct-4 fell under three quarters of people's)"
    if len(scores) - 1 - int(np.argmin(scores)) >= patience:
        return f"no better score for {patience} rounds"
    return ""


def _watched(data: Data, config: TrainJointConfig) -> tuple[list[JointExample], int]:
    """Windows of validation melodies, as many as are sung for the score, and how many of them differ: the first."""
    pool = windows(data.validation, config, None)
    if not pool:
        raise ValueError(f"no validation melody has {config.gan.window} notes: choose a shorter window")
    watched = [pool[index % len(pool)] for index in range(config.gan.samples)]
    return watched, min(len(pool), len(watched))


def _draw(examples: Sequence[JointExample], config: TrainJointConfig, draws: np.random.Generator) -> list[JointExample]:
    """Draw a batch of real windows."""
    long = [item for item in examples if len(item) >= config.gan.window]
    if not long:
        raise ValueError(f"no training melody has {config.gan.window} notes: choose a shorter window")
    return windows([long[int(draws.integers(len(long)))] for _ in range(config.gan.batch)], config, draws)


def batches_of_one(data: Data, config: TrainJointConfig, draws: np.random.Generator) -> list[JointExample]:
    """Draw a batch for the likelihood that is kept beside the adversarial loss."""
    some = [data.training[int(index)] for index in draws.integers(len(data.training), size=config.batch)]
    return batches_of(some, replace(config, batch=len(some)), draws)[0]


def _learn_judge(
    network: JointNetwork,
    judge: Discriminator,
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
    real: Sequence[JointExample],
    config: TrainJointConfig,
    draws: np.random.Generator,
    losses: dict[str, list[float]],
) -> None:
    """One step of the discriminator, which it skips while it is nearly always right."""
    network.eval()
    true = Tensors.of(make_batch(real, config.model), accelerator.device)
    false = Tensors.of(sing(network.model(), real, draws).batch, accelerator.device)
    order = torch.roll(torch.arange(len(real)), 1)
    wrong = replace(true, features=true.features[order], line=true.line[order])
    said_true = judge(true, network.choices(true))
    said_false = judge(false, network.choices(false))
    said_wrong = judge(wrong, network.choices(true))
    # Of all pairs of a real and a sung melody, the share that it orders rightly: where it draws the line is no matter.
    accuracy = float((said_true.mean(dim=1)[:, None] > said_false.mean(dim=1)[None, :]).float().mean())
    losses["accuracy"].append(accuracy)
    losses["wrong words"].append(float((said_wrong.mean(dim=1) < said_true.mean(dim=1)).float().mean()))
    loss = (1 - said_true).relu().mean() + 0.75 * (1 + said_false).relu().mean() + 0.25 * (1 + said_wrong).relu().mean()
    losses["discriminator"].append(float(loss.detach()))
    if np.mean(losses["accuracy"][-5:]) < SATURATED:  # each process decides by the same rule on its own share
        descend(loss, judge, optimizer, accelerator)


def _learn_generator(
    network: JointNetwork,
    judge: Discriminator,
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
    real: Sequence[JointExample],
    likely: Sequence[JointExample] | None,
    config: TrainJointConfig,
    draws: np.random.Generator,
    losses: dict[str, list[float]],
) -> None:
    """One step of the generator."""
    network.eval()  # dropout would make the second scoring another than the first
    sung = sing(network.model(), real, draws)
    batch = Tensors.of(sung.batch, accelerator.device)
    noise = [
        torch.from_numpy(array).to(accelerator.device)
        for array in (sung.rest_noise, sung.duration_noise, sung.pitch_noise)
    ]
    first = straight_through(network(batch), batch, noise, config.gan.temperature)
    second = straight_through(network(batch, first), batch, noise, config.gan.temperature)
    loss = -judge(batch, second).mean()
    losses["generator"].append(float(loss.detach()))
    if likely is not None:
        network.train()
        kept = Tensors.of(make_batch(likely, config.model), accelerator.device)
        costs = nats(network(kept), kept).total * kept.weight
        loss = loss + config.gan.likelihood * costs.sum() / kept.weight.sum()
    descend(loss, network, optimizer, accelerator)


def _write_judge(folder: Path, judge: Discriminator) -> None:
    from safetensors.torch import save

    content = save({key: value.cpu().contiguous() for key, value in judge.state_dict().items()})
    checkpoint.write_whole(folder / "discriminator.safetensors", content)


def read_judge(folder: Path, config: TrainJointConfig) -> Discriminator:
    """Load the discriminator that stands beside a gan.safetensors."""
    from safetensors.torch import load

    judge = Discriminator(config.model, config.gan.channels)
    judge.load_state_dict(load((folder / "discriminator.safetensors").read_bytes()))
    judge.eval()
    return judge


@torch.no_grad()  # type: ignore[untyped-decorator]
def judgements(judge: Discriminator, network: JointNetwork, batch: JointBatch) -> Floats:
    """Return the mean judgement of each melody, (B,): for choosing among candidates."""
    tensors = Tensors.of(batch)
    scores: Floats = judge(tensors, network.choices(tensors)).mean(dim=1).numpy()
    return scores


def choose(
    model: JointModel,
    judge: Discriminator,
    network: JointNetwork,
    items: Sequence[JointExample],
    generator: np.random.Generator,
    candidates: int,
    temperature: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> NoteLines:
    """Sing `candidates` melodies to the words of every item and keep the one that the discriminator likes best."""
    sung = [sing(model, items, generator, temperature).batch for _ in range(candidates)]
    best = np.stack([judgements(judge, network, batch) for batch in sung]).argmax(axis=0)
    lines = [note_lines(batch, model.config) for batch in sung]
    rows = np.arange(len(items))
    pitch, duration, rest = (
        np.stack([getattr(line, name) for line in lines])[best, rows] for name in ("pitch", "duration", "rest")
    )
    return NoteLines(pitch, duration, rest, lines[0].tonic)
