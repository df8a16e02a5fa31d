import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from lyrics.errors import TrainingError
from lyrics.verse import POEMS, SONGS

STANZAS = [
    [
        "The river runs beside the road",
        "And I go down to see",
        "The boats come in with all their load",
        "And one for me",
    ],
    [
        "The evening light is on the hill",
        "The birds have gone to rest",
        "I hear the water running still",
        "I love it best",
    ],
    [
        "I hear the whistle of the train",
        "It calls me through the night",
        "I walk along the road again",
        "And see the light",
    ],
    [
        "We had a house beside the sea",
        "With windows to the west",
        "And all the world was you and me",
        "And all was best",
    ],
    [
        "The summer days are warm and long",
        "The summer nights are few",
        "I sing the words of one old song",
        "I sing to you",
    ],
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two tables with twenty lines, one poem of them held out by its author's name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("verse")
    (folder / "verse_text").mkdir()
    poems = [
        {
            "title": f"Song {n}",
            "author": author,
            "author_death": 1900.0,
            "source": "gutenberg_verse",
            "text": "\n".join(s),
        }
        for n, (s, author) in enumerate(zip(STANZAS, ["Ann", "Ben", "Cat", "Dan", held_out_author()], strict=True))
    ]
    pq.write_table(pa.Table.from_pylist(poems), folder / POEMS)
    song = {
        "title": "A Song", "lyricist": "", "dataset": "open_hymnal", "language": "en", "licence_tier": "cc0",
        "group": "0b", "lines": STANZAS[0], "section_id": [0], "line_id": [0],
    }  # fmt: skip
    pq.write_table(pa.Table.from_pylist([song]), folder / SONGS)
    return folder


def held_out_author() -> str:
    from lyrics.verse import _hash

    return next(name for name in map(str, range(1000)) if _hash(name) % 20 == 0)


@pytest.fixture
def config() -> Any:
    from lyrics.train_lm import AdapterConfig

    return AdapterConfig(rank=4, first_layer=0, epochs=12, tokens_per_step=150, learning_rate=0.02, max_minutes=10_000)


def test_training_lowers_the_loss_and_writes_an_adapter_that_loads(
    data: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    from lyrics.lm import load_model
    from pipeline.cli import app

    settings = tmp_path / "config.json"
    settings.write_text('{"rank": 4, "first_layer": 0, "epochs": 12, "tokens_per_step": 150, "learning_rate": 0.02}')
    out = tmp_path / "out"
    command = ["train", "lyrics", "--data", str(data), "--out", str(out), "--model", str(tiny_folder)]
    result = CliRunner().invoke(app, [*command, "--config", str(settings), "--max-minutes", "5"])
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{out}\n"
    rows = list(csv.DictReader((out / "curve.csv").read_text().splitlines()))
    assert float(rows[-1]["training"]) < 0.8 * float(rows[1]["training"])
    assert float(rows[-1]["validation"]) < float(rows[0]["validation"])
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "adapter_model.safetensors").stat().st_size < 100_000
    plain = load_model(str(tiny_folder), precision="float32")
    adapted = load_model(str(tiny_folder), adapter=out, precision="float32")
    assert adapted.adapted
    lines = [adapted.encode(f" {line}\n") for stanza in STANZAS[:4] for line in stanza]
    scores = [np.concatenate(model.score(model.read(None, "8:"), lines)).mean() for model in (plain, adapted)]
    assert scores[1] > scores[0] + 0.5


def test_a_run_that_was_stopped_goes_on_to_the_same_adapter(
    data: Path, tiny: Any, tiny_folder: Path, tmp_path: Path, config: Any
) -> None:
    from lyrics.train_lm import train
    from lyrics.train_lyrics import make_lessons

    tokenizer = tiny.make_tokenizer()
    lessons, _ = make_lessons(data, tokenizer, seed=0, num_poems=10)
    config = replace(config, epochs=2)

    def run(out: Path, stop: Any) -> bool:
        return train(tiny.make_network(len(tokenizer)), tokenizer, lessons, out, config, stop=stop).finished

    assert run(tmp_path / "whole", lambda step: False)
    assert not run(tmp_path / "cut", lambda step: step == 2)
    assert not (tmp_path / "cut" / "adapter_model.safetensors").exists()
    assert run(tmp_path / "cut", lambda step: False)
    weights = [(tmp_path / name / "adapter_model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert weights[0] == weights[1]
    with pytest.raises(TrainingError, match="other settings or data"):
        train(tiny.make_network(len(tokenizer)), tokenizer, lessons, tmp_path / "cut", replace(config, rank=2))


def test_a_batch_loses_what_its_lessons_lose_alone(data: Path, tiny: Any, config: Any) -> None:
    import torch

    from lyrics.train_lm import example, loss_of, with_adapter
    from lyrics.train_lyrics import make_lessons

    tokenizer = tiny.make_tokenizer()
    lessons, _ = make_lessons(data, tokenizer, seed=0, num_poems=10)
    examples = [example(lesson, tokenizer, config, number) for number, lesson in enumerate(lessons)]
    model = with_adapter(tiny.make_network(len(tokenizer)), config).float()
    with torch.inference_mode():
        together, weight = loss_of(model, examples)
        alone = [loss_of(model, [item]) for item in examples]
    assert float(together) == pytest.approx(sum(float(loss) for loss, _ in alone), rel=1e-4)
    assert weight == pytest.approx(sum(share for _, share in alone))


def test_held_out_verse_is_only_validated_on(data: Path, tiny: Any) -> None:
    from lyrics.train_lyrics import make_lessons

    lessons, cleaned = make_lessons(data, tiny.make_tokenizer(), seed=0, num_poems=10)
    assert [lesson.lines[0].text for lesson in lessons if lesson.held_out] == [STANZAS[-1][0]]
    assert ("lines that an earlier poem has", 1) in cleaned.dropped  # the song is the first poem


@pytest.mark.parametrize("text", ['{"rank": 0}', '{"speed": 1}', "[1]", "{"])
def test_settings_that_make_no_sense_are_one_sentence(text: str, tmp_path: Path) -> None:
    from pipeline.cli import app

    path = tmp_path / "config.json"
    path.write_text(text)
    result = CliRunner().invoke(app, ["train", "lyrics", "--data", "x", "--out", "y", "--config", str(path)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_without_verse_is_one_sentence(tmp_path: Path, tiny_folder: Path) -> None:
    from pipeline.cli import app

    command = ["train", "lyrics", "--data", str(tmp_path), "--out", str(tmp_path / "o"), "--model", str(tiny_folder)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "cannot read the verse" in result.stderr
    assert not (tmp_path / "o").exists()
