"""Train the conditional LSTM that chooses pitches, and print what it learned beside simpler models.

    python scripts/train_melody.py songs_open.parquet melody/data/lstm --seed 0

Songs of the validation part (`CorpusSong.held_out`) are never read. Another tenth of the groups chooses the epoch.
Needs the extra `train`.
"""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from align.corpus import read_corpus
from melody.corpus import song_key
from melody.features import CHORD_COLUMNS, LYRIC_COLUMNS, refrains
from melody.harmony import infer_chords
from melody.train_lstm import Example, TrainConfig, baselines, example, export, train, without_chords


def read_examples(data: Path) -> list[Example]:
    """Encode all songs that may be trained on."""
    songs = [song for song in read_corpus(data, language=None) if not song.held_out]
    lines = refrains(songs)
    examples = []
    for song in songs:
        key = song_key(song)
        examples.append(example(song, key, infer_chords(song, key), lines.get(song.song_id)))
    return examples


def split(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Training part and the tenth that chooses the epoch (there, one verse of each song)."""
    training = [item for item in examples if int(item.group, 16) % 10 != 1]
    chosen = {item.song_id: item for item in examples if int(item.group, 16) % 10 == 1}
    return training, list(chosen.values())


def main() -> None:
    """Read options, train, write the model folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = TrainConfig()
    parser.add_argument("data", type=Path, help="songs_open.parquet")
    parser.add_argument("out", type=Path, help="folder for model.safetensors and config.json")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--epochs", type=int, default=defaults.epochs)
    parser.add_argument("--hidden", type=int, default=defaults.hidden)
    parser.add_argument("--max-seconds", type=float, default=defaults.max_seconds, help="stop after this time")
    parser.add_argument("--ablations", action="store_true", help="also train without lyric and without chord features")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)  # sums in one order: the same weights every time
    training, validation = split(read_examples(options.data))
    notes = sum(len(item.classes) for item in validation)
    print(f"{len(training)} verses of {len({item.song_id for item in training})} songs to learn from")
    print(f"{len(validation)} songs, {notes} notes to choose the epoch; nats per note there:")
    for name, value in baselines(training, validation).items():
        print(f"  {name:28}{value:.4f}")
    config = TrainConfig(
        seed=options.seed, epochs=options.epochs, hidden=options.hidden, max_seconds=options.max_seconds
    )
    trained = train(training, validation, config)
    print(f"  {'conditional LSTM':28}{trained.validation:.4f}")
    if options.ablations:
        without = replace(config, blank=LYRIC_COLUMNS)
        print(f"  {'without lyrics':28}{train(training, validation, without).validation:.4f}")
        without = replace(config, blank=CHORD_COLUMNS)
        chordless = train(list(map(without_chords, training)), list(map(without_chords, validation)), without)
        print(f"  {'without chords':28}{chordless.validation:.4f}")
    export(trained.network, options.out)


if __name__ == "__main__":
    main()
