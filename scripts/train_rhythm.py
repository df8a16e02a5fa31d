"""Train the rhythm scorer on the openly licensed songs and write it as a model folder.

    python scripts/train_rhythm.py DATA/songs_open.parquet align/data/rhythm --seed 0

Songs are weighted so that every group (songs that share a tune, a title or words) weighs the square root of its
number of verses. One group in ten is never read (`CorpusSong.held_out`); another one in ten chooses the best epoch.
Takes about five minutes on one core.
"""

import argparse
import json
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save as save_arrays
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from align.corpus import CorpusSong, read_corpus
from align.features import (
    CONTENT_CLASSES,
    FUNCTION_CLASSES,
    INTERVAL_CLASS,
    INTERVALS,
    NUM_CLASSES,
    NUM_METERS,
    NUM_PLACES,
    NUM_PREVIOUS,
    PREVIOUS_OF_INTERVAL,
    PRIMARY,
    SECONDARY,
    STYLES,
    SungLine,
    learn_prominence,
    meter_class,
    scored_bar,
    sung_lines,
)
from align.scorer import (
    MAX_BARS,
    MAX_LEFT,
    MAX_LINE,
    NUM_RATIOS,
    NUM_STARTS,
    START_LOW,
    neighbours,
    ratio_class,
    start_categories,
)
from lyrics.model_files import write_model_files


@dataclass(frozen=True)
class RhythmConfig:
    """Sizes and training settings; chosen on the validation groups."""

    hidden: int = 64
    dropout: float = 0.2  # on the summed tables: 700 tunes are few
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    batch: int = 1024
    epochs: int = 25


CATEGORIES = {
    "before": NUM_CLASSES,
    "this": NUM_CLASSES,
    "next": NUM_CLASSES,
    "second": NUM_CLASSES,
    "third": NUM_CLASSES,
    "follows": 4,
    "follows_next": 4,
    "left": MAX_LEFT + 1,
    "index": 4,
}
STARTS = {
    "start_1": NUM_CLASSES,
    "start_2": NUM_CLASSES,
    "start_3": NUM_CLASSES,
    "start_4": NUM_CLASSES,
    "start_left": 16,
    "start_ratio": NUM_RATIOS,
}


