"""Train the critics: small networks that tell stretches of people's songs from stretches of ours.

    python scripts/train_critics.py rhythm songs_open.parquet align/data/rhythm
    python scripts/train_critics.py melody songs_open.parquet melody/data/critic

Words of training songs are composed in the metres, modes and styles of the songs, several times each: for the critic of
rhythms without any critic, for that of melodies with the critic of rhythms alone, so that it is trained first. Ours and
the songs are cut into stretches, and several networks with one hidden layer learn to tell them apart. Songs of one
group are on one side; the last of the `--tenths` of the groups measures before everything is learned from. Prints how
many stretches are told apart there, and writes critic.safetensors.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import nn
from torch.nn import functional as F

from align.corpus import CorpusSong, read_corpus
from align.critic import Stretch, cut_stretches
from align.critic import describe as describe_rhythm
from align.meter import GRID
from align.search import align_lyrics, fitted_config, stretches_of
from lyrics.document import Lyrics, LyricsError
from lyrics.model_files import write_model_files
from lyrics.parse import parse_lyrics
from lyrics.pronounce import Pronouncer
from melody.corpus import song_key
from melody.critic import describe as describe_melody
from melody.decode import SongToSing, fitted_taste, melodize_all
from pipeline.compose import draft
from pipeline.evaluation import lyric_lines
from pipeline.seeds import line_seed

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CriticConfig:
    """Sizes and training settings of the networks."""

    hidden: int = 24
    networks: int = 4  # their answers are averaged
    input_dropout: float = 0.1
    dropout: float = 0.3
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    batch: int = 128
    epochs: int = 30


def stretches_of_people(song: CorpusSong) -> list[Stretch]:
    """Cut a song into stretches; those in which a bar was printed short, as around repeat signs, are left out."""
    origin = song.notes[0].onset - song.notes[0].place
    lines = [song.syllables[note.syllable].line for note in song.notes]
    stretches = cut_stretches(
        [round((note.onset - origin) / GRID) for note in song.notes],
        [max(1, round(note.duration / GRID)) for note in song.notes],
        [note.held for note in song.notes],
        [i for i in range(len(lines)) if i == 0 or lines[i] != lines[i - 1]],
        song.meter.bar_ticks // GRID,
    )
    bar = song.meter.bar_ticks // GRID
    places = [round(note.place / GRID) for note in song.notes]
    return [
        stretch
        for stretch in stretches
        if all((onset - places[stretch.first + i]) % bar == 0 for i, onset in enumerate(stretch.onsets))
    ]


def texts(songs: Sequence[CorpusSong]) -> Iterator[tuple[CorpusSong, Lyrics]]:
    """Yield one verse of every song with its words as they are parsed for composing."""
    verses: dict[str, CorpusSong] = {}
    for song in songs:
        verses.setdefault(song.song_id, song)
    pronouncer = Pronouncer()
    for song in verses.values():
        try:
            yield song, parse_lyrics("\n".join(lyric_lines(song)), pronouncer)
        except LyricsError:
            continue


def rhythm_examples(songs: Sequence[CorpusSong], times: int) -> tuple[Floats, Floats]:
    """Return the features of people's stretches and of ours, (N, F) each."""
    people: list[list[float]] = []
    ours: list[list[float]] = []
    config = replace(fitted_config(), trials=1)
    for number, (song, lyrics) in enumerate(texts(songs)):
        people += [describe_rhythm(stretch, song.meter, song.style) for stretch in stretches_of_people(song)]
        for time in range(times):
            seeds = {
                f"{section.id}.{line}": line_seed(number * times + time, f"{section.id}.{line}")
                for section in lyrics.sections
                for line in range(1, len(section.lines) + 1)
            }
            rhythm = align_lyrics(lyrics, song.meter, song.style, seeds, config=config)
            ours += [describe_rhythm(stretch, song.meter, song.style) for stretch in stretches_of(rhythm)]
    return np.array(people), np.array(ours)


def melody_examples(songs: Sequence[CorpusSong], times: int) -> tuple[Floats, Floats]:
    """Return the same for the pitches of stretches."""
    people: list[list[float]] = []
    ours: list[list[float]] = []
    asked: list[SongToSing] = []
    for number, (song, lyrics) in enumerate(texts(songs)):
        key = song_key(song)
        pitches = [note.pitch for note in song.notes]
        for stretch in stretches_of_people(song):
            sung = pitches[stretch.first : stretch.first + len(stretch.onsets)]
            people.append(describe_melody(stretch, sung, song.meter, key, song.style))
        one = draft(lyrics, seed=number, meter=str(song.meter), key=str(key), style=song.style)
        voice = one.settings.low, one.settings.high
        for time in range(times):
            seeds = {line: line_seed(number * times + time, line) for line in one.seeds}
            asked.append(SongToSing(one.lyrics, one.rhythm, one.plan, key, voice, song.style, seeds, one.rhymes))
    for to_sing, melody in zip(asked, melodize_all(asked, taste=replace(fitted_taste(), trials=1)), strict=True):
        pitches = [pitch for line in melody for pitch in line]
        for stretch in stretches_of(to_sing.rhythm):
            sung = pitches[stretch.first : stretch.first + len(stretch.onsets)]
            ours.append(describe_melody(stretch, sung, to_sing.rhythm.meter, to_sing.key, to_sing.style))
    return np.array(people), np.array(ours)


