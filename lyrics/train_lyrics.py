"""Train the lyric adapter from the verse in a folder: read, clean, make lessons, train, and say what came of it.

Everything that `songwright train lyrics` does; the parts are in lyrics/verse.py and lyrics/train_lm.py.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from math import log
from pathlib import Path
from typing import Any

from lyrics.errors import TrainingError, need
from lyrics.lm import load_bare, quiet
from lyrics.model_store import DEFAULT_MODEL, find_or_pull, known_model
from lyrics.pronounce import Pronouncer
from lyrics.train_lm import AdapterConfig, Point, Trained, train
from lyrics.verse import Cleaned, Lesson, clean, lessons, read_verse
from lyrics.writing.words import closeness, lexicon

NUM_POEMS = 1500
_NO_WORD = 200  # tokens of a byte-pair vocabulary before the first whole words


def plainness(tokenizer: Any) -> Callable[[str], float]:
    """Return how common a word is, smaller for commoner: the vocabulary of the model is ordered by frequency."""
    size = len(tokenizer)

    def of(word: str) -> float:
        tokens = tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        return log(max(_NO_WORD, tokens[0])) if len(tokens) == 1 else log(1.2 * size) + 0.5 * (len(tokens) - 2)

    return of


def make_lessons(data: Path, tokenizer: Any, *, seed: int, num_poems: int) -> tuple[tuple[Lesson, ...], Cleaned]:
    """Read and clean the verse in `data`; return the lessons, and what cleaning left out.

    Raises TrainingError if the folder does not hold the two tables.
    """
    need("training", "train", "pyarrow")
    try:
        verse = read_verse(data)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(
            f"cannot read the verse in {data}: {error}; docs/lyrics_model.md says what it holds"
        ) from error
    pronouncer = Pronouncer()
    cleaned = clean(verse, pronouncer, plainness(tokenizer), limit=num_poems)
    return lessons(cleaned.poems, pronouncer, seed=seed, near=_near), cleaned


def _near(text: str) -> dict[str, float]:
    """How near each word to write with is to a text in meaning."""
    from lyrics.embedding import embed

    return dict(zip((word.text.lower() for word in lexicon()), closeness(embed([text])[0]).tolist(), strict=True))


def train_lyrics(
    data: Path,
    out: Path,
    config: AdapterConfig,
    *,
    model: str = DEFAULT_MODEL,
    num_poems: int = NUM_POEMS,
    say: Callable[[str], None] = lambda text: None,
) -> Trained:
    """Train an adapter and write it to `out`: adapter, configuration, curve. Goes on where it was stopped.

    Raises TrainingError for data or settings that cannot be used, and what loading a model raises.
    """
    need("training", "train", "torch", "transformers", "peft", "accelerate", "matplotlib")
    folder = find_or_pull(model, say)
    with quiet():
        base, tokenizer = load_bare(folder, model)
        known = known_model(model)
        base.name_or_path = known.hub_id if known else model  # what the adapter says that it belongs to
        say("reading and cleaning the verse ...")
        found, cleaned = make_lessons(data, tokenizer, seed=config.seed, num_poems=num_poems)
        for reason, count in cleaned.dropped:
            say(f"  {count:6} poems left out: {reason}")
        lines = sum(len(lesson.lines) for lesson in found)
        say(f"  {len(cleaned.poems):6} poems kept: {len(found)} lessons, {lines} lines")
        out.mkdir(parents=True, exist_ok=True)
        about = asdict(config) | {"model": model, "num_poems": num_poems, "lessons": len(found), "lines": lines}
        (out / "training.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

        def progress(point: Point, share: float) -> None:
            losses = [f"{name} {value:.3f}" for name in ("training", "validation") if (value := getattr(point, name))]
            say(f"{share:4.0%}  {point.minutes:5.1f} min  {point.tokens:7} tokens  {', '.join(losses)}")

        return train(base, tokenizer, found, out, config, progress=progress)