class RhythmNet(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """The trainable twin of `align.scorer.RhythmScorer`; parameter names are the names in the file."""

    def __init__(self, config: RhythmConfig) -> None:
        """Small random tables."""
        super().__init__()
        hidden, intervals = config.hidden, len(INTERVALS)
        shapes: dict[str, tuple[int, ...]] = {name: (size, hidden) for name, size in CATEGORIES.items()}
        shapes |= {
            "style": (len(STYLES), hidden),
            "meter": (NUM_METERS, hidden),
            "place": (NUM_METERS, NUM_PLACES, hidden),
            "ratio": (NUM_RATIOS, hidden),
            "bars_left": (5, hidden),
            "previous": (NUM_METERS, NUM_PREVIOUS, hidden),
            "landing": (NUM_METERS, NUM_CLASSES, NUM_PLACES),
            "output": (intervals, hidden),
            "output_bias": (NUM_METERS, intervals),
            "start_bias": (NUM_METERS, NUM_STARTS),
            "start_style": (len(STYLES), NUM_STARTS),
        }
        shapes |= {name: (NUM_METERS, size, NUM_STARTS) for name, size in STARTS.items()}
        zero = ("landing", "start", "output_bias")
        self.table = nn.ParameterDict(
            {
                name: nn.Parameter(torch.zeros(shape) if name.startswith(zero) else 0.3 * torch.randn(shape))
                for name, shape in shapes.items()
            }
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, rows: dict[str, Tensor]) -> Tensor:
        """Logits over INTERVALS, shape [B, K]."""
        t, meter = self.table, rows["meter"]
        total = t["style"][rows["style"]] + t["meter"][meter] + t["place"][meter, rows["place"]]
        total = total + t["ratio"][rows["ratio"]] + t["bars_left"][rows["bars_left"]]
        total = total + t["previous"][meter, rows["previous"]]
        for name in CATEGORIES:
            total = total + t[name][rows[name]]
        landing = t["landing"][meter[:, None], rows["next"][:, None], rows["lands"]]
        return self.dropout(F.relu(total)) @ t["output"].T + t["output_bias"][meter] + landing

    def starts(self, rows: dict[str, Tensor]) -> Tensor:
        """Logits over the place of the first syllable, shape [B, NUM_STARTS]."""
        meter = rows["meter"]
        logits = self.table["start_bias"][meter] + self.table["start_style"][rows["style"]]
        for name in STARTS:
            logits = logits + self.table[name][meter, rows[name]]
        return logits


@dataclass
class Rows:
    """Training rows: categories, targets and weights."""

    columns: dict[str, Tensor]
    target: Tensor
    weight: Tensor


Weighted = tuple[CorpusSong, SungLine, float]


def interval_rows(lines: Sequence[Weighted]) -> Rows:
    """One row per interval between two syllables of a line."""
    columns: dict[str, list[Any]] = {name: [] for name in CATEGORIES}
    extra = ("meter", "style", "place", "ratio", "bars_left", "previous", "lands")
    columns |= {name: [] for name in extra}
    targets, weights = [], []
    for song, line, weight in lines:
        meter, bar, style = meter_class(song.meter), scored_bar(song.meter), STYLES.index(song.style)
        categories = neighbours(line.features)
        previous = 0
        for i, (onset, following) in enumerate(pairwise(line.onsets)):
            interval = INTERVAL_CLASS.get(following - onset)
            if interval is not None:
                for name, values in categories.items():
                    columns[name].append(values[i])
                time_left = line.end - onset
                columns["meter"].append(meter)
                columns["style"].append(style)
                columns["place"].append(onset % bar)
                columns["ratio"].append(int(ratio_class(time_left, len(line.onsets) - i)))
                columns["bars_left"].append(min(max(time_left // bar, 0), 4))
                columns["previous"].append(previous)
                columns["lands"].append([(onset + step) % bar for step in INTERVALS])
                targets.append(interval)
                weights.append(weight)
            previous = 6 if interval is None else PREVIOUS_OF_INTERVAL[interval]
    return Rows({name: torch.tensor(values) for name, values in columns.items()}, *_targets(targets, weights))


def start_rows(lines: Sequence[Weighted]) -> Rows:
    """One row per line: where its first syllable falls."""
    columns: dict[str, list[int]] = {name: [] for name in (*STARTS, "meter", "style")}
    targets, weights = [], []
    for song, line, weight in lines:
        start = line.onsets[0] - START_LOW
        if 0 <= start < NUM_STARTS:
            for name, value in start_categories(line.features, line.bars, scored_bar(song.meter)).items():
                columns[name].append(value)
            columns["meter"].append(meter_class(song.meter))
            columns["style"].append(STYLES.index(song.style))
            targets.append(start)
            weights.append(weight)
    return Rows({name: torch.tensor(values) for name, values in columns.items()}, *_targets(targets, weights))


def _targets(targets: list[int], weights: list[float]) -> tuple[Tensor, Tensor]:
    weight = torch.tensor(weights)
    return torch.tensor(targets), weight / weight.mean()


def train(net: RhythmNet, config: RhythmConfig, training: Sequence[Weighted], validation: Sequence[Weighted]) -> float:
    """Train both heads and keep the epoch with the lowest validation loss, which is returned (nats per interval)."""
    rows, held = interval_rows(training), interval_rows(validation)
    first, held_first = start_rows(training), start_rows(validation)
    optimizer = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    steps = config.epochs * math.ceil(len(rows.target) / config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, total_steps=steps)
    best, kept = math.inf, net.state_dict()
    for epoch in range(config.epochs):
        net.train()
        for batch in torch.randperm(len(rows.target)).split(config.batch):
            starts = torch.randint(len(first.target), (256,))
            loss = _loss(net(_pick(rows, batch)), rows, batch) + _loss(net.starts(_pick(first, starts)), first, starts)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        net.eval()
        with torch.no_grad():
            everything = torch.arange(len(held.target))
            loss = _loss(net(held.columns), held, everything)
            start = _loss(net.starts(held_first.columns), held_first, torch.arange(len(held_first.target)))
        print(f"epoch {epoch + 1:2d}  validation {loss:.4f} nats/interval  {start:.4f} nats/line start", flush=True)
        if loss + 0.1 * start < best:
            best, kept = float(loss + 0.1 * start), {name: value.clone() for name, value in net.state_dict().items()}
            result = float(loss)
    net.load_state_dict(kept)
    return result


def _pick(rows: Rows, index: Tensor) -> dict[str, Tensor]:
    return {name: column[index] for name, column in rows.columns.items()}


def _loss(logits: Tensor, rows: Rows, index: Tensor) -> Tensor:
    losses = F.cross_entropy(logits, rows.target[index], reduction="none")
    return (losses * rows.weight[index]).sum() / rows.weight[index].sum()


def bars_table(lines: Sequence[Weighted]) -> Tensor:
    """Log probabilities of 1..MAX_BARS scored bars by style, metre and syllables, shape [S, M, MAX_LINE + 1, MAX_BARS].

    Counts of the style are mixed with those of all styles and smoothed over neighbouring numbers of syllables.
    """
    counts = torch.zeros(len(STYLES), NUM_METERS, MAX_LINE + 1, MAX_BARS)
    for song, line, weight in lines:
        n = min(len(line.onsets), MAX_LINE)
        counts[STYLES.index(song.style), meter_class(song.meter), n, line.bars - 1] += weight
    spread = torch.zeros_like(counts)
    for shift, share in ((-2, 0.05), (-1, 0.2), (0, 1.0), (1, 0.2), (2, 0.05)):
        for n in range(MAX_LINE + 1):
            if 0 <= n + shift <= MAX_LINE:
                spread[:, :, n] += share * counts[:, :, n + shift]
    pooled = spread.sum(0, keepdim=True)
    pooled = pooled / pooled.sum(-1, keepdim=True).clamp(min=1e-6)
    mixed = spread + 8 * pooled + 0.02
    return (mixed / mixed.sum(-1, keepdim=True)).log()


def counted_tables(lines: Sequence[Weighted], prominence: dict[str, float]) -> dict[str, Any]:
    """Tables that are plain counts: divisions of held syllables, last notes, rests at punctuation, word prominence."""
    divisions: dict[str, dict[str, float]] = {}
    held: dict[str, list[float]] = {}
    last: dict[str, dict[int, float]] = {}
    rests: dict[str, list[float]] = {}
    for song, line, weight in lines:
        compound = "compound" if song.meter.denominator == 8 else "simple"
        for i, pieces in enumerate(line.splits):
            final = i == len(line.splits) - 1
            total = sum(pieces)
            kind = syllable_kind(line.features.classes[i])
            rate = held.setdefault(f"{compound} {'last' if final else kind} {min(total, 16)}", [0.0, 0.0])
            rate[0] += weight * (len(pieces) > 1)
            rate[1] += weight
            if 1 < len(pieces) <= 3:
                key = f"{compound} {total}"
                counter = divisions.setdefault(key, defaultdict(float))
                counter[" ".join(map(str, pieces))] += weight
            if not final:
                gap = line.onsets[i + 1] - line.onsets[i]
                if gap <= 24 and line.features.follows[i]:
                    share = rests.setdefault(f"{compound} {line.features.follows[i]} {gap}", [0.0, 0.0])
                    share[0] += weight * (line.ends[i] < line.onsets[i + 1])
                    share[1] += weight
        gap = line.end - line.onsets[-1]
        if 2 <= gap <= 48:
            last.setdefault(f"{compound} {gap}", defaultdict(float))[line.ends[-1] - line.onsets[-1]] += weight
    return {
        "held": {key: round((a + 0.3) / (b + 6), 4) for key, (a, b) in sorted(held.items()) if b >= 3},
        "divisions": {
            key: {pieces: round(count, 2) for pieces, count in sorted(counter.items()) if count >= 1}
            for key, counter in sorted(divisions.items())
        },
        "last": {
            key: {str(length): round(count, 2) for length, count in sorted(counter.items()) if count >= 0.5}
            for key, counter in sorted(last.items())
        },
        "rests": {key: round((a + 0.1) / (b + 3), 4) for key, (a, b) in sorted(rests.items()) if b >= 3},
        "prominence": {word: round(value, 2) for word, value in sorted(prominence.items())},
    }


# How many manners are looked for in 4/4, 3/4, 2/4 and 6/8: more where there are more songs.
NUM_MANNERS = (10, 6, 6, 6)
_TEMPER = 0.4  # intervals of one song are not independent
_PRIOR = 4.0  # intervals as usual that every manner has at every place


def learn_manners(lines: Sequence[Weighted], tries: int = 8) -> dict[str, npt.NDArray[Any]]:
    """Find manners of rhythm: a mixture of songs for each metre, the likeliest of `tries` fits. See align.manners."""
    songs: dict[str, tuple[CorpusSong, list[SungLine]]] = {}
    for song, line, _ in lines:
        key, verse = song.song_id, song.verse
        if key not in songs or songs[key][0].verse == verse:
            songs.setdefault(key, (song, []))[1].append(line)
    places, most = NUM_PLACES, max(NUM_MANNERS)
    arrays: dict[str, npt.NDArray[Any]] = {
        "count": np.array(NUM_MANNERS, dtype=np.int32),
        "shares": np.zeros((NUM_METERS, len(STYLES), most)),
        "density": np.zeros((NUM_METERS, most)),
        "spread": np.ones((NUM_METERS, most)),
        "intervals": np.zeros((NUM_METERS, most, places, len(INTERVALS))),
        "starts": np.zeros((NUM_METERS, most, NUM_STARTS)),
    }
    for meter, num in enumerate(NUM_MANNERS):
        rows = []
        for song, sung in songs.values():
            if meter_class(song.meter) != meter:
                continue
            moves, starts = np.zeros((places, len(INTERVALS))), np.zeros(NUM_STARTS)
            for line in sung:
                if 0 <= line.onsets[0] - START_LOW < NUM_STARTS:
                    starts[line.onsets[0] - START_LOW] += 1
                for here, following in pairwise(line.onsets):
                    if following - here in INTERVAL_CLASS:
                        moves[here % scored_bar(song.meter), INTERVAL_CLASS[following - here]] += 1
            if moves.sum() >= 10:
                syllables = sum(len(line.onsets) for line in sung)
                rows.append((STYLES.index(song.style), moves, starts, syllables / sum(line.bars for line in sung)))
        fits = (_mixture(rows, num, seed) for seed in range(tries))
        _, belongs, moves, starts = max(fits, key=lambda fit: fit[0])
        styles = np.array([row[0] for row in rows])
        density = np.array([row[3] for row in rows])
        size = belongs.sum(axis=0)
        mean = belongs.T @ density / size
        arrays["density"][meter, :num] = mean
        arrays["spread"][meter, :num] = np.maximum(0.3, np.sqrt(belongs.T @ density**2 / size - mean**2))
        arrays["intervals"][meter, :num], arrays["starts"][meter, :num] = moves, starts
        for style in range(len(STYLES)):
            share = belongs[styles == style].sum(axis=0) + 2 * belongs.mean(axis=0)
            arrays["shares"][meter, style, :num] = share / share.sum()
    return {name: value if name == "count" else value.astype(np.float16) for name, value in arrays.items()}


def _mixture(rows: Sequence[tuple[int, Any, Any, float]], num: int, seed: int) -> tuple[float, Any, Any, Any]:
    """Fit a mixture of multinomials: likelihood, whose song is whose (songs, num), log ratios of moves and starts."""
    moves = np.stack([row[1] for row in rows]) * _TEMPER
    starts = np.stack([row[2] for row in rows]) * _TEMPER
    usual = moves.sum(axis=0)
    usual += 3 * (usual.sum(axis=0) + 0.5) / (usual.sum() + 0.5 * len(INTERVALS))
    usual /= usual.sum(axis=1, keepdims=True)
    begin = starts.sum(axis=0) + 0.2
    begin /= begin.sum()
    belongs = np.random.default_rng(seed).dirichlet(np.full(num, 0.3), len(rows))
    for _ in range(60):
        step = np.einsum("nk,npi->kpi", belongs, moves) + _PRIOR * usual
        step /= step.sum(axis=2, keepdims=True)
        first = belongs.T @ starts + _PRIOR * begin
        first /= first.sum(axis=1, keepdims=True)
        share = belongs.sum(axis=0) + 1
        scores = np.einsum("npi,kpi->nk", moves, np.log(step)) + starts @ np.log(first).T + np.log(share / share.sum())
        top = scores.max(axis=1, keepdims=True)
        belongs = np.exp(scores - top)
        likelihood = float((np.log(belongs.sum(axis=1)) + top[:, 0]).sum())
        belongs /= belongs.sum(axis=1, keepdims=True)
    return likelihood, belongs, np.log(step / usual), np.log(first / begin)


def syllable_kind(kind: int) -> str:
    """Name of a syllable class in the table of held syllables."""
    if kind in FUNCTION_CLASSES:
        return "function"
    return "strong" if kind in (*CONTENT_CLASSES, PRIMARY, SECONDARY) else "weak"


def main() -> None:
    """Read options, train, write the model folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="songs_open.parquet")
    parser.add_argument("out", type=Path, help="model folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=RhythmConfig.epochs)
    parser.add_argument("--hidden", type=int, default=RhythmConfig.hidden)
    parser.add_argument("--dropout", type=float, default=RhythmConfig.dropout)
    parser.add_argument("--manners-only", action="store_true", help="only find the manners of rhythm (seconds)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    config = RhythmConfig(epochs=options.epochs, hidden=options.hidden, dropout=options.dropout)

    songs = [song for song in read_corpus(options.data) if not song.held_out]
    verses = Counter(song.group for song in songs)
    weights = [1 / math.sqrt(verses[song.group]) for song in songs]
    prominence = learn_prominence(songs, weights)
    training: list[Weighted] = []
    validation: list[Weighted] = []
    for song, weight in zip(songs, weights, strict=True):
        part = validation if int(song.group, 16) % 10 == 1 else training
        part.extend((song, line, weight) for line in sung_lines(song, prominence))
    print(f"{len(training)} lines to learn from, {len(validation)} to choose by")

    write_model_files(options.out, {"manners.safetensors": save_arrays(learn_manners(training))})
    if options.manners_only:
        return
    net = RhythmNet(config)
    loss = train(net, config, training, validation)
    everything = training + validation
    tensors = {name: value.detach().clone() for name, value in net.table.items()}
    tensors["bars"] = bars_table(everything)
    files = {
        "model.safetensors": save({name: value.half().contiguous() for name, value in tensors.items()}),
        "tables.json": json.dumps(counted_tables(everything, prominence), indent=0).encode(),
        "config.json": json.dumps(vars(config) | {"seed": options.seed, "validation_nats": round(loss, 4)}).encode(),
    }
    write_model_files(options.out, files)


if __name__ == "__main__":
    main()