def train(people: Floats, ours: Floats, config: CriticConfig, seed: int) -> dict[str, Floats]:
    """Train networks that give the log odds of a stretch being people's; both sides weigh the same."""
    rows = np.concatenate((people, ours))
    mean, scale = rows.mean(axis=0), 1 / (rows.std(axis=0) + 1e-3)
    inputs = torch.tensor(np.clip((rows - mean) * scale, -4, 4), dtype=torch.float32)
    targets = torch.tensor([1.0] * len(people) + [0.0] * len(ours))
    weights = torch.tensor([0.5 / len(people)] * len(people) + [0.5 / len(ours)] * len(ours)) * len(rows)
    parts: list[tuple[Floats, ...]] = []
    for number in range(config.networks):
        torch.manual_seed(seed + number)
        hidden, output = nn.Linear(inputs.shape[1], config.hidden), nn.Linear(config.hidden, 1)
        net = nn.Sequential(nn.Dropout(config.input_dropout), hidden, nn.ReLU(), nn.Dropout(config.dropout), output)
        optimizer = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
        steps = config.epochs * -(-len(inputs) // config.batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, total_steps=steps)
        for _ in range(config.epochs):
            for batch in torch.randperm(len(inputs)).split(config.batch):
                losses = F.binary_cross_entropy_with_logits(
                    net(inputs[batch])[:, 0], targets[batch], weight=weights[batch]
                )
                optimizer.zero_grad()
                losses.backward()
                optimizer.step()
                schedule.step()
        parts.append(
            tuple(
                value.detach().numpy().astype(np.float64)
                for value in (hidden.weight.T, hidden.bias, output.weight[0], output.bias)
            )
        )
    return {
        "mean": mean,
        "scale": scale,
        "hidden": np.concatenate([part[0] for part in parts], axis=1),
        "hidden_bias": np.concatenate([part[1] for part in parts]),
        "output": np.concatenate([part[2] for part in parts]) / len(parts),
        "output_bias": np.mean([part[3] for part in parts], axis=0),
    }


def accuracy(network: dict[str, Floats], people: Floats, ours: Floats) -> float:
    """Share of the stretches that are told apart, both sides weighing the same."""
    right = []
    for rows, sign in ((people, 1), (ours, -1)):
        inputs = np.clip((rows - network["mean"]) * network["scale"], -4, 4)
        odds = np.maximum(inputs @ network["hidden"] + network["hidden_bias"], 0) @ network["output"]
        right.append(float((sign * (odds + network["output_bias"]) > 0).mean()))
    return float(np.mean(right))


def main() -> None:
    """Read options, train, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rhythm", "melody"])
    parser.add_argument("data", type=Path, help="songs_open.parquet")
    parser.add_argument("out", type=Path, help="model folder")
    parser.add_argument("--tenths", type=int, nargs="+", default=[4, 5, 6, 7, 8, 9])
    parser.add_argument("--times", type=int, default=5, help="songs that are made of every text")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)

    songs = [song for song in read_corpus(options.data) if int(song.group, 16) % 10 in options.tenths]
    asked = [song for song in songs if int(song.group, 16) % 10 == options.tenths[-1]]
    known = [song for song in songs if int(song.group, 16) % 10 != options.tenths[-1]]
    examples = rhythm_examples if options.what == "rhythm" else melody_examples
    learned, held = examples(known, options.times), examples(asked, options.times)
    config = CriticConfig()
    measured = accuracy(train(learned[0], learned[1], config, options.seed), *held)
    print(f"{len(learned[0])} stretches of people, {len(learned[1])} of ours; {100 * measured:.1f} % right on others")
    people, ours = (np.concatenate(both) for both in zip(learned, held, strict=True))
    network = train(people, ours, config, options.seed)
    content = save({name: np.ascontiguousarray(values, dtype=np.float32) for name, values in network.items()})
    write_model_files(options.out, {"critic.safetensors": content})


if __name__ == "__main__":
    main()
